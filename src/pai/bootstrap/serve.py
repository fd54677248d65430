"""The supervisor: binds, unseals, starts the keystore, the gateway and workers as siblings, and ends them in order.

It listens on nothing itself, keeps no key, and takes no Landlock domain (a domain is inherited and cannot be undone).
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pai.adapters.system.addresses import own_names
from pai.adapters.system.home import Home, HomeLock
from pai.adapters.system.listeners import bind_tcp, bind_unix
from pai.adapters.system.processes import start_python
from pai.bootstrap.telemetry import child_environment
from pai.bootstrap.unsealing import unseal
from pai.foundation.errors import PaiError, Unavailable, Usage
from pai.foundation.redaction import Secret
from pai.settings import Settings

if TYPE_CHECKING:
    from pai.adapters.workers.supervisor import Supervisor

DRAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Start:
    """What the gateway is told, over an anonymous descriptor: never in arguments or the environment."""

    settings: Settings
    keystore_fd: int
    launcher_fd: int
    listener_fd: int
    control_fd: int
    status_fd: int


def run_serve(settings: Settings, passphrases: Iterable[Secret]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code. Raises PaiError with one clear sentence when it cannot start.

    ``passphrases`` is asked only once the home and the port are ours.
    """
    began = time.monotonic()
    settings = _named(settings)
    home = Home(settings.home)
    if not home.initialised.exists():
        raise Usage("this home is not initialised", code="not_initialised", hint="run `make start` or `pai init` first")
    home.prepare()
    lock = HomeLock(home)
    lock.acquire()
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        listener = stack.enter_context(bind_tcp(settings.server.host, settings.server.port))
        control = stack.enter_context(bind_unix(home.control_socket))
        stack.callback(home.control_socket.unlink, missing_ok=True)
        _write_port(home.port_file, settings.server.port)
        stack.callback(home.port_file.unlink, missing_ok=True)
        asked = _Asked(passphrases)
        keystore, keystore_pid = _start_keystore(home, asked, stack)
        began += asked.seconds  # what somebody took to type is no time of ours
        unsealed = time.monotonic()
        supervisor, launcher = _start_supervisor(home, stack)
        supervisor.companions["keystore"] = keystore_pid
        handed = (listener, control, keystore, launcher)
        return _run_gateway(settings, handed, supervisor, began=began, unsealed=unsealed)


def _named(settings: Settings) -> Settings:
    """Return the settings with the names by which others reach an address beyond loopback: the certificate and the Host check take
    exactly these."""
    server = settings.server
    if server.on_loopback:
        return settings
    found = own_names() if server.everywhere else (server.host,)
    names = tuple(dict.fromkeys((*server.names, *found)))
    return msgspec.structs.replace(settings, server=msgspec.structs.replace(server, names=names))


