"""The supervisor over a real socket, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pai.adapters.workers.launcher import LocalLauncher
from pai.bootstrap.telemetry import child_environment
from pai.foundation.errors import Invalid, Unavailable


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[LocalLauncher]:
    made = LocalLauncher(tmp_path / "w", child_environment())
    yield made
    made.close()


def processes(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"--run={folder}" in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def until(check: object, seconds: float = 5) -> None:
    assert callable(check)
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "never came true"
        await asyncio.sleep(0.02)


async def test_a_worker_reports_its_walls_and_its_end(launcher: LocalLauncher, tmp_path: Path) -> None:
    worker = await launcher.start("echo")
    assert worker.socket_path.parent.stat().st_mode & 0o777 == 0o700
    assert any(line.startswith("seccomp: yes") for line in worker.sandbox)
    (pid,) = processes(tmp_path / "w")
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(worker.died.wait(), 5)
    assert worker.status == -signal.SIGKILL
    assert launcher.workers == ()
    assert list((tmp_path / "w").iterdir()) == []


async def test_stop_ends_a_worker_and_may_be_repeated(launcher: LocalLauncher) -> None:
    worker = await launcher.start("echo")
    await launcher.stop(worker.id)
    await asyncio.wait_for(worker.died.wait(), 5)
    await launcher.stop(worker.id)


async def test_a_worker_gets_a_new_environment_and_its_descriptors_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAI_SECRET_OF_THE_PARENT", "x")
    with socket.socket() as held, (tmp_path / "held").open("w") as file:
        held.set_inheritable(True)
        os.set_inheritable(file.fileno(), True)
        launcher = LocalLauncher(tmp_path / "w", child_environment())
        try:
            await launcher.start("echo")
            (pid,) = processes(tmp_path / "w")
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            targets = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        finally:
            launcher.close()
    assert b"PAI_SECRET_OF_THE_PARENT" not in environment
    assert b"ORT_DISABLE_TELEMETRY=1" in environment
    assert str(tmp_path / "held") not in targets


@pytest.mark.parametrize(
    ("kind", "fds", "options", "code"),
    [
        ("sh", 0, {}, "unknown_worker_kind"),
        ("echo", 1, {}, "bad_descriptors"),
        ("llama", 0, {}, "bad_descriptors"),
        ("echo", 0, {"context_length": -1}, "bad_worker_option"),
    ],
)
async def test_only_the_table_can_be_started(
    launcher: LocalLauncher, kind: str, fds: int, options: dict[str, int], code: str
) -> None:
    with Path(os.devnull).open() as file, pytest.raises(Invalid) as caught:
        await launcher.start(kind, [file.fileno()] * fds, options)
    assert caught.value.code == code
    assert (await launcher.start("echo")).id  # the supervisor goes on


async def test_a_worker_that_cannot_load_is_told(launcher: LocalLauncher) -> None:
    with Path(os.devnull).open() as file:
        worker = await launcher.start("llama", [file.fileno()], {"context_length": 256})
    await asyncio.wait_for(worker.died.wait(), 20)
    assert worker.status


async def test_workers_end_when_the_launcher_closes(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    worker = await launcher.start("echo")
    launcher.close()
    await asyncio.wait_for(worker.died.wait(), 5)
    assert processes(tmp_path / "w") == []
    with pytest.raises(Unavailable):
        await launcher.start("echo")


async def test_broken_frames_end_the_supervisor_and_its_workers(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    worker = await launcher.start("echo")
    launcher._connection.sendall(b"\xff\xff\xff\xff")
    await asyncio.wait_for(worker.died.wait(), 5)
    await until(lambda: processes(tmp_path / "w") == [])
    launcher.close()


async def test_workers_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    code = (
        "import asyncio; from pathlib import Path; from pai.adapters.workers.launcher import LocalLauncher\n"
        "from pai.bootstrap.telemetry import child_environment\n"
        "async def main():\n"
        f"    launcher = LocalLauncher(Path({str(tmp_path / 'w')!r}), child_environment())\n"
        "    await launcher.start('echo'); print('up', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        assert len(processes(tmp_path / "w")) == 1
        parent.kill()
    await until(lambda: processes(tmp_path / "w") == [])
