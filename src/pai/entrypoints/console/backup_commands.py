"""Host commands of backups: the parts of one that only the process with the home open can do."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pai.core.operations.values import Backup, Drilled
from pai.entrypoints.http.services import Services
from pai.foundation.actor import OPERATOR
from pai.foundation.time import from_text, to_text

Arguments = dict[str, Any]


def _moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None


async def backup_begin(services: Services, _arguments: Arguments) -> Any:
    """Take a snapshot and lend the secret that keys of chunks come from."""
    begun = await services.backups.begin(OPERATOR)
    return {
        "id": begun.id, "at": to_text(begun.at), "folder": begun.snapshot.folder, "seconds": begun.snapshot.seconds,
        "secret": base64.b64encode(begun.secret.reveal()).decode(), "signer": begun.signer.hex(),
    }  # fmt: skip


async def backup_finish(services: Services, arguments: Arguments) -> Any:
    """Register a backup and sign it."""
    made = Backup(
        str(arguments["id"]), from_text(str(arguments["at"])), str(arguments["digest"]), str(arguments["destination"]),
        int(arguments["files"]), int(arguments["bytes"]), _moment(arguments.get("kept_until")),
    )  # fmt: skip
    return {"signature": (await services.backups.finish(OPERATOR, made)).hex()}


async def backup_abandon(services: Services, arguments: Arguments) -> Any:
    """Give up a backup."""
    await services.backups.abandon(OPERATOR, str(arguments["id"]), str(arguments.get("reason", "")))
    return {}


async def backup_drilled(services: Services, arguments: Arguments) -> Any:
    """Record what a restore drill found."""
    failed = tuple(str(name) for name in arguments["failed"])
    found = Drilled(
        str(arguments["id"]), not failed, int(arguments["age_seconds"]), int(arguments["restore_seconds"]), failed
    )
    await services.backups.drilled(OPERATOR, found)
    return {}


async def backup_list(services: Services, _arguments: Arguments) -> Any:
    """List the backups that this installation knows of."""
    return {
        "backups": [
            {
                "id": one.id, "at": to_text(one.at), "destination": one.destination, "files": one.files, "bytes": one.bytes,
                "digest": one.digest, "kept_until": to_text(one.kept_until) if one.kept_until else None,
            }
            for one in await services.backups.list(OPERATOR)
        ]
    }  # fmt: skip


BACKUP_COMMANDS: dict[str, Callable[[Services, Arguments], Awaitable[Any]]] = {
    "backup.begin": backup_begin,
    "backup.finish": backup_finish,
    "backup.abandon": backup_abandon,
    "backup.drilled": backup_drilled,
    "backup.list": backup_list,
}
