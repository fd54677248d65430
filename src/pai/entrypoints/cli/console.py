"""Host commands: over the control socket of a running server, else in-process."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pai.entrypoints.cli.asking import passphrases
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import START
from pai.foundation.errors import PaiError, Unavailable

_SECONDS: Final = 600.0


def call(context: Context, command: str, **arguments: Any) -> Any:
    """Run a host command and return its JSON. Raises PaiError as the server told it."""
    settings = context.settings()
    socket_path = settings.home / "run" / "control.sock"
    if socket_path.exists():
        answer = _over_socket(socket_path, command, arguments)
        if answer is not None:
            return answer
    why = "no server is running on this home, so this command opens it by itself"
    return context.console_in_process(settings, passphrases(context, settings, why=why), command, arguments)


@contextmanager
def session(context: Context) -> Iterator[Callable[..., Any]]:
    """Give a function that runs several host commands: on the running server, else on a home that is opened once for all of them."""
    settings = context.settings()
    path = settings.home / "run" / "control.sock"
    if path.exists() and _over_socket(path, "status", {}) is not None:
        yield lambda command, **arguments: ask_server(context, command, **arguments)
        return
    why = "no server is running on this home, so this command opens it by itself"
    with context.console_session(settings, passphrases(context, settings, why=why)) as run:
        yield lambda command, **arguments: run(command, arguments)


def ask_server(context: Context, command: str, **arguments: Any) -> Any:
    """Run a host command that needs engines, on the running server. Raises Unavailable (``not_serving``) without one."""
    answer = _over_socket(context.settings().home / "run" / "control.sock", command, arguments)
    if answer is None:
        raise Unavailable("no server is running", code="not_serving", hint=f"start it with {START}")
    return answer


class _Connection(http.client.HTTPConnection):
    """HTTP over the control socket. The standard library's, for what the client of content commands needs takes longer than a command."""

    def __init__(self, path: Path) -> None:
        super().__init__("console", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


def _over_socket(path: Path, command: str, arguments: dict[str, Any]) -> Any:
    with contextlib.closing(_Connection(path)) as connection:
        try:
            connection.connect()
        except OSError:
            return None  # a socket that a killed server left behind
        try:
            connection.request(
                "POST", f"/console/{command}", json.dumps(arguments), {"content-type": "application/json"}
            )
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the server did not answer: {type(error).__name__}", hint="see its log") from None
    try:
        told = json.loads(body)
    except ValueError:
        raise Unavailable("the server did not answer as PAI does", hint=f"see what {START} printed") from None
    if response.status != 200:
        found = told["error"]
        raise PaiError(found["message"], code=found["code"], hint=found["hint"])
    return told
