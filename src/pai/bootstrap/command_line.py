"""What the command line needs of other rooms, as factories that import only when called."""

from __future__ import annotations

import asyncio
import os
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
        console_in_process=_console,
        machine=_machine, candidates=_candidates, cache=_cache(),
    )  # fmt: skip


def _cache() -> Path:
    return Path(__file__).resolve().parents[3] / ".cache" / "models"


def _initialise(settings: Settings, **options: Any) -> Any:
    from pai.bootstrap.initialise import run_init

    return run_init(settings, **options)


def _machine(settings: Settings) -> Machine:
    from pai.bootstrap.advice import machine_of

    return machine_of(settings, _cache())


def _candidates(settings: Settings) -> tuple[Candidate, ...]:
    from pai.bootstrap.advice import candidates_of

    return candidates_of(settings, _cache())


def _serve(settings: Settings, passphrase: Secret) -> int:
    from pai.bootstrap.serve import run_serve

    return run_serve(settings, passphrase)


def _console(settings: Settings, passphrase: Secret, command: str, arguments: dict[str, Any]) -> Any:
    from pai.adapters.cryptography.keystore_process import start_keystore
    from pai.adapters.system.home import Home, HomeLock
    from pai.bootstrap.compose import NoEngines, open_base, services_for
    from pai.bootstrap.telemetry import child_environment
    from pai.entrypoints.console.app import dispatch
    from pai.foundation.errors import Usage

    home = Home(settings.home)
    if not (home.root / "initialised").exists():
        raise Usage("this home is not initialised", code="not_initialised", hint="run `make start` or `pai init` first")
    home.prepare()
    lock = HomeLock(home)
    lock.acquire()
    try:
        with start_keystore(home.root, child_environment()) as process:
            process.open(passphrase)
            base = open_base(settings, process.client)
            try:
                services = services_for(settings, base, None, NoEngines(), lambda: "not serving")
                return asyncio.run(dispatch(services, command, arguments))
            finally:
                base.storage.close()
    finally:
        lock.release()
