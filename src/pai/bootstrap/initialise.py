"""First initialisation. Every step looks whether it is done already, so an interrupted run is simply run again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pai.adapters.models.catalogue import CHOICES, catalogue, starter_model
from pai.adapters.models.files import bring
from pai.adapters.system.home import Home, HomeLock
from pai.bootstrap.fast_form import make_fast_form
from pai.bootstrap.telemetry import child_environment
from pai.bootstrap.unsealing import unseal
from pai.core.keys.ports import KeystoreAdministration
from pai.core.models.events import ModelImported
from pai.core.models.ports import ModelsUnit
from pai.core.models.values import Model, ModelRecord
from pai.core.operations.events import Initialised
from pai.foundation.actor import OPERATOR, Role
from pai.foundation.errors import Invalid, Unauthenticated, Unavailable, Usage
from pai.foundation.redaction import Secret
from pai.foundation.refs import ModelRef, ResourceRef
from pai.settings import Settings


@dataclass(frozen=True, slots=True)
class InitResult:
    """What was made. The codes are shown once; None when they were made and confirmed by an earlier run. ``passphrase`` is
    the one that opened, for serving on at once."""

    recovery_code: str | None
    admin_recovery_code: str | None
    admin: str
    models: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    setup_token: str | None = field(default=None, repr=False)
    passphrase: Secret | None = field(default=None, repr=False)


def run_init(
    settings: Settings, *, admin_email: str, admin_password: Secret | None, passphrases: Iterable[Secret], models: str,
    cache: Path, progress: Callable[[str], None], confirm: Callable[[str, str], str] | None = None, move: bool = False,
) -> InitResult:  # fmt: skip
    """Make (or complete) an installation. Raises PaiError with one clear sentence; what can be checked is checked before the
    root key is made.

    ``passphrases`` are tried in turn where a root key exists already; a new one is made with the first. With ``move`` model
    files leave the cache. Without a password the first administrator chooses one through a one-time link, whose token is returned.
    ``confirm`` is shown a new recovery code and what was wrong the last time, and returns what was typed back, empty for later;
    an unconfirmed code is also kept in a file of the home.
    """
    from pai.adapters.cryptography.certificates import ensure_certificates
    from pai.adapters.cryptography.keystore_process import start_keystore
    from pai.bootstrap.compose import open_base

    home = Home(settings.home)
    done = home.initialised
    _check(settings, home, admin_email, admin_password, models, cache, move=move)
    home.prepare()
    lock = HomeLock(home)
    lock.acquire()
    seconds: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        process = stack.enter_context(start_keystore(home.root, child_environment()))
        began = time.monotonic()
        progress("making the root key (Argon2id; a few seconds on purpose) ...")
        kdf, complete = settings.keys.passphrase_kdf, done.exists()
        try:
            passphrase, code = unseal(lambda one: _keys(process.client, one, kdf, complete=complete), passphrases)
        except Unauthenticated as error:
            if complete:
                raise
            hint = "an earlier set-up was interrupted: give the passphrase of then, or begin anew with `pai init --ask`"
            raise Unauthenticated(error.message, code=error.code, hint=hint) from None
        seconds["keys"] = time.monotonic() - began
        base = open_base(settings, process.client)
        stack.callback(base.storage.close)
        progress("making the local certificate ...")
        ensure_certificates(home.root / "tls", process.client, now=base.clock.now(), extra_names=settings.server.names)
        began = time.monotonic()
        names = _models(base, models, cache, progress, move=move)
        seconds["models"] = time.monotonic() - began
        if models == "starter":
            seconds["fast form"] = make_fast_form(base, progress)
        admin, admin_code, token = asyncio.run(_administrator(settings, base, admin_email, admin_password, progress))
        base.storage.run_sync(functools.partial(_complete, first=not done.exists()))
        shown = code.reveal().decode() if code else None
        if shown and not (confirm and _confirmed(process.client, shown, confirm)):
            _keep_code(home.root / "recovery-code.txt", shown)
        done.touch(mode=0o600)
    return InitResult(
        shown, admin_code, admin, names, {n: round(value, 2) for n, value in seconds.items()}, token, passphrase
    )


def _check(
    settings: Settings, home: Home, email: str, password: Secret | None, models: str, cache: Path, *, move: bool
) -> None:
    """Refuse what would fail later on, before anything is made."""
    from pai.core.identity.accounts import normal_email
    from pai.core.identity.passwords import CONSOLE, check_password

    if models not in CHOICES:
        raise Usage(f"unknown choice of models {models!r}", hint="use one of: " + ", ".join(CHOICES))
    address = normal_email(email)
    if password is not None:
        check_password(password, address, CONSOLE)
    known = catalogue()
    named = [(Path(name) / file.path, file) for name in CHOICES[models] if name in known for file in known[name].files]
    missing = [(path, file) for path, file in named if not (home.models / path).exists()]
    for path, _ in missing:
        if not (cache / path).exists():
            raise Unavailable(
                f"the model file {path} has not been fetched", code="model_missing",
                hint="run `make start`, or choose --models echo",
            )  # fmt: skip
    needed = 0 if move else sum(file.size for _, file in missing) >> 20
    above = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(above).free >> 20
    if needed and free < needed + settings.storage.free_disk_floor_mb:
        raise Unavailable(
            f"{above} has {free} MB free, and {needed} MB are needed", code="disk_full",
            hint="free some space, or set PAI_HOME to a folder on another disk",
        )  # fmt: skip


def _keys(client: object, passphrase: Secret, kdf: str, *, complete: bool) -> Secret | None:
    from pai.adapters.cryptography.keystore_client import KeystoreClient

    assert isinstance(client, KeystoreClient)
    if complete:
        client.open(passphrase)
        return None
    # An earlier run may have been cut off before its recovery code was seen: with the same passphrase a new code is made.
    return client.create(passphrase, kdf)


def _confirmed(client: KeystoreAdministration, code: str, confirm: Callable[[str, str], str]) -> bool:
    wrong = ""
    for _ in range(3):
        typed = confirm(code, wrong)
        if not typed.strip():
            return False
        try:
            client.confirm_recovery(Secret(typed.strip().encode()))
        except (Invalid, Unauthenticated) as error:
            wrong = error.message
        else:
            return True
    return False


def _keep_code(path: Path, code: str) -> None:
    text = (
        f"{code}\n\nThis recovery code opens PAI if the passphrase is lost.\n"
        "Write it down, away from this machine, then delete this file.\n"
    )
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)


async def _administrator(
    settings: Settings, base: object, email: str, password: Secret | None, progress: Callable[[str], None]
) -> tuple[str, str | None, str | None]:
    """Return (address, recovery code of the new account, token of a set-up link), the last two None when not made."""
    from pai.bootstrap.compose import Base, NoEngines, services_for

    assert isinstance(base, Base)
    if there := await base.storage.read(lambda unit: unit.users.list()):
        first = next((user for user in there if user.first_administrator), there[0])
        progress(f"the first administrator is {first.email} since an earlier run; the password is the one chosen then")
        return first.email, None, None
    progress("making the first administrator ...")
    services = services_for(settings, base, None, NoEngines(), lambda: "not serving")
    if password is None:
        return email, None, (await services.setup.link(OPERATOR, email)).reveal().decode()
    added = await services.accounts.add(OPERATOR, email, Role.ADMINISTRATOR, password, first=True)
    return added.user.email, added.recovery_code.reveal().decode(), None


def _models(base: object, choice: str, cache: Path, progress: Callable[[str], None], *, move: bool) -> list[str]:
    from pai.adapters.cryptography.model_signatures import sign_model
    from pai.bootstrap.compose import Base

    assert isinstance(base, Base)
    wanted = _wanted(choice, base.clock.now())
    for model in wanted:
        held = asyncio.run(base.storage.read(functools.partial(_held, name=model.name)))
        progress(f"taking the model {model.name}{_told_size(model.size)} ...")
        for file in model.files:
            target = base.home.models / model.name / file.path
            bring(cache / model.name / file.path, target, file.sha256, move=move)
        if held is not None:
            continue
        signed = dataclasses.replace(model, signature=sign_model(base.keystore, model))
        event = ModelImported(
            resource=ResourceRef("model", model.name),
            model=ModelRef(model.name, model.sha256),
            licence=model.record.licence,
        )
        base.storage.run_sync(functools.partial(_register, model=signed, event=event))
    return [model.name for model in wanted]


def _told_size(size: int) -> str:
    return f" ({size >> 20} MB: each byte is checked)" if size else ""


def _complete(unit: ModelsUnit, *, first: bool) -> None:
    if first:
        unit.audit.record(OPERATOR, Initialised(resource=ResourceRef("installation", "pai")))
    unit.audit.checkpoint()


def _held(unit: ModelsUnit, name: str) -> Model | None:
    return unit.models.get(name)


def _register(unit: ModelsUnit, model: Model, event: ModelImported) -> None:
    unit.models.add(model)
    unit.audit.record(OPERATOR, event)


def _wanted(choice: str, now: object) -> list[Model]:
    from datetime import datetime

    assert isinstance(now, datetime)
    if choice == "echo":
        record = ModelRecord(
            "built into PAI",
            "Apache-2.0",
            "none: it has no weights",
            "It understands nothing: it repeats the question, for tests only",
        )
        names = (("echo", "chat", "default"), ("echo-embedding", "embedding", "default-embedding"))
        return [
            Model(name, task, "echo", "built-in", (), 8192, 384, record, b"", now, aliases=(alias,))
            for name, task, alias in names
        ]
    return [model for name in CHOICES[choice] if (model := starter_model(name, now)) is not None]
