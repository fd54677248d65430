"""Commands about people: accounts, browser sessions and API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pai.entrypoints.cli import asking
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import note
from pai.foundation.errors import Usage


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

    Whose content it opens: with the scope knowledge or inference a key opens its owner's documents and conversations, and nobody
    else's. For the first administrator nothing is asked, because this server holds a wrap of that account's key: who can use this Linux
    account can make such keys while the server runs. For everybody else the owner's own password is needed (--owner-password-file).

    Example: pai key create --owner me@example.org --name laptop --scopes inference,knowledge
    """
    password = (
        context.secret_file(Path(owner_password_file), "password").reveal().decode() if owner_password_file else None
    )
    value = call(context, "key.create", owner=owner, name=name, scopes=scopes, expires=expires, owner_password=password)
    show(context, value, value["key"])
    note(_opens(value, asked=password is not None))
    if value["expires_at"] is None:
        note("It never expires; revoke it when it is no longer needed: pai key revoke " + value["id"])
    else:
        note(f"It expires on {value['expires_at'][:10]} (--expires 90d or never for another time).")


def _opens(made: dict[str, Any], *, asked: bool) -> str:
    if not made["content"]:
        return f"It acts for {made['owner']}, and opens no documents and no conversations."
    why = "" if asked else " Nothing was asked for that: this server holds a wrap of that account's key."
    return f"It opens the documents and conversations of {made['owner']}, as far as its scopes go.{why}"


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
