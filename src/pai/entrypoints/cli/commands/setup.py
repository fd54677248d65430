"""The first command: a new installation, from files or by questions at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pai.entrypoints.cli import asking
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import START, note
from pai.entrypoints.cli.recovery import ask_back
from pai.foundation.errors import Usage
from pai.foundation.redaction import Secret
from pai.settings import Settings


@click.command()
@click.option("--admin", help="E-mail address of the first administrator (PAI_ADMIN_EMAIL).")
@click.option("--password-file", help="File with the administrator's password, mode 0600 (PAI_ADMIN_PASSWORD_FILE).")
@click.option("--passphrase-file", help="File with the root passphrase, mode 0600 (PAI_PASSPHRASE_FILE).")
@click.option("--profile", type=click.Choice(["laptop", "server", "airgap"]), help="Where this installation stands.")
@click.option("--models", help="starter, small, echo or none (PAI_MODELS).")
@click.option("--ask", is_flag=True, help="Ask at the terminal for the administrator's password too.")
@click.option("--serve", is_flag=True, help="Serve when it is done, without asking for the passphrase again.")
@click.option("--move-models", is_flag=True, help="Move fetched model files into the home; without it they are copied.")
@as_json
@click.pass_obj
def init(
    context: Context, admin: str | None, password_file: str | None, passphrase_file: str | None, profile: str | None,
    models: str | None, ask: bool, serve: bool, move_models: bool, json_: bool,
) -> int:  # fmt: skip
    """Make a new installation in PAI_HOME. Interrupted, it can be run again.

    Without a password file it prints a link, good once and for 30 minutes, where the first administrator chooses a password.

    Example: pai init --admin me@example.org --password-file pw --passphrase-file pp --models starter
    """
    if serve and context.json:
        raise Usage("--serve and --json do not go together", hint="run `pai serve` afterwards")
    context.flags["profile"] = profile
    settings = context.settings()
    stage = _stage(context, settings)
    email = admin or settings.admin_email
    if not email and sys.stdin.isatty():
        email = asking.email()
    if not email:
        raise Usage("the address of the first administrator is needed", hint="give --admin or set PAI_ADMIN_EMAIL")
    password_path = Path(password_file) if password_file else settings.admin_password_file
    password = context.secret_file(password_path, "password") if password_path else None
    if password is None and ask:
        password = asking.password(email)
    made = context.initialise(
        settings, admin_email=email, admin_password=password,
        passphrases=_passphrases(context, settings, passphrase_file, stage, password), cache=context.cache, move=move_models,
        models=models or settings.models_choice or "starter", progress=note,
        confirm=ask_back if ask and sys.stdin.isatty() else None,
    )  # fmt: skip
    _show(context, settings, made, serving=serve, seen=ask and sys.stdin.isatty())
    return context.serve(settings, [made.passphrase]) if serve else 0


def _stage(context: Context, settings: Settings) -> str:
    stage = context.stage(settings)
    if stage == "begun" and sys.stdin.isatty():
        note(
            f"An earlier set-up in {settings.home} was interrupted after its root key was made. Nothing is kept in it yet."
        )
        note("You can go on with it, with the passphrase that you chose then, or begin anew, which removes its keys.")
        if (
            click.prompt("Type anew to begin anew, or press Enter to go on", default="", show_default=False, err=True)
            == "anew"
        ):
            context.begin_anew(settings)
            return "new"
    return stage


def _passphrases(
    context: Context, settings: Settings, file: str | None, stage: str, password: Secret | None
) -> Iterable[Secret]:
    if stage == "new" and not file and settings.passphrase_file is None:
        return [asking.passphrase(password)]
    why = "" if stage == "new" else "\nThe root key is there already: give its passphrase, the one that you chose then"
    return asking.warned(asking.passphrases(context, settings, file, why=why), password)


def _show(context: Context, settings: Settings, made: Any, *, serving: bool, seen: bool) -> None:
    value = {
        "home": str(settings.home), "admin": made.admin, "models": made.models, "recovery_code": made.recovery_code,
        "admin_recovery_code": made.admin_recovery_code, "seconds": made.seconds, "setup_url": None,
    }  # fmt: skip
    text = f"PAI is initialised in {settings.home}." + ("" if serving else f" Next: {START}")
    if made.setup_token:
        value["setup_url"] = f"https://localhost:{settings.server.port}/setup#{made.setup_token}"
        text += (
            f"\nThen choose a password for {made.admin} (this link works once, for 30 minutes): {value['setup_url']}"
        )
    kept = settings.home / "recovery-code.txt"
    if made.recovery_code and not kept.exists():
        text += "\nThe recovery code is confirmed; keep your copy away from this machine."
    elif made.recovery_code and seen:
        text += (
            f"\nThe recovery code lies in {kept} until you confirm that you wrote it down: pai keys confirm-recovery"
        )
    elif made.recovery_code:
        text += f"\nRecovery code, for a lost passphrase (not for log-in); write it down, away from this machine: {made.recovery_code}"
        text += f"\nIt also lies in {kept} until you confirm it: pai keys confirm-recovery"
    show(context, value, text)
