"""Commands about people: accounts, browser sessions, API keys, and the recovery code of the installation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pai.entrypoints.cli import asking
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import ask_server, call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import note
from pai.foundation.errors import Conflict, PaiError, Usage
from pai.settings import Settings


@click.group()
def user() -> None:
    """Accounts. Example: pai user add ada@example.org --role member --password-file pw"""


@user.command("add")
@click.argument("email")
@click.option("--role", default="member", show_default=True)
@click.option("--password-file", help="File with the first password, mode 0600.")
@as_json
@click.pass_obj
def user_add(context: Context, email: str, role: str, password_file: str | None, json_: bool) -> None:
    """Make an account."""
    password = context.secret_file(Path(password_file), "password") if password_file else asking.password(email)
    value = call(context, "user.add", email=email, role=role, password=password.reveal().decode("utf-8", "replace"))
    show(context, value, f"{value['email']} ({value['role']}); recovery code of its content: {value['recovery_code']}")


@user.command("list")
@as_json
@click.pass_obj
def user_list(context: Context, json_: bool) -> None:
    """List accounts."""
    value = call(context, "user.list")
    show(
        context,
        value,
        "\n".join(f"{u['email']}  {u['role']}  {'disabled' if u['disabled_at'] else ''}" for u in value["users"]),
    )


@user.command("disable")
@click.argument("email")
@as_json
@click.pass_obj
def user_disable(context: Context, email: str, json_: bool) -> None:
    """Disable an account: its keys and sessions die at once."""
    value = call(context, "user.disable", email=email)
    show(context, value, f"{value['email']} is disabled")


@user.command("reset-login")
@click.argument("email")
@click.option("--password-file", help="Set this password at once (mode 0600), in place of a link.")
@as_json
@click.pass_obj
def user_reset_login(context: Context, email: str, password_file: str | None, json_: bool) -> None:
    """Let someone choose a new password: prints a link that works once, for 30 minutes.

    It opens the account, not its content: that takes the person's own recovery code. Of the first administrator this server
    holds a wrap of the key, and the content opens with the new password.
    """
    password = context.secret_file(Path(password_file), "password").reveal().decode() if password_file else None
    value = call(context, "user.reset-login", email=email, password=password)
    if "token" in value:
        value["url"] = f"https://localhost:{context.port(context.settings())}/setup#{value.pop('token')}"
        show(context, value, f"{value['url']}\nIt works once, for {value['minutes']} minutes.")
    else:
        show(context, value, f"{email} has a new password")


@click.group()
def session() -> None:
    """Browser sessions. Example: pai session list"""


@session.command("list")
@click.option("--email", help="Only the sessions of this account.")
@as_json
@click.pass_obj
def session_list(context: Context, email: str | None, json_: bool) -> None:
    """List live sessions."""
    value = call(context, "session.list", email=email)
    lines = [f"{s['id']}  {s['user']}  {s['address']}  since {s['created_at'][:16]}" for s in value["sessions"]]
    show(context, value, "\n".join(lines) or "nobody is logged in")


@session.command("kill")
@click.argument("id", required=False)
@click.option("--email", help="End all sessions of this account.")
@as_json
@click.pass_obj
def session_kill(context: Context, id: str | None, email: str | None, json_: bool) -> None:  # noqa: A002
    """End a session at once, open streams included. Example: pai session kill --email ada@example.org"""
    if bool(id) == bool(email):
        raise Usage("say which session", hint="give an id of `pai session list`, or --email")
    value = call(context, "session.kill", id=id, email=email)
    show(context, value, f"ended: {value['ended']}")


@click.group()
def key() -> None:
    """API keys for programs; the root key of the installation: see `pai keys`.

    Example: pai key create --owner me@example.org --name laptop --scopes inference,knowledge
    """


@key.command("create")
@click.option("--owner", required=True, help="E-mail address of the account.")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--scopes", required=True, help="What it may do, comma-separated; see above.")
@click.option("--expires", default="30d", show_default=True, help="Such as 90d, 12h or 15m, or never.")
@click.option("--owner-password-file", help="The owner's password, when the key is to open their content.")
@as_json
@click.pass_obj
def key_create(
    context: Context,
    owner: str,
    name: str,
    scopes: str,
    expires: str,
    owner_password_file: str | None,
    json_: bool,
) -> None:
    """Make a key; it is shown once, alone on stdout.

    Scopes: inference (chat and embeddings), knowledge (the owner's collections, and questions to them), audit (the audit log, as
    far as the owner's role goes), metrics (the state of the server), admin (the owner's keys and sessions); perception and
    prediction are reserved and open nothing yet.

    Example: pai key create --owner me@example.org --name laptop --scopes inference,knowledge
    """
    password = (
        context.secret_file(Path(owner_password_file), "password").reveal().decode() if owner_password_file else None
    )
    value = call(context, "key.create", owner=owner, name=name, scopes=scopes, expires=expires, owner_password=password)
    show(context, value, value["key"])
    if value["expires_at"] is None:
        note("It never expires; revoke it when it is no longer needed: pai key revoke " + value["id"])
    else:
        note(f"It expires on {value['expires_at'][:10]} (--expires 90d or never for another time).")


@key.command("list")
@as_json
@click.pass_obj
def key_list(context: Context, json_: bool) -> None:
    """List keys."""
    value = call(context, "key.list")
    lines = [f"{k['id']}  {k['owner']}  {k['name']}  {','.join(k['scopes'])}  {_life(k)}" for k in value["keys"]]
    show(context, value, "\n".join(lines) or "no keys yet")


def _life(one: dict[str, Any]) -> str:
    if one["revoked_at"]:
        return "revoked"
    return f"expires {one['expires_at'][:10]}" if one["expires_at"] else "never expires"


@key.command("revoke")
@click.argument("id")
@as_json
@click.pass_obj
def key_revoke(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Revoke a key; it is dead at once."""
    show(context, call(context, "key.revoke", id=id), f"{id} is revoked")


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
