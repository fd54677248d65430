"""Host commands on the root key and the keys under it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pai.entrypoints.http.services import Services
from pai.foundation.actor import OPERATOR
from pai.foundation.errors import Conflict
from pai.foundation.redaction import Secret
from pai.foundation.time import to_text

Arguments = dict[str, Any]


def _secret(arguments: Arguments, name: str) -> Secret:
    return Secret(str(arguments[name]).encode("utf-8", "surrogateescape"))


async def keys_status(services: Services, _arguments: Arguments) -> Any:
    """Tell the state of the root key and of the keys under it."""
    told = await services.custody.status(OPERATOR)
    versions = await services.custody.key_versions(OPERATOR)
    return {
        "sealed": not told.opened, "installation": told.installation, "recovery_confirmed": told.recovery_confirmed,
        "kdf": told.kdf, "protections": list(told.protections),
        "keys": {
            name: ["decrypt-only"] * (newest - 1) + ["active"] for name, newest in sorted(versions.items())
        },
    }  # fmt: skip


async def keys_unseal(_services: Services, _arguments: Arguments) -> Any:
    """There is nothing to open: this runs where it is open."""
    raise Conflict("PAI is open already", code="not_sealed", hint="see `pai status`")


async def keys_confirm_recovery(services: Services, arguments: Arguments) -> Any:
    """Type the recovery code back: it is written down."""
    await services.custody.confirm_recovery(OPERATOR, _secret(arguments, "code"))
    return {"recovery_confirmed": True}


async def keys_renew_recovery(services: Services, _arguments: Arguments) -> Any:
    """Replace the recovery code; shown once."""
    return {"recovery_code": (await services.custody.renew_recovery(OPERATOR)).reveal().decode()}


async def keys_change_passphrase(services: Services, arguments: Arguments) -> Any:
    """Let another passphrase open the root."""
    await services.custody.change_passphrase(OPERATOR, _secret(arguments, "old"), _secret(arguments, "new"))
    return {"changed": True}


async def keys_rotate_root(services: Services, arguments: Arguments) -> Any:
    """Replace the root key; the new recovery code is shown once."""
    code = await services.custody.rotate_root(OPERATOR, _secret(arguments, "passphrase"))
    return {"recovery_code": code.reveal().decode()}


async def keys_rotate(services: Services, arguments: Arguments) -> Any:
    """Give server keys a new version, and move what they seal to it."""
    looked_at, moved = await services.custody.rotate_keys(OPERATOR, resume=bool(arguments.get("resume")))
    return {"looked_at": looked_at, "moved": moved}


async def keys_shred(services: Services, arguments: Arguments) -> Any:
    """Destroy the key and the files of a collection."""
    done = await services.shredding.shred(OPERATOR, str(arguments["collection"]))
    return {
        "collection": done.collection, "wraps_destroyed": done.wraps, "documents": done.documents,
        "backups": [
            {"id": one.id, "destination": one.destination, "kept_until": to_text(one.kept_until) if one.kept_until else None}
            for one in done.backups
        ],
    }  # fmt: skip


KEY_COMMANDS: dict[str, Callable[[Services, Arguments], Awaitable[Any]]] = {
    "keys.status": keys_status,
    "keys.unseal": keys_unseal,
    "keys.confirm-recovery": keys_confirm_recovery,
    "keys.renew-recovery": keys_renew_recovery,
    "keys.change-passphrase": keys_change_passphrase,
    "keys.rotate-root": keys_rotate_root,
    "keys.rotate": keys_rotate,
    "keys.shred": keys_shred,
}
