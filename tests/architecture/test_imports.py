"""Who may import whom: the contracts of ``pyproject.toml``, and what is installed is what is used."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APART = ROOT / "tests" / "interop" / "clients"
"""Scripts that run in environments of other people's programs."""
HELPERS = {path.stem for path in [*(ROOT / "tests").iterdir(), *(ROOT / "tests").rglob("*.py")]}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
_OPTIONAL = PROJECT["project"]["optional-dependencies"]
EXTRA = {re.split(r"[<>=]", text)[0] for text in (*_OPTIONAL["transformers"], *_OPTIONAL["speech"])}
"""Packages of the extras: the engine on PyTorch, and what writes recordings down."""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    # By its module's function, not by the script: the folder under test must come before the installed package.
    call = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    return subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, cwd=folder, check=False)


def test_the_import_contracts_hold() -> None:
    told = lint(ROOT)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{len(PROJECT['tool']['importlinter']['contracts'])} kept, 0 broken" in told.stdout


def used_by(folder: str) -> set[str]:
    """Return the distributions whose modules are imported below a folder."""
    imported = set()
    for path in (ROOT / folder).rglob("*.py"):
        if path.is_relative_to(APART):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    ours = {"pai", "__future__"} | HELPERS
    ships = metadata.packages_distributions()
    found = imported - ours - set(sys.stdlib_module_names)
    # An extra that is not installed ships nothing here; its packages are named as they are imported.
    names = {name for module in found for name in ships.get(module, [module] if module in EXTRA else [])}
    assert all(module in ships or module in EXTRA for module in found)
    return {name.lower().replace("_", "-") for name in names}


def declared(requirements: list[str]) -> set[str]:
    """Return the names of requirements."""
    return {re.split(r"[<>=]", text)[0].lower() for text in requirements}


FORBIDDEN = [
    ("core/audit/tree.py", "import cryptography.x509"),
    ("core/keys/values.py", "import socket"),
    ("core/models/values.py", "import pai.core.knowledge.values"),
    ("core/policy/values.py", "import pai.adapters.policy.cedar"),
    ("foundation/time.py", "import pai.settings.values"),
    ("adapters/policy/cedar.py", "import pai.adapters.storage.cipher"),
    ("adapters/policy/cedar.py", "from pai.core.identity import accounts"),
    ("adapters/system/home.py", "import pai.settings"),
    ("adapters/storage/cipher.py", "import cryptography"),
    ("entrypoints/http/shapes.py", "import argon2"),
    ("entrypoints/http/shapes.py", "import pai.entrypoints.web.markdown"),
    ("entrypoints/cli/client.py", "from pai.settings import load"),
    ("entrypoints/web/browser.py", "import pai.entrypoints.pai_api.routes"),
    ("adapters/workers/llama.py", "import PIL"),
]
"""Modules, and what each must not import."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is told of a copy in which every rule is broken, each in a line of its own at the end of a module."""
    copy = tmp_path_factory.mktemp("broken")
    shutil.copyfile(ROOT / "pyproject.toml", copy / "pyproject.toml")
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for module, line in FORBIDDEN:
        with (copy / "src" / "pai" / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    told = lint(copy)
    assert told.returncode == 1
    return told.stdout


@pytest.mark.parametrize(("module", "line"), FORBIDDEN)
def test_a_contract_notices(module: str, line: str, broken: str) -> None:
    importer = "pai." + module.removesuffix(".py").replace("/", ".")
    wanted = line.removeprefix("from ").removeprefix("import ").replace(" import ", ".")
    if not wanted.startswith("pai."):
        wanted = wanted.split(".")[0]
    text = (ROOT / "src" / "pai" / module).read_text("utf-8")
    number = text.count("\n") + 2 + 2 * [one for one in FORBIDDEN if one[0] == module].index((module, line))
    assert re.search(rf"{re.escape(importer)} -> {re.escape(wanted)}\S* \((?:l\.\d+, )*l\.{number}\b", broken), broken[
        -3000:
    ]


def test_every_library_that_is_imported_is_declared_and_the_other_way_round() -> None:
    assert used_by("src") == declared(PROJECT["project"]["dependencies"]) | EXTRA


def test_every_library_that_a_test_imports_is_declared() -> None:
    every = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["test"]]
    assert used_by("tests") <= declared(every) | EXTRA
