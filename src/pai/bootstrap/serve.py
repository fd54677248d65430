"""The supervisor: binds, unseals, starts the keystore, the gateway and workers as siblings, and ends them in order.

It listens on nothing itself, keeps no key, and takes no Landlock domain (a domain is inherited and cannot be undone).
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
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
from pai.entrypoints.cli.asking import nothing
from pai.foundation.errors import PaiError, Unavailable, Usage
from pai.foundation.redaction import Secret
from pai.settings import Settings

if TYPE_CHECKING:
    from pai.adapters.workers.supervisor import Supervisor

DRAIN_SECONDS = 10.0
PORT_PATIENCE = 3.0
TOGETHER_SECONDS = 0.5
LOST_SECONDS = 3.0
"""How long a gateway whose keystore was lost may take to end."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the gateway is told, over an anonymous descriptor: never in arguments or the environment."""

    settings: Settings
    keystore_fd: int
    launcher_fd: int
    listener_fd: int
    control_fd: int
    status_fd: int
    supervisor: int


def run_serve(settings: Settings, passphrases: Iterable[Secret]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code. Raises PaiError with one clear sentence when it cannot start.

    ``passphrases`` is asked only once the home and the port are ours.
    """
    began = time.monotonic()
    settings = _named(settings)
    home = Home(settings.home)
    home.require()
    home.prepare()
    lock = HomeLock(home)
    lock.acquire()
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        listener = stack.enter_context(bind_tcp(settings.server.host, settings.server.port, patience=PORT_PATIENCE))
        control = stack.enter_context(bind_unix(home.control_socket))
        stack.callback(home.control_socket.unlink, missing_ok=True)
        _write_port(home.port_file, settings.server.port)
        stack.callback(home.port_file.unlink, missing_ok=True)
        stop = _Stop(listener, control)
        asked = _Asked(passphrases)
        while True:
            with contextlib.ExitStack() as round_:
                keystore, process = _start_keystore(home, asked, round_)
                began += asked.seconds  # what somebody took to type is no time of ours
                unsealed = time.monotonic()
                supervisor, launcher = _start_supervisor(home, round_)
                supervisor.companions["keystore"] = process.pid
                code = _run_gateway(
                    settings, (keystore, launcher), supervisor, stop, process, began=began, unsealed=unsealed
                )
            if code is not None or stop.asked:
                break
            # Sealed again, until somebody opens it: a passphrase that was given once is not used to hide that keys were lost.
            _say("the keystore ended: PAI is sealed, and starts its processes anew")
            asked = _Asked(nothing())
            began = time.monotonic()
    _say("PAI has stopped.")
    return code or 0


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
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    from pai.adapters.cryptography.keystore_process import start_keystore

    process = start_keystore(home.root, child_environment())
    stack.callback(process.stop)
    try:
        unseal(process.open, passphrases)
    except Usage as error:
        if error.code != "no_passphrase":
            raise
        return process.release_socket(), process.process
    if not process.client.status().recovery_confirmed:
        _say("the recovery code is not confirmed: write it down, then run `pai keys confirm-recovery`")
    _say("starting the server and loading the models ...")
    return process.release_socket(), process.process


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
    handed: tuple[socket.socket, socket.socket],
    supervisor: Supervisor,
    stop: _Stop,
    keystore_process: subprocess.Popen[bytes],
    *,
    began: float,
    unsealed: float,
) -> int | None:
    """Return the exit code, or None when the keystore ended and nobody asked for a stop."""
    keystore, launcher = handed
    listener, control = stop.listeners
    if stop.asked:
        return 0
    status_read, status_write = os.pipe()
    start = Start(
        settings, keystore.fileno(), launcher.fileno(), listener.fileno(), control.fileno(), status_write, os.getpid()
    )
    told = _memory_file(msgspec.json.encode(start, enc_hook=str))
    passed = [keystore.fileno(), launcher.fileno(), listener.fileno(), control.fileno(), status_write, told]
    gateway = start_python("pai.bootstrap.gateway", [str(told)], environment=child_environment(), pass_fds=passed)
    supervisor.companions["gateway"] = gateway.pid
    os.close(told)
    os.close(status_write)
    for one in handed:
        one.close()
    stop.guard(gateway)
    try:
        return _watch(settings, gateway, status_read, stop, keystore_process, began=began, unsealed=unsealed)
    finally:
        os.close(status_read)
        stop.finish()


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("pai-start", os.MFD_CLOEXEC)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class _Stop:
    """Forwards the first SIGTERM or SIGINT to the gateway, which drains; later ones change nothing. Holds the listeners, so that a new
    gateway can take them when the keystore was lost."""

    def __init__(self, *listeners: socket.socket) -> None:
        self.asked = False
        self.listeners = listeners
        self._gateway: subprocess.Popen[bytes] | None = None

    def guard(self, gateway: subprocess.Popen[bytes]) -> None:
        """Pass signals on to this gateway from now on. Until the first one, signals do what they do by themselves."""
        self._gateway = gateway
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self.asked:
            gateway.terminate()

    def _on_signal(self, _number: int, _frame: Any) -> None:
        if not self.asked:
            self.asked = True
            # Not print: a signal may come in the middle of one, and its buffer cannot be entered twice.
            line = b"PAI is stopping ...\n"
            os.write(sys.stderr.fileno(), b"\n" + line if sys.stderr.isatty() else line)  # after the ^C of a terminal
            # Whatever stays open here stays open when the gateway closes it: clients would connect to a server that drains.
            for one in self.listeners:
                one.close()
            if self._gateway is not None:
                self._gateway.terminate()

    def finish(self) -> None:
        """End the gateway, with force when it does not drain in time: without its keys there is little to drain."""
        if self._gateway is not None and self._gateway.poll() is None:
            self._gateway.terminate()
            try:
                self._gateway.wait(DRAIN_SECONDS + 2 if self.asked else LOST_SECONDS)
            except subprocess.TimeoutExpired:
                self._gateway.kill()
                self._gateway.wait()


def _watch(
    settings: Settings,
    gateway: subprocess.Popen[bytes],
    status_fd: int,
    stop: _Stop,
    keystore: subprocess.Popen[bytes],
    *,
    began: float,
    unsealed: float,
) -> int | None:
    pending = b""
    deadline: float | None = None
    while True:
        if stop.asked and deadline is None:
            deadline = time.monotonic() + DRAIN_SECONDS + 2
        if deadline is not None and time.monotonic() > deadline:
            return 0
        if keystore.poll() is not None and not stop.asked and not _ends(gateway):
            return None
        ready, _, _ = select.select([status_fd], [], [], 0.25)
        data = os.read(status_fd, 65536) if ready else b""
        if ready and not data:
            return _ended(gateway, stop)
        pending += data
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            message = msgspec.json.decode(line)
            if message["event"] == "unsealed":
                began = unsealed = time.monotonic()
            _tell(settings, message, began=began, unsealed=unsealed)


def _ends(gateway: subprocess.Popen[bytes]) -> bool:
    """Return whether the gateway ends as well: then it was the cause, for the keystore goes when its socket closes."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        gateway.wait(TOGETHER_SECONDS)
    return gateway.poll() is not None


def _ended(gateway: subprocess.Popen[bytes], stop: _Stop) -> int:
    code = gateway.wait()
    if stop.asked:
        return 0
    raise Unavailable(
        f"the gateway ended unexpectedly (exit status {code})",
        code="gateway_ended",
        hint="nothing acknowledged was lost; run `make start` or `pai serve` again, and see the messages above for the cause",
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
            _say(_next_steps(address, settings.home, has_command=shutil.which("pai") is not None))
        case "sealed":
            _say(
                f"PAI is sealed at https://localhost:{settings.server.port} and answers nothing; open it with `pai keys unseal`"
            )
        case "unsealed":
            _say("opened; starting the server and loading the models ...")
        case "failed":
            raise _error(message)
        case _:
            _say(message.get("message", ""))


def _next_steps(address: str, home: Path, *, has_command: bool) -> str:
    lines = [
        f"  in a browser       {address}, once it trusts the certificate: pai tls trust",
        "  in a new terminal  pai key create --owner YOUR-EMAIL --name cli --scopes inference,knowledge",
        "  to stop            Ctrl-C",
    ]
    if not has_command:
        folder = Path(sys.executable).parent
        lines.insert(0, f'  the command `pai`  export PATH="{folder}:$PATH"')
    if home != Path("~/.local/share/pai").expanduser():
        lines.insert(0, f"  in a new terminal  export PAI_HOME={shlex.quote(str(home))}")
    return "\n".join(lines)


def _error(message: dict[str, Any]) -> PaiError:
    return Unavailable(message["message"], code=message["code"], hint=message["hint"])
