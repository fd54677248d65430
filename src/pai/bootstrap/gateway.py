"""The gateway process: walls, then storage, use cases and HTTP on listeners that were bound before."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pai.foundation.errors import PaiError

if TYPE_CHECKING:
    from pai.adapters.engines.registry import EngineRegistry
    from pai.bootstrap.compose import Base
    from pai.entrypoints.http.services import Services

DRAIN_SECONDS = 9
CLOSE_SECONDS = 1
CHECKPOINT_SECONDS = 300
SWEEP_SECONDS = 20
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def main() -> int:
    """Run the gateway; its start is told through the descriptor named in the one argument."""
    from pai.bootstrap.serve import Start

    gc.disable()  # what is imported and composed stays: looking through it for garbage makes a start a tenth longer
    with os.fdopen(int(sys.argv[1]), "rb") as told:
        start = msgspec.json.decode(told.read(), type=Start, dec_hook=lambda kind, value: kind(value))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    from pai.adapters.cryptography.process_guard import end_with_parent
    from pai.adapters.system.sandbox import apply, gateway_profile

    end_with_parent()
    report = apply(gateway_profile(start.settings.home))
    tell = _Teller(start.status_fd)
    try:
        asyncio.run(_serve(start, tell, report.lines(), tuple(x.name for x in report.layers if not x.holds)))
    except PaiError as error:
        tell({"event": "failed", "code": error.code, "message": error.message, "hint": error.hint})
        return 1
    return 0


class _Teller:
    """Writes lines to the supervisor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self, message: dict[str, Any]) -> None:
        os.write(self._fd, msgspec.json.encode(message) + b"\n")


async def _serve(start: Any, tell: _Teller, protections: tuple[str, ...], missing: tuple[str, ...]) -> None:
    from pai.adapters.cryptography.certificates import ensure_certificates
    from pai.adapters.cryptography.keystore_client import KeystoreClient
    from pai.adapters.workers.launcher import Launcher
    from pai.bootstrap.application import application
    from pai.bootstrap.compose import engines_for, open_base, services_for
    from pai.core.operations.events import Started
    from pai.entrypoints.console.app import console_app
    from pai.foundation.actor import SYSTEM

    settings = start.settings
    keystore = KeystoreClient(socket.socket(fileno=start.keystore_fd))
    base = await asyncio.to_thread(open_base, settings, keystore)
    tls = await asyncio.to_thread(
        lambda: ensure_certificates(
            settings.home / "tls", keystore, now=base.clock.now(), extra_names=settings.server.names
        )
    )
    launcher = Launcher(socket.socket(fileno=start.launcher_fd))
    engines = engines_for(settings, base, launcher)
    state = {"reason": "starting"}
    services = services_for(settings, base, launcher, engines, lambda: "sealed" if keystore.gone() else state["reason"])
    await asyncio.to_thread(_tidy, base)
    await base.storage.run(
        lambda unit: (
            unit.users.end_sessions(base.clock.now()),
            unit.audit.record(SYSTEM, Started(protections=protections, missing=missing)),
        )
    )
    context = _tls_context(tls.certificate, tls.key, tls.password.reveal().decode())
    servers = [
        _server(application(services), context),
        _server(console_app(services), None, http=_owner_only()),
    ]
    gc.freeze()  # and no later look goes through it again
    gc.enable()
    sockets = [socket.socket(fileno=start.listener_fd), socket.socket(fileno=start.control_fd)]
    tasks = [asyncio.create_task(s.serve(sockets=[k])) for s, k in zip(servers, sockets, strict=True)]
    rounds = _rounds(settings, base, services, engines)

    def drain() -> None:
        for server in servers:
            server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, drain)
    try:
        began = time.monotonic()
        models = await base.storage.read(lambda unit: unit.models.list())
        for alias in ("default", "default-embedding"):
            if any(alias in model.aliases for model in models):
                await engines.get(alias)
        state["reason"] = ""
        tell({"event": "ready", "model_seconds": time.monotonic() - began})
        await asyncio.gather(*tasks)
    finally:
        for server in servers:
            server.should_exit = True
        for task in rounds:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, *rounds, return_exceptions=True)
        # Answers that the drain cut short still have their end to write down.
        if cut := [task for server in servers for task in server.server_state.tasks]:
            await asyncio.wait(cut, timeout=CLOSE_SECONDS)
        await _record_stop(base)
        await asyncio.to_thread(base.storage.close)


def _rounds(settings: Any, base: Base, services: Services, engines: EngineRegistry) -> list[asyncio.Task[None]]:
    """Begin what goes on beside requests."""
    return [
        asyncio.create_task(_lasting(services.ingest.run_forever)),
        asyncio.create_task(_lasting(services.batch_work.run_forever)),
        asyncio.create_task(_every(CHECKPOINT_SECONDS, lambda: base.storage.run(lambda unit: unit.audit.checkpoint()))),
        asyncio.create_task(_every(SWEEP_SECONDS, services.sessions.sweep)),
        asyncio.create_task(
            _every(SWEEP_SECONDS, lambda: engines.unload_idle(settings.models.idle_minutes * 60 or math.inf))
        ),
    ]


async def _record_stop(base: Base) -> None:
    from pai.core.operations.events import Stopped
    from pai.foundation.actor import SYSTEM

    try:
        await base.storage.run(lambda unit: (unit.audit.record(SYSTEM, Stopped()), unit.audit.checkpoint()))
    except PaiError as error:
        # Sealed, or no room: the log cannot tell of this stop, so the terminal does.
        print(f"the stop is not in the audit log: {error.message} ({error.hint})", file=sys.stderr, flush=True)


def _tidy(base: Base) -> None:
    """Remove what a crash left: folders of collections that are deleted, halves of uploads."""
    from pai.adapters.cryptography.originals import SealedOriginals

    base.storage.remove_leftovers()
    for folder in ("collections", "files"):
        SealedOriginals(base.home.root, folder).sweep_all()


async def _lasting(work: Callable[[], Awaitable[None]]) -> None:
    from pai.entrypoints.http.surprises import log_surprise

    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  an error nobody foresaw must not end all ingestion without a word
            log_surprise(error)
            await asyncio.sleep(1)


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except PaiError as error:
            # A round that fails must not end the rounds: the next one may succeed, and whoever looks is told.
            print(f"{error.message}; {error.hint}", file=sys.stderr, flush=True)


def _tls_context(certificate: Path, key: Path, password: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_cert_chain(certificate, key, password)
    return context


def _owner_only() -> Any:
    """Return a protocol that hangs up on peers of another user, whatever the socket's mode has become."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class OwnerOnly(H11Protocol):
        """HTTP/1.1 for processes of the home's owner."""

        def connection_made(self, transport: Any) -> None:
            """Ask the kernel who connected (SO_PEERCRED)."""
            peer = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if int.from_bytes(peer[4:8], sys.byteorder) != os.getuid():
                transport.abort()
                return
            super().connection_made(transport)

    return OwnerOnly


def _server(app: Any, context: ssl.SSLContext | None, http: Any = "h11") -> Any:
    import uvicorn

    class Quiet(uvicorn.Server):
        """Signals belong to the gateway, not to one of its servers."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave signals alone."""
            yield

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", ws="none", server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS, limit_concurrency=512, timeout_keep_alive=30, http=http, loop="asyncio",
    )  # fmt: skip
    config.load()
    config.ssl = context
    return Quiet(config)


if __name__ == "__main__":
    sys.exit(main())
