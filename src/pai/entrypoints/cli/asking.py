"""Questions at the terminal: each answer is checked when it is given, and asked for again up to three times."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import click

from pai.core.identity.accounts import normal_email
from pai.core.identity.passwords import CONSOLE, check_password
from pai.core.keys.values import MIN_PASSPHRASE, check_passphrase
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import note
from pai.foundation.errors import Invalid, Usage
from pai.foundation.redaction import Secret
from pai.settings import Settings

TRIES: Final = 3
_Answer = TypeVar("_Answer")
_VARIABLES = {"password": "PAI_ADMIN_PASSWORD_FILE", "passphrase": "PAI_PASSPHRASE_FILE"}
PASSWORD_IS = f"""
Password: your own log-in; it also opens your documents and conversations. At least {CONSOLE} characters, best a few unrelated words."""
PASSPHRASE_IS = f"""
Passphrase: opens the whole installation; it is needed at every start. At least {MIN_PASSPHRASE} characters, best several random words."""


def passphrases(context: Context, settings: Settings, file: str | None = None, *, why: str = "") -> Iterator[Secret]:
    """Yield the root passphrase from a file, or what is typed at the terminal: up to three times, as long as more is asked for.

    Raises Usage when there is neither. ``why`` says what the passphrase is needed for just now.
    """
    path = Path(file) if file else settings.passphrase_file
    if path is not None:
        yield context.secret_file(path, "passphrase")
        return
    if not sys.stdin.isatty():
        raise Usage(
            "the passphrase is needed", code="no_passphrase", hint="set PAI_PASSPHRASE_FILE to a file with mode 0600"
        )
    if why:
        note(f"{why}.")
    for turn in range(TRIES):
        if turn:
            note(f"That is not the passphrase of this installation. Once more ({turn + 1} of {TRIES}):")
        yield Secret(getpass.getpass("Passphrase: ").encode())


def nothing() -> Iterator[Secret]:
    """Stand for a passphrase that nobody is asked for: raises Usage as ``passphrases`` does when there is none."""
    yield from ()
    raise Usage("the passphrase is needed", code="no_passphrase", hint="open PAI with `pai keys unseal`")


def email() -> str:
    """Ask for an e-mail address. Raises Invalid after the third that is none."""
    return _until_good(lambda: normal_email(click.prompt("E-mail address of the first administrator", err=True)))


def password(address: str) -> Secret:
    """Ask twice for a new password of an account. Raises Usage without a terminal, Invalid after the third bad answer."""
    return _new_secret("password", PASSWORD_IS, lambda typed: check_password(typed, address, CONSOLE))


def passphrase(password: Secret | None) -> Secret:
    """Ask twice for a new root passphrase, other than the administrator's password. Raises Usage without a terminal, Invalid after
    the third bad answer."""

    def check(typed: Secret) -> None:
        check_passphrase(typed)
        if same(typed, password):
            raise Invalid(
                "that is your password; the passphrase has to be another text", code="weak_passphrase",
                hint="who learns one of them must not have both",
            )  # fmt: skip

    return _new_secret("passphrase", PASSPHRASE_IS, check)


def same(passphrase: Secret, password: Secret | None) -> bool:
    """Return whether a passphrase is the password too; both were given here just now, so time tells nobody anything."""
    return password is not None and passphrase.reveal() == password.reveal()


def warned(offered: Iterable[Secret], password: Secret | None) -> Iterator[Secret]:
    """Yield passphrases from a file, or for a root key that is there already, with a warning where one is the password too."""
    for one in offered:
        if same(one, password):
            note("warning: passphrase and password are the same text; who learns one of them can open everything")
        yield one


def _new_secret(what: str, meaning: str, check: Callable[[Secret], None]) -> Secret:
    if not sys.stdin.isatty():
        raise Usage(
            f"the {what} is needed", hint=f"give --{what}-file, or set {_VARIABLES[what]} to a file with mode 0600"
        )
    note(meaning)

    def ask() -> Secret:
        first = Secret(getpass.getpass(f"New {what}: ").encode())
        check(first)
        if first.reveal() != getpass.getpass(f"The same {what} again: ").encode():
            raise Invalid(f"the two entries of the {what} differ", code="entries_differ", hint="type it twice alike")
        return first

    return _until_good(ask)


def _until_good(ask: Callable[[], _Answer]) -> _Answer:
    for turn in range(1, TRIES):
        try:
            return ask()
        except Invalid as error:
            hint = f" ({error.hint})" if error.hint else ""
            note(f"{error.message[:1].upper()}{error.message[1:]}{hint}. Once more ({turn + 1} of {TRIES}):")
    return ask()
