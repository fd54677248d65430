"""Removes what ``make start`` installed: says what would go, asks, and only then removes anything.

It runs with any Python, without PAI's own environment, which is one of the things that it removes.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

NICKNAME = "PAI local authority"  # as ``pai tls trust --install`` calls it
SYSTEM = Path("/usr/local/share/ca-certificates/pai.crt")  # where ``pai tls trust`` says to put it


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask for the program and then for the home, remove what was agreed to; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path, action="append", required=True)
    parser.add_argument(
        "--sources", type=Path, action="append", default=[], help="Folders that Python keeps caches in."
    )
    parser.add_argument("--home", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    program = [path.absolute() for path in chosen.program if os.path.lexists(path)]
    caches = [cache.absolute() for path in chosen.sources for cache in sorted(path.rglob("__pycache__"))]
    # A folder that PAI did not make is not PAI's to delete, whatever PAI_HOME says.
    home = chosen.home.absolute() if (chosen.home / "keys").is_dir() else None
    if not program and not caches and home is None:
        print("there is nothing to remove")
        return 0
    if why := _in_use(program, home):
        print(f"pai: {why}; nothing was removed (stop it with Ctrl-C or SIGTERM first)", file=sys.stderr)
        return 1
    try:
        return _ask_and_remove(program, caches, home)
    except KeyboardInterrupt:
        print("\nstopped; what was not said to be removed is still there")
        return 0


def _ask_and_remove(program: Sequence[Path], caches: Sequence[Path], home: Path | None) -> int:
    if (program or caches) and not _program_agreed(program, caches):
        print("nothing was removed")
        return 0
    # Asked before anything goes, so that an answer is never given to half a removal.
    with_home = home is not None and _home_agreed(home)
    store = _browser_store(home) if home is not None and with_home else None
    print("removing ...", flush=True)
    for path in [*program, *caches, *([home] if home is not None and with_home else [])]:
        _remove(path)
        if path not in caches:
            print(f"removed {path}")
    if caches:
        print(f"removed {len(caches)} folders __pycache__")
    if home is not None and not with_home:
        print(f"kept {home}")
    elif with_home:
        _forget_authority(store)
    return 0


def _program_agreed(program: Sequence[Path], caches: Sequence[Path]) -> bool:
    print("The program and its caches:")
    for path in program:
        print(f"  {path}  (the link only)" if path.is_symlink() else f"  {path}  ({_size(path)})")
    if caches:
        print(f"  {len(caches)} folders __pycache__ that Python made beside the sources")
    print("The home, with keys and documents, is asked for apart.")
    return _answered("Remove the program? Type yes: ", "yes")


def _home_agreed(home: Path) -> bool:
    print("The home: all keys, documents, conversations, models and the audit log, for good:")
    print(f"  {home}  ({_size(home)})")
    print("Nothing can bring it back: with the keys go all copies that they open.")
    return _answered('Remove the home too? Type "delete everything"; anything else keeps it: ', "delete everything")


def _answered(question: str, word: str) -> bool:
    print(question, end="", flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(answer.rstrip())
    return answer.strip() == word


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=not path.exists())  # a cache may have gone with its folder


def _size(path: Path) -> str:
    found = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    size = sum(one.lstat().st_size for one in found if os.path.lexists(one))
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _browser_store(home: Path) -> Path | None:
    """Return the store of Chromium that trusts this home's authority, None when none does or ``certutil`` is not there."""
    store, authority, tool = Path.home() / ".pki" / "nssdb", home / "tls" / "ca.pem", shutil.which("certutil")
    if tool is None or not (store / "cert9.db").exists() or not authority.exists():
        return None
    shown = subprocess.run(
        [tool, "-d", f"sql:{store}", "-L", "-n", NICKNAME, "-a"], capture_output=True, text=True, check=False
    )
    # Another home's authority may have taken the name since.
    return store if "".join(authority.read_text("ascii").split()) in "".join(shown.stdout.split()) else None


def _forget_authority(store: Path | None) -> None:
    if store is not None:
        tool = shutil.which("certutil") or "certutil"
        done = subprocess.run([tool, "-d", f"sql:{store}", "-D", "-n", NICKNAME], capture_output=True, check=False)
        if done.returncode == 0:
            print(f"Chromium and Chrome trust PAI's authority no longer ({store})")
    if SYSTEM.exists():
        print(f"the whole system trusts an authority of PAI: sudo rm {SYSTEM} && sudo update-ca-certificates --fresh")
    print("If you told Firefox to trust PAI's authority: Settings > Certificates > View > Authorities > PAI > Delete")


def _in_use(program: Sequence[Path], home: Path | None) -> str:
    if home is not None:
        try:
            with (home / "run" / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"a PAI process is using the home {home}"
        except OSError:
            pass  # no lock: nothing was ever started here
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
