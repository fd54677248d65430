"""Evidence as files: readable by their owner only, whole or not there at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from pai.entrypoints.http.audit_filters import csv_of
from pai.foundation.errors import Usage

PAGE: Final = 1000
README: Final = """The audit log of a PAI installation, up to event {last}.

log.jsonl        the events, one a line, each with the salt that its hash is made with; the first line has the checkpoints
checkpoint.note  the signed head of the log (C2SP tlog-checkpoint): size, root, signature
key.txt          the public key, as this export names it. Do not trust it for being here: ask the installation for its key
                 (pai audit key) by another way, and compare
verify.py        a program that checks all this without PAI and without a network; it needs Python 3.11 and the library
                 "cryptography". Read it, or take it from a copy of PAI that you trust

    python3 verify.py . --key KEY
    python3 verify.py . --key KEY --checkpoint A-CHECKPOINT-THAT-YOU-KEPT.note

The events name accounts, documents and data subjects by ids. They are personal data: keep them as such.
"""


def write_new(path: Path, text: str) -> None:
    """Write a new file, mode 0600. Raises Usage when there is one."""
    with _opened(path) as file:
        file.write(text)


def _opened(path: Path) -> IO[str]:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Usage(
            f"{path} is there already", code="exists", hint="give a new name: evidence is not written over"
        ) from None
    return os.fdopen(fd, "w", encoding="utf-8", newline="")


def export_to(path: Path, begun: dict[str, Any], lines: Iterable[str], verifier: str, *, with_csv: bool) -> list[str]:
    """Write an export and return the names of its files. Raises Usage when something is there already."""
    if path.exists() or path.is_symlink():
        raise Usage(f"{path} is there already", code="exists", hint="give a new name: evidence is not written over")
    whole = path.with_name(f".{path.name}.part")
    try:
        if path.suffix in (".jsonl", ".csv"):
            with ExitStack() as stack:
                file = stack.enter_context(_opened(whole))
                if path.suffix == ".csv":
                    _exhaust(_tabled(lines, file))
                else:
                    _write(begun["header"], lines, file)
            names = [path.name]
        else:
            whole.mkdir(mode=0o700)
            names = _folder(whole, begun, lines, verifier, with_csv=with_csv)
        whole.rename(path)
    except BaseException:
        if whole.is_dir():
            shutil.rmtree(whole, ignore_errors=True)
        else:
            whole.unlink(missing_ok=True)
        raise
    return names


def _folder(folder: Path, begun: dict[str, Any], lines: Iterable[str], verifier: str, *, with_csv: bool) -> list[str]:
    with ExitStack() as stack:
        if with_csv:
            lines = _tabled(lines, stack.enter_context(_opened(folder / "events.csv")))
        _write(begun["header"], lines, stack.enter_context(_opened(folder / "log.jsonl")))
    write_new(folder / "checkpoint.note", begun["note"])
    write_new(folder / "key.txt", begun["key"] + "\n")
    write_new(folder / "verify.py", verifier)
    write_new(folder / "README.txt", README.format(last=begun["size"] - 1))
    return sorted(one.name for one in folder.iterdir())


def _write(header: str, lines: Iterable[str], file: IO[str]) -> None:
    file.write(header)
    for line in lines:
        file.write(line)
    file.flush()
    os.fsync(file.fileno())


def _tabled(lines: Iterable[str], file: IO[str]) -> Iterator[str]:
    """Yield the lines on, each written as a row of a table too."""
    file.write(csv_of([]))
    for line in lines:
        event = json.loads(line)
        file.write(csv_of([{**event["body"], "index": event["index"]}], header=False))
        yield line


def _exhaust(lines: Iterator[str]) -> None:
    for _ in lines:
        pass
