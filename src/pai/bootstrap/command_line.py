"""What the command line needs of other rooms, as factories that import only when called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pai.core.models.values import Candidate, Machine
from pai.entrypoints.cli.context import Context
from pai.foundation.redaction import Secret
from pai.settings import Settings, load, read_secret_file


def context() -> Context:
    """Return the context of this process. Nothing heavy is imported yet."""
    return Context(
        load=lambda flags: load(os.environ, flags), secret_file=read_secret_file, initialise=_initialise, serve=_serve,
        console_in_process=_console, cache=_cache(), stage=_stage, begin_anew=_begin_anew, port=_port,
        machine=_machine, candidates=_candidates, staged_model=_staged_model, staged_starter=_staged_starter,
        console_session=_session, backups=_backups,
        verifier=_verifier, witness=_witness, new_witness=_new_witness,
    )  # fmt: skip


def _cache() -> Path:
    return Path(__file__).resolve().parents[3] / ".cache" / "models"


def _initialise(settings: Settings, **options: Any) -> Any:
    from pai.bootstrap.initialise import run_init

    return run_init(settings, **options)


def _stage(settings: Settings) -> str:
    from pai.adapters.system.home import Home, HomeLock

    home = Home(settings.home)
    if home.control_socket.parent.exists():
        lock = HomeLock(home)  # nobody is asked anything for a home that another process uses
        lock.acquire()
        lock.release()
    if home.initialised.exists():
        return "complete"
    return "begun" if home.begun() else "new"


def _begin_anew(settings: Settings) -> None:
    from pai.adapters.system.home import Home, HomeLock

    home = Home(settings.home)
    lock = HomeLock(home)
    lock.acquire()
    try:
        home.begin_anew()
    finally:
        lock.release()


def _port(settings: Settings) -> int:
    from pai.adapters.system.home import Home

    return Home(settings.home).running_port() or settings.server.port


def _machine(settings: Settings) -> Machine:
    from pai.bootstrap.advice import machine_of

    return machine_of(settings, _cache())


def _candidates(settings: Settings) -> tuple[Candidate, ...]:
    from pai.bootstrap.advice import candidates_of

    return candidates_of(settings, _cache())


def _staged_model(settings: Settings, folder: Path, task: str) -> Any:
    from pai.bootstrap.staging import staged_model

    return staged_model(settings, folder, task)


def _staged_starter(settings: Settings, name: str, cache: Path | None) -> Any:
    from pai.bootstrap.staging import staged_starter

    return staged_starter(settings, name, cache)


def _verifier() -> str:
    from importlib import resources

    return (resources.files("pai.adapters.cryptography") / "outside_verifier.py").read_text("utf-8")


def _witness(folder: Path) -> Any:
    from pai.bootstrap.witness import opened

    return opened(folder)


def _new_witness(folder: Path, name: str, log_key: str) -> None:
    from pai.bootstrap.witness import made

    made(folder, name, log_key)


def _serve(settings: Settings, passphrases: Iterable[Secret]) -> int:
    from pai.bootstrap.serve import run_serve

    return run_serve(settings, passphrases)


def _backups() -> Any:
    from pai.bootstrap import backups

    return backups


def _console(settings: Settings, passphrases: Iterable[Secret], command: str, arguments: dict[str, Any]) -> Any:
    with _session(settings, passphrases) as run:
        return run(command, arguments)


@contextmanager
def _session(settings: Settings, passphrases: Iterable[Secret]) -> Iterator[Callable[[str, dict[str, Any]], Any]]:
    import asyncio

    from pai.adapters.cryptography.keystore_process import start_keystore
    from pai.adapters.system.home import Home, HomeLock
    from pai.bootstrap.compose import NoEngines, open_base, services_for
    from pai.bootstrap.telemetry import child_environment
    from pai.bootstrap.unsealing import unseal
    from pai.entrypoints.console.app import dispatch
    from pai.entrypoints.console.commands import NOT_SERVING

    home = Home(settings.home)
    home.require()
    home.prepare()
    lock = HomeLock(home)
    lock.acquire()
    try:
        with start_keystore(home.root, child_environment()) as process:
            unseal(process.open, passphrases)
            base = open_base(settings, process.client)
            try:
                services = services_for(settings, base, None, NoEngines(), lambda: NOT_SERVING)
                yield lambda command, arguments: asyncio.run(dispatch(services, command, arguments))
            finally:
                base.storage.close()
    finally:
        lock.release()
