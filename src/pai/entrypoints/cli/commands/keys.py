"""Commands on the root key of the installation and the keys under it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pai.entrypoints.cli import asking
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import ask_server, call
from pai.entrypoints.cli.context import Context
from pai.foundation.errors import Conflict, PaiError, Usage
from pai.foundation.redaction import Secret
from pai.settings import Settings


@click.group()
def keys() -> None:
    """The one root key of the installation, which the passphrase opens. API keys: see `pai key`. Example: pai keys status"""


@keys.command("status")
@as_json
@click.pass_obj
def keys_status(context: Context, json_: bool) -> None:
    """Tell how the root key is protected, and whether its recovery code was written down."""
    value = call(context, "keys.status")
    lines = [
        f"passphrase: Argon2id, profile {value['kdf']}",
        "recovery code: "
        + ("confirmed" if value["recovery_confirmed"] else "NOT CONFIRMED (pai keys confirm-recovery)"),
        *(
            f"key {name}: version {len(states)}{' (older ones decrypt only)' * (len(states) > 1)}"
            for name, states in value["keys"].items()
        ),
        *value["protections"],
    ]
    show(context, value, "\n".join(lines))


@keys.command("unseal")
@click.option("--passphrase-file", help="File with the root passphrase, mode 0600.")
@click.option("--recovery", is_flag=True, help="Open with the recovery code instead; the terminal asks for it.")
@click.option("--code-file", help="File with the recovery code, mode 0600.")
@as_json
@click.pass_obj
def keys_unseal(
    context: Context, passphrase_file: str | None, recovery: bool, code_file: str | None, json_: bool
) -> None:
    """Open a server that started sealed, or lost its keystore. After three wrong attempts there are pauses.

    Example: pai keys unseal
    """
    settings = context.settings()
    if ask_server(context, "status")["reason"] != "sealed":
        raise Conflict("PAI is not sealed", code="not_sealed", hint="see `pai status`")
    if code_file or recovery:
        value = ask_server(context, "keys.unseal", **{"recovery-code": _recovery_code(context, code_file)})
    else:
        value = _unseal_by_passphrase(context, settings, passphrase_file)
    show(context, value, "open; `pai status` tells when it is ready")


def _unseal_by_passphrase(context: Context, settings: Settings, file: str | None) -> Any:
    refused: PaiError | None = None
    for one in asking.passphrases(context, settings, file):
        try:
            return ask_server(context, "keys.unseal", passphrase=one.reveal().decode("utf-8", "surrogateescape"))
        except PaiError as error:
            if error.code != "wrong_passphrase":
                raise
            refused = error
    raise refused or Usage("no passphrase was given", code="no_passphrase")


def _recovery_code(context: Context, code_file: str | None) -> str:
    if code_file:
        return context.secret_file(Path(code_file), "code").reveal().decode()
    if sys.stdin.isatty():
        return str(click.prompt("Recovery code, as you wrote it down"))
    raise Usage("the recovery code is needed", hint="give --code-file, or run this at a terminal")


@keys.command("confirm-recovery")
@click.option("--code-file", help="File with the code, mode 0600; without it the terminal asks.")
@as_json
@click.pass_obj
def keys_confirm_recovery(context: Context, code_file: str | None, json_: bool) -> None:
    """Type the recovery code back, once it is written down. The file with the code is then deleted.

    Example: pai keys confirm-recovery
    """
    value = call(context, "keys.confirm-recovery", code=_recovery_code(context, code_file))
    (context.settings().home / "recovery-code.txt").unlink(missing_ok=True)
    show(context, value, "The recovery code is confirmed; its file is deleted. Keep your copy away from this machine.")


@keys.command("renew-recovery")
@as_json
@click.pass_obj
def keys_renew_recovery(context: Context, json_: bool) -> None:
    """Replace the recovery code, for example when the old one was seen by someone. It is shown once."""
    value = call(context, "keys.renew-recovery")
    show(context, value, f"New recovery code: {value['recovery_code']}\nNext: pai keys confirm-recovery")


@keys.command("change-passphrase")
@click.option(
    "--passphrase-file", help="File with the present passphrase, mode 0600; else the one that is set, or the terminal."
)
@click.option("--new-passphrase-file", help="File with the new passphrase, mode 0600; without it the terminal asks.")
@as_json
@click.pass_obj
def keys_change_passphrase(
    context: Context, passphrase_file: str | None, new_passphrase_file: str | None, json_: bool
) -> None:
    """Let another passphrase open the installation; the old one opens nothing from then on. Backups made before open with the old one.

    Example: pai keys change-passphrase
    """
    settings = context.settings()
    old = next(asking.passphrases(context, settings, passphrase_file, why="first the present passphrase"))
    new = (
        context.secret_file(Path(new_passphrase_file), "passphrase") if new_passphrase_file else asking.passphrase(None)
    )
    value = call(context, "keys.change-passphrase", old=_text(old), new=_text(new))
    show(context, value, "The new passphrase is in force. Change the file with the old one, if there is one.")


@keys.command("rotate")
@click.option("--root", is_flag=True, help="Replace the root key itself, and the recovery code with it.")
@click.option("--resume", is_flag=True, help="Only move what a rotation that was cut off left under older keys.")
@click.option("--passphrase-file", help="With --root: file with the passphrase, mode 0600.")
@as_json
@click.pass_obj
def keys_rotate(context: Context, root: bool, resume: bool, passphrase_file: str | None, json_: bool) -> None:
    """Give the keys that encrypt keys and records a new version, and move what they encrypt to it. No content is written anew; older
    versions decrypt only. Cut off at any moment, everything opens as before.

    Example: pai keys rotate
    """
    if root and resume:
        raise Usage("a new root is made in one step", hint="leave --resume away")
    if root:
        why = "the new root key is wrapped by the passphrase of the installation"
        one = next(asking.passphrases(context, context.settings(), passphrase_file, why=why))
        value = call(context, "keys.rotate-root", passphrase=_text(one))
        show(
            context,
            value,
            f"New root key. New recovery code: {value['recovery_code']}\nNext: pai keys confirm-recovery",
        )
        return
    value = call(context, "keys.rotate", resume=resume)
    show(context, value, f"{value['moved']} of {value['looked_at']} records were moved to the newest keys")


@keys.command("shred")
@click.argument("collection")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def keys_shred(context: Context, collection: str, yes: bool, json_: bool) -> None:
    """Destroy the key of a collection (its id), then its files: nobody can read it again. Backups that still hold both are listed.

    Example: pai keys shred col_01m8a09t3jft8tmtx7ysa999r1
    """
    if not yes:
        if not sys.stdin.isatty():
            raise Usage("this cannot be undone", hint="give --yes to confirm")
        click.confirm(f"Destroy {collection} for good?", abort=True, err=True)
    value = call(context, "keys.shred", collection=collection)
    lines = [
        f"{value['collection']}: {value['wraps_destroyed']} wraps of its key and {value['documents']} documents are destroyed"
    ]
    lines += [
        f"  still in backup {one['id']}, {one['destination']}"
        + (f", to be destroyed {one['kept_until'][:10]}" if one["kept_until"] else ", kept without an end")
        for one in value["backups"]
    ]
    show(context, value, "\n".join(lines))


def _text(secret: Secret) -> str:
    return secret.reveal().decode("utf-8", "surrogateescape")
