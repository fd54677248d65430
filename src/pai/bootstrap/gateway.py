"""The gateway process: walls, then storage, use cases and HTTP on listeners that were bound before."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from pai.foundation.errors import PaiError

if TYPE_CHECKING:
    from pai.adapters.engines.registry import EngineRegistry
    from pai.bootstrap.compose import Base
    from pai.entrypoints.http.services import Services

CHECKPOINT_SECONDS = 300
SWEEP_SECONDS = 20


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

    # Killed before that was asked for, the supervisor leaves nobody who could end this process.
    if not end_with_parent() or os.getppid() != start.supervisor:
        return 1
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
    from pai.bootstrap.doors import Doors
    from pai.core.operations.events import Started
    from pai.entrypoints.console.app import console_app
    from pai.foundation.actor import OPERATOR, SYSTEM

    settings = start.settings
    keystore = KeystoreClient(socket.socket(fileno=start.keystore_fd))
    doors = Doors(settings, start.listener_fd, start.control_fd)
    unsealed = None if keystore.status().opened else await doors.stay_sealed(keystore, tell)
    if doors.stopped():
        return
    base = await asyncio.to_thread(open_base, settings, keystore)
    await _check_reach(settings, base)
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
            unsealed and unit.audit.record(OPERATOR, unsealed),
        )
    )
    gc.freeze()  # and no later look goes through it again
    gc.enable()
    doors.open(tls, application(services), console_app(services))
    rounds = _rounds(settings, base, services, engines)
    try:
        began = time.monotonic()
        models = await base.storage.read(lambda unit: unit.models.list())
        for alias in ("default", "default-embedding"):
            if named := [model for model in models if alias in model.aliases]:
                size = f" ({named[0].size >> 20} MB)" if named[0].size else ""
                tell({"event": "loading", "message": f"  {named[0].name}{size} ..."})
                await engines.get(alias)
        state["reason"] = ""
        tell({"event": "ready", "model_seconds": time.monotonic() - began})
        await doors.closed()
    finally:
        for task in rounds:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*rounds, return_exceptions=True)
        await doors.close()
        await _record_stop(base)
        await asyncio.to_thread(base.storage.close)


async def _check_reach(settings: Any, base: Base) -> None:
    """Refuse to be reached from other machines while an account that can let people in is guarded by a password alone.

    Raises Conflict before anything is answered.
    """
    from pai.core.identity.requirement import administrators_without
    from pai.foundation.errors import Conflict

    if settings.server.on_loopback:
        return
    without, anybody = await base.storage.read(lambda unit: (administrators_without(unit), bool(unit.users.list())))
    if anybody and not without:
        return
    who = ", ".join(without) + " without" if anybody else "nobody is there yet"
    raise Conflict(
        f"PAI listens on {settings.server.host} only once every administrator has a second factor ({who})",
        code="not_loopback",
        hint="serve on 127.0.0.1, log in there and set it up on the account page; or disable the account",
    )


def _rounds(settings: Any, base: Base, services: Services, engines: EngineRegistry) -> list[asyncio.Task[None]]:
    """Begin what goes on beside requests."""
    return [
        asyncio.create_task(_lasting(services.ingest.run_forever)),
        asyncio.create_task(_lasting(services.batch_work.run_forever)),
        asyncio.create_task(_every(CHECKPOINT_SECONDS, lambda: base.storage.run(lambda unit: unit.audit.checkpoint()))),
        asyncio.create_task(_every(SWEEP_SECONDS, lambda: _sweep(services))),
        asyncio.create_task(
            _every(SWEEP_SECONDS, lambda: engines.unload_idle(settings.models.idle_minutes * 60 or math.inf))
        ),
    ]


async def _sweep(services: Services) -> None:
    """Close the content keys that nobody uses any more, also while nobody asks for anything. What cannot fail goes first."""
    services.login.sweep()
    services.keys.sweep()
    await services.sessions.sweep()
    await services.keys.expire()
    await services.approvals.expire()


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
    from pai.adapters.storage.snapshot import HomeMoments

    base.storage.remove_leftovers()
    HomeMoments(base.storage, 0).sweep()
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


if __name__ == "__main__":
    sys.exit(main())