def _write_port(path: Path, port: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(f"{port}\n")


class _Asked:
    """Passphrases as they are asked for, and the seconds that went by until each was given."""

    def __init__(self, passphrases: Iterable[Secret]) -> None:
        self.seconds = 0.0
        self._passphrases = iter(passphrases)

    def __iter__(self) -> Iterator[Secret]:
        return self

    def __next__(self) -> Secret:
        began = time.monotonic()
        try:
            given = next(self._passphrases)
        finally:
            self.seconds += time.monotonic() - began
        _say("opening the keys (this takes a moment on purpose) ...")
        return given


def _start_keystore(
    home: Home, passphrases: Iterable[Secret], stack: contextlib.ExitStack
) -> tuple[socket.socket, int]:
    from pai.adapters.cryptography.keystore_process import start_keystore

    process = start_keystore(home.root, child_environment())
    stack.callback(process.stop)
    unseal(process.open, passphrases)
    if not process.client.status().recovery_confirmed:
        _say("the recovery code is not confirmed: write it down, then run `pai keys confirm-recovery`")
    _say("starting the server and loading the models ...")
    return process.release_socket(), process.process.pid


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _start_supervisor(home: Home, stack: contextlib.ExitStack) -> tuple[Supervisor, socket.socket]:
    from pai.adapters.workers.messages import pair
    from pai.adapters.workers.supervisor import Supervisor

    ours, theirs = pair()
    supervisor = Supervisor(ours, run_folder=home.root / "run" / "w", environment=child_environment())
    supervisor.start()
    stack.callback(supervisor.stop)
    return supervisor, theirs


def _run_gateway(
    settings: Settings,
    handed: tuple[socket.socket, socket.socket, socket.socket, socket.socket],
    supervisor: Supervisor,
    *,
    began: float,
    unsealed: float,
) -> int:
    listener, control, keystore, launcher = handed
    status_read, status_write = os.pipe()
    start = Start(settings, keystore.fileno(), launcher.fileno(), listener.fileno(), control.fileno(), status_write)
    told = _memory_file(msgspec.json.encode(start, enc_hook=str))
    passed = [keystore.fileno(), launcher.fileno(), listener.fileno(), control.fileno(), status_write, told]
    gateway = start_python("pai.bootstrap.gateway", [str(told)], environment=child_environment(), pass_fds=passed)
    supervisor.companions["gateway"] = gateway.pid
    os.close(told)
    os.close(status_write)
    # Whatever stays open here stays open when the gateway closes it: clients would connect to a server that drains.
    for one in handed:
        one.close()
    stop = _Stop(gateway)
    try:
        return _watch(settings, gateway, status_read, stop, began=began, unsealed=unsealed)
    finally:
        os.close(status_read)
        stop.finish()


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("pai-start", os.MFD_CLOEXEC)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class _Stop:
    """Forwards the first SIGTERM or SIGINT to the gateway, which drains; later ones change nothing."""

    def __init__(self, gateway: subprocess.Popen[bytes]) -> None:
        self.asked = False
        self._gateway = gateway
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        if not self.asked:
            self.asked = True
            self._gateway.terminate()

    def finish(self) -> None:
        """End the gateway, with force when it does not drain in time."""
        if self._gateway.poll() is None:
            self._gateway.terminate()
            try:
                self._gateway.wait(DRAIN_SECONDS + 2)
            except subprocess.TimeoutExpired:
                self._gateway.kill()
                self._gateway.wait()


def _watch(
    settings: Settings,
    gateway: subprocess.Popen[bytes],
    status_fd: int,
    stop: _Stop,
    *,
    began: float,
    unsealed: float,
) -> int:
    pending = b""
    deadline: float | None = None
    while True:
        if stop.asked and deadline is None:
            deadline = time.monotonic() + DRAIN_SECONDS + 2
        if deadline is not None and time.monotonic() > deadline:
            return 0
        ready, _, _ = select.select([status_fd], [], [], 0.25)
        data = os.read(status_fd, 65536) if ready else b""
        if ready and not data:
            return _ended(gateway, stop)
        pending += data
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            _tell(settings, msgspec.json.decode(line), began=began, unsealed=unsealed)


def _ended(gateway: subprocess.Popen[bytes], stop: _Stop) -> int:
    code = gateway.wait()
    if stop.asked:
        return 0
    raise Unavailable(
        f"the gateway ended unexpectedly (exit status {code})",
        code="gateway_ended",
        hint="nothing acknowledged was lost; start `pai serve` again, and see the messages above for the cause",
    )


def _tell(settings: Settings, message: dict[str, Any], *, began: float, unsealed: float) -> None:
    match message["event"]:
        case "ready":
            total = time.monotonic() - began
            models, keys = float(message["model_seconds"]), unsealed - began
            _say(
                f"the server started in {total - models - keys:.1f} s; besides, opening the keys took {keys:.1f} s (slow on "
                f"purpose) and loading the models {models:.1f} s"
            )
            address = f"https://{settings.server.called}:{settings.server.port}"
            print(f"PAI is ready at {address}", flush=True)
            if not settings.server.on_loopback:
                _say("  other machines reach it as " + ", ".join(settings.server.names))
            _say(_next_steps(address, has_command=shutil.which("pai") is not None))
        case "failed":
            raise _error(message)
        case _:
            _say(message.get("message", ""))


def _next_steps(address: str, *, has_command: bool) -> str:
    lines = [
        f"  in a browser       {address}, once it trusts the certificate: pai tls trust",
        "  in a new terminal  pai key create --owner YOUR-EMAIL --name cli --scopes inference,knowledge",
        "  to stop            Ctrl-C",
    ]
    if not has_command:
        folder = Path(sys.executable).parent
        lines.insert(0, f'  the command `pai`  export PATH="{folder}:$PATH"')
    return "\n".join(lines)


def _error(message: dict[str, Any]) -> PaiError:
    return Unavailable(message["message"], code=message["code"], hint=message["hint"])
