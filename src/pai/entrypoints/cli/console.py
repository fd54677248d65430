"""Host commands: over the control socket of a running server, else in-process."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from pai.entrypoints.cli.context import Context
from pai.foundation.errors import PaiError, Unavailable, Usage
from pai.foundation.redaction import Secret
from pai.settings import Settings


def passphrase_of(context: Context, settings: Settings, file: str | None = None) -> Secret:
    """Return the root passphrase from a file or the terminal. Raises Usage when there is neither."""
    path = Path(file) if file else settings.passphrase_file
    if path is not None:
        return context.secret_file(path, "passphrase")
    if not sys.stdin.isatty():
        raise Usage(
            "the passphrase is needed", code="no_passphrase", hint="set PAI_PASSPHRASE_FILE to a file with mode 0600"
        )
    return Secret(getpass.getpass("Passphrase: ").encode())


def call(context: Context, command: str, **arguments: Any) -> Any:
    """Run a host command and return its JSON. Raises PaiError as the server told it."""
    settings = context.settings()
    socket_path = settings.home / "run" / "control.sock"
    if socket_path.exists():
        answer = _over_socket(socket_path, command, arguments)
        if answer is not None:
            return answer
    return context.console_in_process(settings, passphrase_of(context, settings), command, arguments)


def ask_server(context: Context, command: str, **arguments: Any) -> Any:
    """Run a host command that needs engines, on the running server. Raises Unavailable (``not_serving``) without one."""
    answer = _over_socket(context.settings().home / "run" / "control.sock", command, arguments)
    if answer is None:
        raise Unavailable("no server is running", code="not_serving", hint="start `pai serve` first")
    return answer


def _over_socket(path: Path, command: str, arguments: dict[str, Any]) -> Any:
    import httpx

    transport = httpx.HTTPTransport(uds=str(path))
    try:
        with httpx.Client(transport=transport, base_url="http://console", timeout=600, trust_env=False) as client:
            response = client.post(f"/console/{command}", json=arguments)
    except httpx.ConnectError:
        return None  # a socket that a killed server left behind
    except httpx.HTTPError as error:
        raise Unavailable(f"the server did not answer: {type(error).__name__}", hint="see its log") from None
    try:
        told = response.json()
    except ValueError:
        raise Unavailable("the server did not answer as PAI does", hint="see the messages of `pai serve`") from None
    if response.status_code != 200:
        found = told["error"]
        raise PaiError(found["message"], code=found["code"], hint=found["hint"])
    return told
