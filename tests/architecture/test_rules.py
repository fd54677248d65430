"""The house keeps its rules: sizes, banned words, one reader of the environment, silent import, no registry hosts.

Who may import whom is checked in ``test_imports.py``.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 80


def test_files_are_of_a_size_to_read() -> None:
    # What auditors are handed is one file on purpose: it runs without PAI, and is read whole.
    longer = {"outside_verifier.py": 480}
    assert [str(path) for path in SOURCES if len(path.read_text().splitlines()) > longer.get(path.name, 420)] == []


def test_the_outside_verifier_needs_nothing_of_pai() -> None:
    text = (ROOT / "src" / "pai" / "adapters" / "cryptography" / "outside_verifier.py").read_text("utf-8")
    imported = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    outside = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert outside == {"cryptography"}
    assert not {"socket", "urllib", "http", "subprocess", "ctypes", "importlib"} & {
        name.split(".")[0] for name in imported
    }


def test_no_drawer_modules() -> None:
    assert [str(path) for path in SOURCES if path.stem in {"utils", "helpers", "common", "manager", "misc"}] == []


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
