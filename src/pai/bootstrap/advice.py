"""What advice on models is given about: this machine, and the models that are here or could be fetched."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pai.adapters.models.catalogue import Starter, catalogue
from pai.adapters.system.hardware import disk_speed, machine
from pai.adapters.system.home import Home
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.advice import shape_of
from pai.core.models.values import Candidate, Machine
from pai.foundation.errors import PaiError
from pai.settings import Settings

_FORMAT = "gguf"


def machine_of(settings: Settings, cache: Path) -> Machine:
    """Return the facts of this machine, the disk measured on a model file when there is one."""
    found = machine(settings.home)
    paths = [path for _, path in (*_files(Home(settings.home).models), *_files(cache))]
    if not paths:
        return dataclasses.replace(
            found, unknown=(*found.unknown, "how fast the disk reads: there is no model file to read")
        )
    try:
        return dataclasses.replace(found, disk=disk_speed(max(paths, key=lambda path: path.stat().st_size)))
    except (OSError, PaiError):
        return dataclasses.replace(
            found, unknown=(*found.unknown, "how fast the disk reads: a model file cannot be read")
        )


def candidates_of(settings: Settings, cache: Path) -> tuple[Candidate, ...]:
    """Return the chat models that are installed, and those of the catalogue that are not. Headers are read behind walls."""
    return asyncio.run(_candidates(Home(settings.home).models, cache))


async def _candidates(models: Path, cache: Path) -> tuple[Candidate, ...]:
    found: dict[str, Candidate] = {}
    with tempfile.TemporaryDirectory(prefix="pai-") as folder:
        launcher = LocalLauncher(Path(folder) / "w", child_environment())
        check = ModelCheck(launcher)
        try:
            for name, path in _files(models):
                found[name] = await _candidate(check, name, path, installed=True)
            for name, starter in catalogue().items():
                if starter.format == _FORMAT and name not in found:
                    path = cache / name / starter.files[0].path
                    found[name] = (
                        await _candidate(check, name, path, installed=False)
                        if path.exists()
                        else _unread(name, starter)
                    )
        finally:
            await check.close()
            launcher.close()
    return tuple(found.values())


def _unread(name: str, starter: Starter) -> Candidate:
    unknown = "" if starter.shape else "its file has not been fetched, and the catalogue does not describe it"
    return Candidate(name, False, starter.files[0].size, starter.shape, unknown)


async def _candidate(check: ModelCheck, name: str, path: Path, *, installed: bool) -> Candidate:
    header: dict[str, Any]
    size = 0
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(fd).st_size
            header = await check.check(_FORMAT, {path.name: fd})
        finally:
            os.close(fd)
    except PaiError as error:
        return Candidate(name, installed, size, None, f"its header cannot be read: {error.message}")
    except OSError as error:
        return Candidate(name, installed, size, None, f"its file cannot be opened: {error.strerror}")
    return Candidate(name, installed, size, shape_of(header))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield model name and weights of each chat model in a folder of models."""
    if folder.is_dir():
        yield from ((path.parent.name, path) for path in sorted(folder.glob(f"*/*.{_FORMAT}")) if path.is_file())
