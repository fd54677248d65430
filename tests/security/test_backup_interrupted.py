"""Making and restoring a backup, killed at each of its steps: what is there afterwards is whole, and the next run works."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backup_folder import Keeper, contents, sample_home

KILLER = """
import os, signal, sys, pathlib
sys.path[:0] = {paths!r}
from backup_folder import Keeper
from pai.foundation.redaction import Secret
left = {at}
def killing(real):
    def call(*a, **k):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*a, **k)
    return call
keeper = Keeper(pathlib.Path({home!r}), pathlib.Path({folder!r}), Secret(bytes.fromhex({secret!r})), bytes.fromhex({seed!r}))
keeper.identity, keeper.recipient = Secret({identity!r}.encode()), {recipient!r}
os.fsync, os.rename, os.replace = killing(os.fsync), killing(os.rename), killing(os.replace)
os.mkdir, os.unlink = killing(os.mkdir), killing(os.unlink)
{work}
print(left)
"""


def run(keeper: Keeper, at: int, work: str) -> subprocess.CompletedProcess[str]:
    script = KILLER.format(
        paths=sys.path, at=at, home=str(keeper.home), folder=str(keeper.folder), secret=keeper.secret.reveal().hex(),
        seed=keeper.seed.hex(), identity=keeper.identity.reveal().decode(), recipient=keeper.recipient, work=work,
    )  # fmt: skip
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(sample_home(tmp_path / "source"), tmp_path / "dest")


def steps_of(keeper: Keeper, work: str) -> int:
    done = run(keeper, 10_000, work)
    assert done.returncode == 0, done.stderr
    return 10_000 - int(done.stdout)


@pytest.mark.slow
def test_a_backup_killed_at_any_step_does_not_exist_or_is_whole(keeper: Keeper, tmp_path: Path) -> None:
    first, _ = keeper.back_up()
    shutil.copytree(keeper.folder, tmp_path / "before")
    (keeper.home / "db/main.db").write_bytes(b"newer" * 20_000)
    (keeper.home / "pai.toml").write_bytes(b"[server]\nport = 2\n")
    total = steps_of(keeper, "keeper.back_up()")
    assert total > 15
    for at in range(1, total + 1):
        shutil.rmtree(keeper.folder)
        shutil.copytree(tmp_path / "before", keeper.folder)
        assert run(keeper, at, "keeper.back_up()").returncode == -9
        assert keeper.damage(keeper.opening) == [], at
        there = [path.name for path in (keeper.folder / "backups").glob("bak_*")]
        assert first in there
        for backup in there:
            shutil.rmtree(tmp_path / "new", ignore_errors=True)
            keeper.restore(backup, tmp_path / "new")
            newer = (tmp_path / "new/db/main.db").read_bytes().startswith(b"newer")
            assert newer == (backup != first)
        again, _ = keeper.back_up()
        assert keeper.damage(keeper.opening) == []
        assert not list(keeper.folder.rglob("*.tmp-*"))
        assert not list(keeper.folder.glob("backups/.partial*"))
        assert again in [path.name for path in (keeper.folder / "backups").iterdir()]


@pytest.mark.slow
def test_a_restore_killed_at_any_step_leaves_no_home_or_a_whole_one(keeper: Keeper, tmp_path: Path) -> None:
    backup, _ = keeper.back_up()
    home = tmp_path / "place" / "home"
    work = f"keeper.restore({backup!r}, pathlib.Path({str(home)!r}))"
    total = steps_of(keeper, work)
    whole = contents(home)
    assert total > 15
    shutil.rmtree(home.parent)
    for at in range(1, total + 1):
        assert run(keeper, at, work).returncode == -9
        if home.exists():
            assert contents(home) == whole, at
            shutil.rmtree(home)
        keeper.restore(backup, home)
        assert contents(home) == whole
        assert [path.name for path in home.parent.iterdir()] == ["home"]
        shutil.rmtree(home.parent)
