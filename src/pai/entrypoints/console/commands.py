"""Host commands as a table: name -> what it does. The actor is always ``operator@console``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pai import __version__
from pai.core.audit.values import EventFilter
from pai.core.identity.accounts import normal_email
from pai.core.identity.passwords import CONSOLE
from pai.core.identity.setup import INVITATION, LIFE
from pai.core.identity.values import User
from pai.core.models.importing import NOT_STATED
from pai.core.models.values import ModelRecord
from pai.entrypoints.console.approval_commands import APPROVAL_COMMANDS
from pai.entrypoints.console.audit_commands import COMMANDS as AUDIT_COMMANDS
from pai.entrypoints.console.backup_commands import BACKUP_COMMANDS
from pai.entrypoints.console.key_commands import KEY_COMMANDS, keys_status
from pai.entrypoints.http import identity_shapes, shapes
from pai.entrypoints.http.services import Services
from pai.foundation.actor import OPERATOR, Role, Scope
from pai.foundation.errors import Invalid, NotFound
from pai.foundation.labels import parse_label
from pai.foundation.redaction import Secret
from pai.foundation.time import duration, utc_now

Arguments = dict[str, Any]
Command = Callable[[Services, Arguments], Awaitable[Any]]
DEFAULT_EXPIRY = "30d"
NOT_SERVING = "not serving"
"""What ``Services.ready`` says in a process that opened the installation for one command."""


def _secret(arguments: Arguments, name: str) -> Secret | None:
    value = arguments.get(name)
    return Secret(str(value).encode()) if value is not None else None


def _one_of(kind: type[Role | Scope], value: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise Invalid(f"unknown {kind.__name__.lower()} {value!r}", hint="use one of: " + ", ".join(kind)) from None


async def user_add(services: Services, arguments: Arguments) -> Any:
    """Make an account; the recovery code of its content is shown once."""
    password = _secret(arguments, "password")
    if password is None:
        raise Invalid("a password is needed", hint="give --password-file")
    role = _one_of(Role, arguments.get("role", "member"))
    added = await services.accounts.add(OPERATOR, str(arguments["email"]), role, password)
    return {**shapes.user(added.user), "recovery_code": added.recovery_code.reveal().decode()}


async def user_invite(services: Services, arguments: Arguments) -> Any:
    """Make a one-time link with which somebody opens an account, with a password that nobody else sees."""
    email, role = str(arguments["email"]), _one_of(Role, arguments.get("role", "member"))
    token = await services.setup.invite(OPERATOR, email, role)
    return {"email": email, "role": role.value, "token": token.reveal().decode(), "minutes": _minutes(INVITATION)}


async def user_list(services: Services, _arguments: Arguments) -> Any:
    """List accounts, and the links that are open."""
    return identity_shapes.everyone(await services.people.everyone(OPERATOR))


async def user_disable(services: Services, arguments: Arguments) -> Any:
    """Disable an account: its keys and sessions die at once."""
    return shapes.user(await services.people.disable(OPERATOR, str(arguments["email"])))


async def user_enable(services: Services, arguments: Arguments) -> Any:
    """Let a disabled account log in again; its keys stay dead."""
    return shapes.user(await services.people.enable(OPERATOR, str(arguments["email"])))


async def user_role(services: Services, arguments: Arguments) -> Any:
    """Give an account another role; its browser sessions end."""
    role = _one_of(Role, str(arguments["role"]))
    return shapes.user(await services.people.set_role(OPERATOR, str(arguments["email"]), role))


async def user_clearance(services: Services, arguments: Arguments) -> Any:
    """Let an account touch labels up to this one; raising it may take a second person."""
    clearance = parse_label(str(arguments["label"]))
    return shapes.user(await services.people.set_clearance(OPERATOR, str(arguments["email"]), clearance))


async def user_reset_login(services: Services, arguments: Arguments) -> Any:
    """Make a one-time link to choose a password, or set it at once. Content stays closed to anyone but its owner."""
    email, password = str(arguments["email"]), _secret(arguments, "password")
    token = await services.setup.link(OPERATOR, email, clear_factors=bool(arguments.get("second_factor")))
    if password is None:
        return {"email": email, "token": token.reveal().decode(), "minutes": _minutes(LIFE)}
    code = await services.setup.choose(token, password, minimum=CONSOLE)
    return {"email": email, "recovery_code": code.reveal().decode() if code else None}


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


async def session_list(services: Services, arguments: Arguments) -> Any:
    """List live browser sessions."""
    users = await _by_id(services)
    wanted = (
        [user.id for user in users.values() if user.email == normal_email(str(arguments["email"]))]
        if arguments.get("email")
        else [None]
    )
    if not wanted:
        raise NotFound(f"no account has the address {arguments['email']}", hint="see `pai user list`")
    found = await services.sessions.list(OPERATOR, wanted[0])
    return {"sessions": [{**shapes.session(one), "user": users[one.user_id].email} for one in found]}


async def session_kill(services: Services, arguments: Arguments) -> Any:
    """End one session, or all of an account, at once."""
    if arguments.get("email"):
        return {"ended": await services.sessions.end_all(OPERATOR, str(arguments["email"]))}
    await services.sessions.kill(OPERATOR, str(arguments["id"]))
    return {"ended": 1}


async def key_create(services: Services, arguments: Arguments) -> Any:
    """Make an API key; its text is shown once."""
    scopes = frozenset(_one_of(Scope, scope.strip()) for scope in str(arguments["scopes"]).split(",") if scope.strip())
    if not scopes:
        raise Invalid("a key needs a scope", hint="use --scopes inference,knowledge")
    span = str(arguments.get("expires") or DEFAULT_EXPIRY)
    expires = None if span == "never" else utc_now() + duration(span)
    made = await services.keys.create(
        OPERATOR, owner=str(arguments["owner"]), name=str(arguments["name"]), scopes=scopes, expires_at=expires,
        password=_secret(arguments, "owner_password"), ceiling=parse_label(str(arguments.get("ceiling") or "restricted")),
        networks=[str(one) for one in arguments.get("networks") or ()],
    )  # fmt: skip
    return {**shapes.key(made.key, str(arguments["owner"])), "key": made.text}


async def _by_id(services: Services) -> dict[str, User]:
    return {user.id: user for user in await services.accounts.list(OPERATOR)}


async def key_list(services: Services, _arguments: Arguments) -> Any:
    """List API keys of all accounts."""
    users = await _by_id(services)
    keys = await services.keys.list(OPERATOR)
    return {"keys": [shapes.key(key, users[key.owner_id].email if key.owner_id in users else "") for key in keys]}


async def key_revoke(services: Services, arguments: Arguments) -> Any:
    """Revoke an API key, or all of an account."""
    if arguments.get("owner"):
        return {"revoked": await services.keys.revoke_all(OPERATOR, str(arguments["owner"]))}
    await services.keys.revoke(OPERATOR, str(arguments["id"]))
    return {"revoked": arguments["id"]}


async def models_list(services: Services, _arguments: Arguments) -> Any:
    """List models."""
    return {"models": [shapes.model(model) for model in await services.inference.models(OPERATOR)]}


async def models_show(services: Services, arguments: Arguments) -> Any:
    """Show one model with its record."""
    model, found, why = await services.measuring.explained(OPERATOR, str(arguments["name"]))
    return {**shapes.model(model), "why": why, "measured": shapes.measurement(found) if found else None}


async def models_import(services: Services, arguments: Arguments) -> Any:
    """Take a model whose files a host command has laid ready."""
    origin, licence, data, gaps = (
        str(arguments.get(name) or NOT_STATED) for name in ("origin", "licence", "training_data", "known_gaps")
    )
    record = ModelRecord(origin, licence, data, gaps)
    context = int(arguments["context_length"])
    taken = await services.imports.take(OPERATOR, str(arguments["staged"]), str(arguments["name"]), context, record)
    return shapes.model(taken)


async def models_add(services: Services, arguments: Arguments) -> Any:
    """Take a model of the catalogue whose files a host command has laid ready."""
    return shapes.model(await services.imports.add(OPERATOR, str(arguments["staged"]), str(arguments["name"])))


async def models_convert(services: Services, arguments: Arguments) -> Any:
    """Make a model into another format."""
    measure, activate = bool(arguments.get("measure", True)), bool(arguments.get("activate", True))
    told = await services.conversions.convert(
        OPERATOR, str(arguments["name"]), to=str(arguments.get("to") or ""),
        quantisation=str(arguments.get("quantisation") or ""), measure=measure, activate=activate,
    )  # fmt: skip
    before, after = (shapes.measurement(one) if one is not None else None for one in (told.before, told.after))
    return {"model": shapes.model(told.model), "before": before, "after": after}


async def models_activate(services: Services, arguments: Arguments) -> Any:
    """Point an alias at a model."""
    alias = str(arguments.get("alias", "default"))
    return shapes.model(await services.conversions.activate(OPERATOR, str(arguments["name"]), [alias]))


async def models_measure(services: Services, arguments: Arguments) -> Any:
    """Time a model with a fixed prompt."""
    return shapes.measurement(await services.measuring.measure(OPERATOR, str(arguments["name"])))


async def doctor(services: Services, _arguments: Arguments) -> Any:
    """Tell what an installation knows of its own state, in one call: one passphrase is enough for it."""
    wanted = EventFilter(limit=1, name="operations:server:start")
    started = [shapes.event(event) for event in (await services.oversight.events(OPERATOR, wanted)).events]
    return {
        "serving": services.ready() != NOT_SERVING, "layers": started[0]["protections"] if started else [],
        "missing": started[0]["missing"] if started else [], "keys": await keys_status(services, {}),
        "models": (await models_list(services, {}))["models"],
    }  # fmt: skip


async def status(services: Services, _arguments: Arguments) -> Any:
    """Tell whether PAI is ready."""
    reason = services.ready()
    return {"ready": not reason, "reason": reason, "version": __version__}


COMMANDS: dict[str, Command] = {
    **BACKUP_COMMANDS,
    **KEY_COMMANDS,
    **APPROVAL_COMMANDS,
    "user.add": user_add,
    "user.invite": user_invite,
    "user.list": user_list,
    "user.disable": user_disable,
    "user.enable": user_enable,
    "user.role": user_role,
    "user.clearance": user_clearance,
    "user.reset-login": user_reset_login,
    "session.list": session_list,
    "session.kill": session_kill,
    "key.create": key_create,
    "key.list": key_list,
    "key.revoke": key_revoke,
    "models.list": models_list,
    "models.show": models_show,
    "models.import": models_import,
    "models.add": models_add,
    "models.convert": models_convert,
    "models.activate": models_activate,
    "models.measure": models_measure,
    **AUDIT_COMMANDS,
    "doctor": doctor,
    "status": status,
}
