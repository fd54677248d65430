"""From inside each kind of worker nothing can be reached; without walls the same attempts succeed (positive control)."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pai.adapters.workers.kinds import KINDS

SCRIPT = Path(__file__).with_name("escape_attempts.py")
ALLOWED = {"read the model", "start a thread", "import native code", "all layers"}
# What the kernel or the account may refuse even without walls, so that the control proves nothing about it.
UNSURE = {"io_uring", "userfaultfd", "unshare", "keyring", "abstract connect", "udp6", "ptrace"}


@pytest.fixture
def target(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder with what a worker must not touch, and listeners it must not reach."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "victim").write_text("victim")
    (tmp_path / "model").write_bytes(b"weights")
    (tmp_path / "run").mkdir(mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        port = tcp.getsockname()[1]
        unix.bind(str(tmp_path / "open.sock"))
        unix.listen()
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(f"\0pai-{port}")
            abstract.listen()
            yield tmp_path, port


def attempt(kind: str, folder: Path, port: int) -> dict[str, str]:
    command = [sys.executable, str(SCRIPT), kind, str(folder), str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def test_attempts_succeed_without_walls(target: tuple[Path, int]) -> None:
    told = attempt("none", *target)
    failed = {name for name, outcome in told.items() if outcome != "done"}
    assert failed <= UNSURE, {name: told[name] for name in failed}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_reached_from_a_worker(kind: str, target: tuple[Path, int]) -> None:
    folder, port = target
    told = attempt(kind, folder, port)
    done = {name for name, outcome in told.items() if outcome == "done"}
    reads_none = {
        "echo",
        "parser",
        "model-check",
        "onnx-embedding",
        "onnx-reranking",
        "picture",
        "ocr",  # its model comes with its one question
        "whisper",
        "openvino",
        "transformers",
        "converter",
        "gguf-converter",
        "onnx-converter",
    }
    allowed = ALLOWED - ({"read the model"} if kind in reads_none else set())
    allowed |= (
        {"write own folder"} if kind.endswith("converter") else set()
    )  # what it makes lies there until it is taken
    assert done == allowed, {name: told[name] for name in done ^ allowed}
    assert (folder / "victim").exists()
    assert not (folder / "new").exists()


def test_memory_of_a_parser_is_bounded(target: tuple[Path, int]) -> None:
    folder, _ = target
    code = (
        "import os; from pathlib import Path; from pai.bootstrap.worker import _KINDS, Given\n"
        "from pai.adapters.system.sandbox import apply\n"
        f"os.chdir({str(folder / 'run')!r})\n"
        "profile, _ = _KINDS['parser'](Given(Path('.'), (0,), {'cpu_seconds': 5, 'memory_mb': 512}))\n"
        "apply(profile)\n"
        "try:\n    bytearray(600 << 20)\nexcept MemoryError:\n    print('bounded')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "bounded\n", done.stderr


def test_walls_are_refused_when_threads_run_already() -> None:
    code = (
        "import threading, time\nfrom pai.adapters.system.sandbox import SandboxError, SandboxProfile, apply\n"
        "threading.Thread(target=time.sleep, args=(2,), daemon=True).start()\n"
        "try:\n    apply(SandboxProfile())\nexcept SandboxError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "refused\n", done.stderr


def test_a_gateway_writes_its_home_and_reaches_unix_sockets_only(target: tuple[Path, int]) -> None:
    folder, port = target
    home = folder / "run"
    code = (
        "import os, socket, sys; from pathlib import Path\n"
        "from pai.adapters.system.sandbox import apply, gateway_profile\n"
        f"listener = socket.create_server(('127.0.0.1', 0)); home = Path({str(home)!r})\n"
        "assert apply(gateway_profile(home)).complete\n"
        "(home / 'a').write_text('x'); (home / 'a').rename(home / 'b'); (home / 'b').chmod(0o600)\n"
        "listener.listen(); listener.settimeout(0.01)\n"
        f"socket.socket(socket.AF_UNIX).connect({str(folder / 'open.sock')!r})\n"
        "def refused(act):\n"
        "    try:\n        act()\n    except OSError:\n        return True\n    return False\n"
        f"assert refused(lambda: socket.create_connection(('127.0.0.1', {port}), 1))\n"
        f"assert refused(lambda: Path({str(folder / 'secret')!r}).read_bytes())\n"
        "assert refused(lambda: Path('/etc/passwd').read_bytes())\n"
        "assert refused(os.fork)\n"
        f"assert refused(lambda: socket.socket(fileno=os.dup(listener.fileno())).connect(('127.0.0.1', {port})))\n"
        "print('held')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "held\n", done.stderr
