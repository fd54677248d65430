"""The control socket: one POST per host command. The socket's mode (0600) lets only the home's owner in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from pai.core.policy.gate import NeedsApproval
from pai.entrypoints.console.commands import COMMANDS
from pai.entrypoints.http.approval_shapes import waiting
from pai.entrypoints.http.services import Services
from pai.entrypoints.http.surprises import log_surprise
from pai.foundation.actor import OPERATOR
from pai.foundation.errors import Invalid, NotFound, PaiError

MAX_BODY = 1 << 20


async def dispatch(services: Services, command: str, arguments: dict[str, Any]) -> Any:
    """Run one host command. Raises NotFound for a name that is not in the table, Invalid for a missing argument, AsksApproval for
    what takes a second person and was asked for instead."""
    handler = COMMANDS.get(command)
    if handler is None:
        raise NotFound(f"no host command {command[:40]!r}")
    try:
        return await handler(services, arguments)
    except NeedsApproval as error:
        raise waiting(await services.approvals.ask(OPERATOR, error, str(arguments.get("reason") or ""))) from None
    except KeyError as error:
        raise Invalid(f"the argument {error.args[0]!r} is missing") from None


def _told(error: PaiError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def console_app(services: Services) -> Any:
    """Return the ASGI application of the control socket."""
    return socket_app(lambda command, arguments: dispatch(services, command, arguments))


def socket_app(run: Callable[[str, dict[str, Any]], Awaitable[Any]]) -> Any:
    """Return an ASGI application that runs host commands with ``run``."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more and len(body) <= MAX_BODY:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            arguments = msgspec.json.decode(body[: MAX_BODY + 1] or b"{}", type=dict[str, Any])
            status, answer = 200, await run(scope["path"].removeprefix("/console/"), arguments)
        except msgspec.MsgspecError:
            status, answer = (
                400,
                {"error": {"code": "invalid", "message": "not a JSON object", "hint": "send one JSON object"}},
            )
        except PaiError as error:
            status, answer = error.status, _told(error)
        except Exception as error:  # noqa: BLE001  the edge of the process: the caller gets a sentence, the log the place
            log_surprise(error)
            status, answer = 500, _told(PaiError("an unexpected error happened"))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": msgspec.json.encode(answer)})

    return app
