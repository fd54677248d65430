"""Removes what ``make start`` installed: says what would go, asks, and only then removes anything.

It runs with any Python, without PAI's own environment, which is one of the things that it removes.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

PROGRAM = "the program and its caches"
HOME = "the home: all keys, documents, conversations, models and the audit log, for good"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask for the program and for the home, then remove what was agreed to; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path, action="append", required=True)
    parser.add_argument("--home", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    program = [path.absolute() for path in chosen.program if os.path.lexists(path)]
    # A folder that PAI did not make is not PAI's to delete, whatever PAI_HOME says.
    homes = [chosen.home.absolute()] if (chosen.home / "keys").is_dir() else []
    if not program and not homes:
        print("there is nothing to remove")
        return 0
    if why := _in_use(program, homes):
        print(f"pai: {why}; nothing was removed (stop it with Ctrl-C or SIGTERM first)", file=sys.stderr)
        return 1
    gone = [
        path for what, paths in ((PROGRAM, program), (HOME, homes)) if paths and _agreed(what, paths) for path in paths
    ]
    for path in gone:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)
        print(f"removed {path}")
    if not gone:
        print("nothing was removed")
    return 0


def _agreed(what: str, paths: Sequence[Path]) -> bool:
    print(f"{what[0].upper()}{what[1:]}:")
    for path in paths:
        print(f"  {path}  ({_size(path) / 1e9:.1f} GB)" if not path.is_symlink() else f"  {path}  (the link only)")
    print("Remove this? Type yes: ", end="", flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(answer.rstrip())
    return answer.strip() == "yes"


def _size(path: Path) -> int:
    found = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    return sum(one.lstat().st_size for one in found if os.path.lexists(one))


def _in_use(program: Sequence[Path], homes: Sequence[Path]) -> str:
    for home in homes:
        try:
            with (home / "run" / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"a PAI process is using the home {home}"
        except OSError:
            continue  # no lock: nothing was ever started here
    users = sorted({pid for path in program for pid in _running_from(path)})
    return f"a process runs from {program[0]} (process {users[0]})" if users else ""


def _running_from(folder: Path) -> Iterable[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = os.fsdecode((entry / "cmdline").read_bytes()).split("\0")[0]
            except OSError:
                continue  # it has ended, or is somebody else's
            if command.startswith(f"{folder}/"):
                yield int(entry.name)


if __name__ == "__main__":
    sys.exit(main())
