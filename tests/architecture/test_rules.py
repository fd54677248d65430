"""The house keeps its rules: sizes, banned words, one reader of the environment, silent import, no registry hosts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
CORE_BANNED = {
    "fastapi",
    "starlette",
    "sqlalchemy",
    "sqlcipher3",
    "cryptography",
    "socket",
    "ssl",
    "httpx",
    "uvicorn",
    "numpy",
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def below(folder: str) -> list[Path]:
    return [path for path in SOURCES if path.is_relative_to(ROOT / "src" / "pai" / folder)]


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 80


def test_files_are_of_a_size_to_read() -> None:
    assert [str(path) for path in SOURCES if len(path.read_text().splitlines()) > 420] == []


def test_no_drawer_modules() -> None:
    assert [str(path) for path in SOURCES if path.stem in {"utils", "helpers", "common", "manager", "misc"}] == []


@pytest.mark.parametrize(
    ("folder", "banned"),
    [
        ("core", ("pai.adapters", "pai.entrypoints", "pai.bootstrap")),
        ("foundation", ("pai.adapters", "pai.entrypoints", "pai.bootstrap", "pai.core", "pai.settings")),
        ("adapters", ("pai.entrypoints", "pai.bootstrap", "pai.settings")),
        ("entrypoints", ("pai.adapters", "pai.bootstrap")),
        ("settings", ("pai.adapters", "pai.entrypoints", "pai.bootstrap", "pai.core")),
    ],
)
def test_who_may_import_whom(folder: str, banned: tuple[str, ...]) -> None:
    wrong = [(str(path), name) for path in below(folder) for name in imports(path) if name.startswith(banned)]
    assert wrong == []
    assert below(folder)


def test_core_imports_no_framework_socket_sql_or_cryptography() -> None:
    assert [(str(p), n) for p in below("core") for n in imports(p) if n.split(".")[0] in CORE_BANNED] == []


def test_cryptography_lives_in_one_room() -> None:
    outside = [
        p
        for p in SOURCES
        if "cryptography" not in p.parts and any(n.split(".")[0] in {"cryptography", "argon2"} for n in imports(p))
    ]
    assert [str(p) for p in outside] == []


def test_core_rooms_import_only_downward() -> None:
    order = [
        "operations",
        "conversations",
        "knowledge",
        "models",
        "privacy",
        "identity",
        "keys",
        "policy",
        "audit",
        "ports",
    ]
    wrong = []
    for rank, room in enumerate(order):
        for path in below(f"core/{room}"):
            for name in imports(path):
                other = name.removeprefix("pai.core.").split(".")[0] if name.startswith("pai.core.") else room
                if other in order and order.index(other) < rank and room != "ports":
                    wrong.append((str(path), name))
    assert wrong == []


def test_only_bootstrap_hands_the_environment_over() -> None:
    allowed = {"bootstrap"}
    readers = [p for p in SOURCES if "os.environ" in p.read_text() or "getenv" in p.read_text()]
    assert [str(p) for p in readers if p.parent.name not in allowed] == []


def test_no_pickle_eval_or_remote_code() -> None:
    words = ("import pickle", "import joblib", "torch.load", "trust_remote_code", " eval(", " exec(")
    assert [(str(p), w) for p in SOURCES for w in words if w in p.read_text()] == []


def test_importing_pai_is_silent(tmp_path: Path) -> None:
    script = """
import sys
seen = []
sys.addaudithook(lambda name, args: seen.append((name, str(args)[:80])) if name.startswith(("socket.", "os.putenv", "subprocess.")) or
    (name == "open" and isinstance(args[1], str) and any(c in args[1] for c in "wax+")) else None)
import pai, pai.settings, pai.core.knowledge.answering, pai.core.identity.api_keys, pai.core.operations.oversight
print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_host_of_a_registry_in_the_repository() -> None:
    hosts = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "deb" + "ian.org",
        "npm" + "js.org",
        "npm" + "js.com",
        "hugging" + "face.co",
    ]
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    wrong = []
    for name in tracked:
        text = (ROOT / name).read_bytes().decode("utf-8", "ignore")
        wrong += [(name, host) for host in hosts if host in text]
    assert wrong == []


def test_the_lock_ships_no_downloader_and_no_address() -> None:
    text = (ROOT / "requirements" / "default.txt").read_text()
    assert "huggingface" not in text
    assert "://" not in text
    assert all("--hash=sha256:" in line for line in text.splitlines())
