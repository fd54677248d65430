"""What the documents say is so: generated pages, commands, paths, links, decision records."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pai.entrypoints.cli.app import pai

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"^((?:src|tests|docs|requirements|benchmarks)/[\w./-]+)")
LABEL = re.compile(r"[a-z ]+ \d")
"""Such as ``pai recovery code 1``: a text that a key or a signature is bound to."""


def code_of(text: str) -> Iterator[str]:
    """Yield each line of code in a document, from blocks and from spans."""
    for _, block in FENCE.findall(text):
        yield from block.splitlines()
    yield from SPAN.findall(FENCE.sub("", text))


def commands_named() -> list[tuple[str, str]]:
    found = set()
    for path in sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.html"), *ROOT.glob("src/**/*.js")]):
        # Hints and pages name commands too.
        for call in re.findall(r"(?:`|<code>)pai ([a-z][a-z-]*(?: [^`<{]*)?)(?:`|</code>)", path.read_text("utf-8")):
            found.add((path.relative_to(ROOT).as_posix(), call.strip()))
    for path in DOCUMENTS:
        for line in code_of(path.read_text("utf-8")):
            for call in re.findall(r"(?:^|[\s$(\"/])pai ([a-z][^#`)|&;\n]*)", line):
                if not LABEL.fullmatch(call.strip()):
                    found.add((path.relative_to(ROOT).as_posix(), call.strip()))
    return sorted(found)


@pytest.mark.slow
def test_the_reference_says_what_the_code_does() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pai.bootstrap.reference", "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert told.returncode == 0, told.stderr


@pytest.mark.slow
def test_drift_of_the_reference_is_noticed(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "pai.bootstrap.reference", "--folder", str(tmp_path)]
    assert subprocess.run(call, cwd=ROOT, check=False).returncode == 0
    page = tmp_path / "settings.md"
    page.write_text(page.read_text("utf-8").replace("8443", "8444"))
    (tmp_path / "left.md").write_text("left over\n")
    told = subprocess.run([*call, "--check"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert told.returncode == 1
    assert "8444" in told.stderr
    assert "left.md" in told.stderr


def test_there_are_commands_to_check() -> None:
    assert len(commands_named()) > 50


@pytest.mark.parametrize(("document", "call"), commands_named())
def test_every_command_that_a_document_names_exists(document: str, call: str) -> None:
    command: click.Command = pai
    words = call.split()
    path = []
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z-]+", words[0]):
        path.append(words.pop(0))
        found = command.get_command(click.Context(command), path[-1])
        assert found is not None, f"{document}: pai {' '.join(path)}"
        command = found
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    named = {word.strip("[](),.\"'").split("=")[0] for word in words if re.match(r"\[?--?[a-z]", word)}
    assert named <= options, f"{document}: pai {call}"
    told = CliRunner().invoke(pai, [*path, "--help"])
    assert told.exit_code == 0
    assert "Usage:" in told.output


def test_every_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for path in DOCUMENTS:
        for line in code_of(path.read_text("utf-8")):
            for name in re.findall(r"^make ([a-z-]+)", line):
                assert name in targets, f"{path.name}: make {name}"


def test_every_link_and_every_path_leads_somewhere() -> None:
    wrong = []
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        outside = FENCE.sub("", text)
        links = [path.parent / target for target in re.findall(r"\]\(([^)#\s]+)", outside) if "://" not in target]
        paths = [ROOT / named for span in SPAN.findall(outside) for named in PATH.findall(span)]
        wrong += [(path.name, str(target)) for target in [*links, *paths] if not target.exists()]
    assert wrong == []


def test_decision_records_have_their_parts_and_their_check() -> None:
    numbers = [path.name[:4] for path in RECORDS]
    assert len(numbers) == len(set(numbers))  # each its own; records of work that comes later may be missing in between
    for path in RECORDS:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]} "), path.name
        parts = [
            re.search(rf"^{part}:|(?<=[.\n] ){part}:", text, re.MULTILINE)
            for part in ("Context", "Decision", "Consequences", "Check")
        ]
        assert all(parts), path.name


def test_every_dependency_has_its_line_in_a_record() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    records = "\n".join(path.read_text("utf-8") for path in RECORDS)
    for text in project["dependencies"]:
        name = re.split(r"[<>=]", text)[0]
        assert f"| `{name}` |" in records, f"why PAI depends on {name} stands in no decision record"


def test_every_event_of_the_reference_is_recorded_somewhere() -> None:
    sources = {path: path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")}
    for path in (path for path in sources if path.name == "events.py" and "core" in path.parts):
        for node in ast.parse(sources[path]).body:
            if isinstance(node, ast.ClassDef):
                used = [other for other, text in sources.items() if other != path and f"{node.name}(" in text]
                assert used, f"{node.name} is never recorded"
