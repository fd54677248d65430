"""Commands about backups: they run on the machine of the installation, or on a bare one."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from pai.entrypoints.cli.asking import passphrases
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import call, session
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import count, note
from pai.foundation.errors import Usage
from pai.foundation.redaction import Secret


def opened_by(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what opens a backup."""
    options = (
        click.option("--identity-file", help="The age identity that it was made for (AGE-SECRET-KEY-1...), mode 0600."),
        click.option("--passphrase-file", help="The passphrase that it was made with, mode 0600."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def kept_apart(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the part with the keys is, and where models are."""
    options = (
        click.option("--id", "wanted", help="Which backup; the newest unless said."),
        click.option(
            "--keys",
            "keys_file",
            type=click.Path(path_type=Path),
            help="The part with the keys, when it is kept elsewhere.",
        ),
        click.option("--keys-identity-file", help="The age identity of that part, when it is another one."),
        click.option(
            "--models", "models", type=click.Path(path_type=Path), help="A folder with the public starter models."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def backup() -> None:
    """Encrypted backups of everything, made while PAI serves.

    Example: pai backup create /media/disk/pai --to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    """


@backup.command("create")
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--to", multiple=True, help="An age recipient (age1...) that can open it; may be given several times.")
@click.option("--passphrase-file", help="Instead: a passphrase that opens it, mode 0600. Not that of the installation.")
@click.option("--keys-to", multiple=True, help="Another recipient for the part with the keys; else the same.")
@click.option(
    "--with-models", is_flag=True, help="Also the weights of public starter models, which are else kept by their hash."
)
@click.option(
    "--keep-days", type=click.IntRange(1, 36500), help="When this backup is to be destroyed; it is told, not done."
)
@as_json
@click.pass_obj
def backup_create(
    context: Context, dest: Path, to: tuple[str, ...], passphrase_file: str | None, keys_to: tuple[str, ...], with_models: bool,
    keep_days: int | None, json_: bool,
) -> None:  # fmt: skip
    """Write a backup into the folder DEST: database, collections, conversations, files, models, audit log, certificates, settings, and
    the keys as a part of their own. What DEST holds already is not written again.

    The recovery code and the passphrase of the installation are in no backup: without one of them it opens nothing.

    Example: pai backup create /media/disk/pai --to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    """
    if bool(to) == bool(passphrase_file) and (to or not sys.stdin.isatty()):
        raise Usage(
            "say who can open the backup", hint="give --to RECIPIENT (see `pai backup identity`) or --passphrase-file"
        )
    chosen = None
    if not to:
        chosen = context.secret_file(Path(passphrase_file), "passphrase") if passphrase_file else _new_passphrase()
    settings, began = context.settings(), context.backups()
    with session(context) as run:
        value = began.create(
            settings, run, dest, to=to, passphrase=chosen, keys_to=keys_to, with_models=with_models,
            keep=timedelta(days=keep_days) if keep_days else None, progress=note,
        )  # fmt: skip
    by_hash = value["models_by_reference"]
    lines = [
        f"{value['id']}: {count(value['files'], 'file')}, {_megabytes(value['bytes'])}, of which {_megabytes(value['stored'])} were new",
        *(
            [f"{count(len(by_hash), 'public model file')} by hash only (--with-models takes them in)"]
            if by_hash
            else []
        ),
        f"writers waited {value['writers_waited_seconds']} s. Next: pai backup drill {dest}",
    ]
    show(context, value, "\n".join(lines))


@backup.command("verify")
@click.argument("dest", type=click.Path(path_type=Path, exists=True))
@opened_by
@as_json
@click.pass_obj
def backup_verify(
    context: Context, dest: Path, identity_file: str | None, passphrase_file: str | None, json_: bool
) -> int:
    """Check every byte of all backups in DEST. It needs no key; with one, contents are decrypted and compared too.

    Example: pai backup verify /media/disk/pai
    """
    found = context.backups()
    opening = _opening(context, identity_file, passphrase_file) if identity_file or passphrase_file else None
    value = found.verify(dest, opening, note)
    lines = [
        f"{'intact' if value['ok'] else 'DAMAGED'}: {count(len(value['backups']), 'backup')}, {_megabytes(value['bytes'])} read",
        *(f"  {one['file']}: {one['problem']}{_hit(one)}" for one in value["damaged"]),
    ]
    show(context, value, "\n".join(lines))
    return 0 if value["ok"] else 1


@backup.command("restore")
@click.argument("dest", type=click.Path(path_type=Path, exists=True))
@opened_by
@kept_apart
@click.option(
    "--signer", help="Refuse a backup of any other installation: the key in its checkpoints, pai.local/KEY/audit."
)
@as_json
@click.pass_obj
def backup_restore(
    context: Context, dest: Path, identity_file: str | None, passphrase_file: str | None, wanted: str | None, keys_file: Path | None,
    keys_identity_file: str | None, models: Path | None, signer: str | None, json_: bool,
) -> int:  # fmt: skip
    """Put the installation back into PAI_HOME, which must not exist yet. It appears whole or not at all.

    Whoever can write to DEST could put another installation's backup there: --signer tells which one is meant.
    Afterwards `pai serve` opens it with the passphrase of the installation, or its recovery code.

    Example: pai backup restore /media/disk/pai --identity-file recovery.key
    """
    tools, settings = context.backups(), context.settings()
    opening = _opening(context, identity_file, passphrase_file)
    keys_opening = _opening(context, keys_identity_file, None) if keys_identity_file else opening
    value = tools.restore(
        dest, settings.home, wanted=wanted, opening=opening, keys=keys_file, keys_opening=keys_opening,
        models=_places(context, models), signer=signer, progress=note,
    )  # fmt: skip
    lines = [
        f"{value['home']} is what it was at {value['at'][:19]} UTC: {count(value['files'], 'file')}, {_megabytes(value['bytes'])}"
    ]
    lines += [
        f"signed by {value['signer']}: that is the KEY in the checkpoints of the installation, pai.local/KEY/audit"
    ]
    lines += [f"not at hand: {path} (`make start` fetches it)" for path in value["missing_models"]]
    show(context, value, "\n".join([*lines, "Next: pai serve"]))
    return 3 if value["missing_models"] else 0


@backup.command("drill")
@click.argument("dest", type=click.Path(path_type=Path, exists=True))
@opened_by
@kept_apart
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, exists=True),
    help="Where to restore to; else the folder for temporary files.",
)
@as_json
@click.pass_obj
def backup_drill(
    context: Context, dest: Path, identity_file: str | None, passphrase_file: str | None, wanted: str | None, keys_file: Path | None,
    keys_identity_file: str | None, models: Path | None, scratch: Path | None, json_: bool,
) -> int:  # fmt: skip
    """Restore a backup for trial, open it with the passphrase of the installation, ask it whether it is whole, remove it again.

    Tells how much would be lost (RPO) and how long coming back takes (RTO). The result is in the audit log of the installation.

    Example: pai backup drill /media/disk/pai --identity-file recovery.key
    """
    tools, settings = context.backups(), context.settings()
    opening = _opening(context, identity_file, passphrase_file)
    keys_opening = _opening(context, keys_identity_file, None) if keys_identity_file else opening
    asked = passphrases(context, settings, why="the restored home is opened with the passphrase of the installation")
    value = tools.drill(
        settings, asked, dest, wanted=wanted, opening=opening, keys=keys_file, keys_opening=keys_opening,
        models=_places(context, models), scratch=scratch, progress=note,
    )  # fmt: skip
    failed = [one["question"] for one in value["answers"] if not one["ok"]]
    if (settings.home / "initialised").exists():
        call(
            context, "backup.drilled", id=value["id"], age_seconds=value["age_seconds"],
            restore_seconds=round(value["restore_seconds"]), failed=failed,
        )  # fmt: skip
    lines = [
        f"{'good' if value['ok'] else 'NOT GOOD'}: {value['id']}, {count(value['files'], 'file')}, {_megabytes(value['bytes'])}"
    ]
    lines += [f"  {'yes' if one['ok'] else 'NO'}  {one['question']}{_detail(one)}" for one in value["answers"]]
    lines += [
        f"would be lost if the machine died now (RPO): {_span(value['age_seconds'])}",
        f"coming back took (RTO): {value['restore_seconds']:.1f} s, of which {value['copy_seconds']:.1f} s for the files",
    ]
    show(context, value, "\n".join(lines))
    return 0 if value["ok"] else 1


@backup.command("list")
@as_json
@click.pass_obj
def backup_list(context: Context, json_: bool) -> None:
    """List the backups that this installation made, as its register knows them.

    Example: pai backup list
    """
    value = call(context, "backup.list")
    lines = [
        f"{one['id']}  {one['at'][:16]}  {_megabytes(one['bytes'])}  {one['destination']}"
        + (f"  to be destroyed {one['kept_until'][:10]}" if one["kept_until"] else "")
        for one in value["backups"]
    ]
    show(context, value, "\n".join(lines) or "no backups yet")


@backup.command("identity")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def backup_identity(context: Context, file: Path, json_: bool) -> None:
    """Make an age key pair for backups: FILE gets the identity that opens them, the recipient is printed.

    Keep FILE away from this machine: it is not needed to make backups. Any age program makes and reads such files.

    Example: pai backup identity recovery.key
    """
    value = context.backups().make_identity(file)
    show(
        context,
        value,
        f"{value['recipient']}\nKeep {file} away from this machine; backups are made with the line above (--to).",
    )


def _detail(one: dict[str, Any]) -> str:
    return f" ({one['detail']})" if one["detail"] else ""


def _span(seconds: int) -> str:
    return f"the last {seconds} s" if seconds < 600 else f"the last {seconds / 3600:.1f} h"


def _hit(one: dict[str, Any]) -> str:
    parts = [f"needed by {', '.join(one['backups'])}"] if one["backups"] else []
    parts += [f"holds {', '.join(one['files'][:3])}"] if one["files"] else []
    return f" ({'; '.join(parts)})" if parts else ""


def _places(context: Context, models: Path | None) -> tuple[Path, ...]:
    return (*((models,) if models else ()), context.cache, context.settings().home / "models")


def _opening(context: Context, identity_file: str | None, passphrase_file: str | None) -> Any:
    if identity_file and passphrase_file:
        raise Usage("a backup is opened by an identity or by a passphrase", hint="give one of the two")
    identities = context.secret_file(Path(identity_file), "identity") if identity_file else None
    passphrase = context.secret_file(Path(passphrase_file), "passphrase") if passphrase_file else None
    if identities is None and passphrase is None:
        if not sys.stdin.isatty():
            raise Usage("say what opens the backup", hint="give --identity-file or --passphrase-file")
        passphrase = Secret(getpass.getpass("Passphrase of the backup: ").encode())
    return context.backups().opening(identities, passphrase)


def _new_passphrase() -> Secret:
    first = getpass.getpass("New passphrase for the backup: ")
    if first != getpass.getpass("The same passphrase again: "):
        raise Usage("the two entries differ", code="entries_differ", hint="type it twice alike")
    return Secret(first.encode())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
