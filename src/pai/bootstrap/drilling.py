"""A restore drill: a backup becomes a home of its own, is opened, and is asked whether it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from pai.adapters.cryptography.age import Opening
from pai.adapters.cryptography.backup_reader import BackupFolder, Opened
from pai.adapters.cryptography.backup_restore import Restore
from pai.adapters.cryptography.model_signatures import ModelSigner
from pai.adapters.storage.integrity import problems_of
from pai.bootstrap.telemetry import child_environment
from pai.core.keys.values import Factor
from pai.core.models.values import Model
from pai.foundation.errors import Corrupt, PaiError
from pai.foundation.redaction import Secret
from pai.foundation.time import from_text, utc_now
from pai.settings import Settings

_PREFIX = "pai-drill-"
Answer = tuple[str, bool, str]


def drill(
    settings: Settings, passphrases: Iterable[Secret], folder: Path, *, wanted: str | None, opening: Opening, keys: Path | None,
    keys_opening: Opening, models: tuple[Path, ...], scratch: Path | None, progress: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Restore into a folder of its own below ``scratch``, ask, and remove it again. ``passphrases`` are the installation's.

    Raises PaiError when the backup cannot be restored or opened at all. RPO is the age of the backup now; RTO the time from the first
    byte read until the last question was answered, without what somebody took to type.
    """
    backups = BackupFolder(folder)
    chosen = backups.chosen(wanted)
    offered = iter(passphrases)
    first = next(offered)  # what somebody takes to type is no time of ours
    with _scratch(scratch) as place:
        began, asked_at = time.monotonic(), utc_now()
        home = place / "restored" / "home"
        progress("restoring ...")
        opened, missing = Restore(backups, chosen, opening, keys_opening, keys, models, lambda _done, _of: None).into(
            home
        )
        restored = time.monotonic() - began
        progress("asking the restored home ...")
        answers = _ask(msgspec.structs.replace(settings, home=home), chain([first], offered), opened, missing)
        took = time.monotonic() - began
    age = int((asked_at - from_text(opened.head.at)).total_seconds())
    return {
        "id": opened.head.id, "ok": all(ok for _, ok, _ in answers), "age_seconds": age,
        "restore_seconds": round(took, 2), "copy_seconds": round(restored, 2), "files": len(opened.manifest.files),
        "bytes": opened.head.bytes, "answers": [{"question": q, "ok": ok, "detail": detail} for q, ok, detail in answers],
    }  # fmt: skip


def _ask(settings: Settings, passphrases: Iterable[Secret], opened: Opened, missing: list[str]) -> list[Answer]:
    from pai.adapters.cryptography.keystore_process import start_keystore
    from pai.bootstrap.compose import open_base
    from pai.bootstrap.unsealing import unseal

    answers: list[Answer] = [("every file is what was backed up", True, f"{len(opened.manifest.files)} files")]
    with start_keystore(settings.home, child_environment()) as process:
        unseal(process.open, passphrases)
        answers.append(("the passphrase opens the root key", True, ""))
        base = open_base(settings, process.client)
        try:
            signer = process.client.verify_key("checkpoint").hex()
            answers.append(
                ("it was signed by the installation that it holds", signer == opened.head.signer, signer[:16])
            )
            found = problems_of(base.home.database, process.client.database_key())
            answers.append(("the main database is whole", not found, "; ".join(found)))
            verified = base.storage.read_sync(lambda unit: unit.audit.verify())
            told = "; ".join(f"{one.kind}: {one.hint}" for one in verified.errors[:3]) or f"{verified.size} events"
            answers.append(("the audit log proves itself", verified.ok, told))
            answers += _files(base)
            answers += _models(base, missing)
        finally:
            base.storage.close()
    return answers


def _files(base: Any) -> list[Answer]:
    def look(unit: Any) -> tuple[set[str], list[tuple[str, str, bytes, bytes]]]:
        wanted, openable = set(), []
        for user in unit.users.list():
            console = unit.wraps.member_wrap(user.id, Factor.CONSOLE)
            for resource in unit.wraps.resources(user.id):
                wanted.add(resource)
                if console is not None:
                    openable.append((user.id, resource, console.blob, unit.wraps.key_wrap(resource, user.id).blob))
        return wanted, openable

    wanted, openable = base.storage.read_sync(look)
    places = {resource: _place(base.home.root, resource) for resource in wanted}
    gone = sorted(
        resource for resource, path in places.items() if resource.startswith("collection:") and not path.exists()
    )
    answers = [("every collection has its file", not gone, ", ".join(gone) or f"{len(wanted)} keys of content")]
    problems, opened = [], 0
    for user, resource, console, wrap in openable:
        handle = base.keystore.unlock_from_console(user, console)
        try:
            key = base.keystore.open_data_key(handle, resource, wrap)
            if places[resource].exists():
                problems += [f"{resource}: {problem}" for problem in problems_of(places[resource], key)]
                opened += 1
        except PaiError as error:
            problems.append(f"{resource}: {error.message}")
        finally:
            base.keystore.forget(handle)
    told = f"{opened} files whose key this server holds; what only its members can open was compared byte by byte"
    return [*answers, ("sealed files open with their keys and are whole", not problems, "; ".join(problems) or told)]


def _place(home: Path, resource: str) -> Path:
    kind, name = resource.split(":", 1)
    if kind == "collection":
        return home / "collections" / name / "content.db"
    return home / ("conversations" if kind == "conversations" else "batches") / f"{name}.db"


def _models(base: Any, missing: list[str]) -> list[Answer]:
    signer, problems = ModelSigner(base.keystore), []
    models: list[Model] = base.storage.read_sync(lambda unit: unit.models.list())
    for model in models:
        if not model.files:
            continue
        try:
            signer.verify(model)
        except Corrupt as error:
            problems.append(error.message)
        absent = [file.path for file in model.files if not (base.home.models / model.name / file.path).exists()]
        if absent and not all(f"models/{model.name}/{path}" in missing for path in absent):
            problems.append(f"{model.name}: {', '.join(absent)} is not there")
    told = f"{len(models)} models"
    if missing:
        told += f"; {len(missing)} public files are kept by their hash and were not at hand"
    return [("models have their files and signatures", not problems, "; ".join(problems) or told)]


@contextlib.contextmanager
def _scratch(place: Path | None) -> Iterator[Path]:
    """Give a private folder that is removed at the end; what a drill that was cut off left is removed now."""
    root = place or Path(tempfile.gettempdir())
    for left in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _held(left):
            shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)
