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


@user.command("invite")
@click.argument("email")
@click.option("--role", default="member", show_default=True)
@as_json
@click.pass_obj
def user_invite(context: Context, email: str, role: str, json_: bool) -> None:
    """Let somebody open an account: prints a link that works once, for three days.

    They choose their password, and nobody else sees the recovery code of their content. No mail is sent: hand the link over.

    Example: pai user invite ada@example.org --role member
    """
    show_link(context, call(context, "user.invite", email=email, role=role))


def show_link(context: Context, value: dict[str, Any]) -> None:
    """Print a one-time link whole: its token stands after the #, where browsers keep it to themselves."""
    settings = context.settings()
    value["url"] = f"https://{settings.place}:{context.port(settings)}/setup#{value.pop('token')}"
    life = f"{value['minutes']} minutes" if value["minutes"] < 120 else f"{value['minutes'] // 1440} days"
    show(context, value, f"{value['url']}\nIt works once, for {life}.")


@user.command("list")
@as_json
@click.pass_obj
def user_list(context: Context, json_: bool) -> None:
    """List accounts, their second factors, and the links that are open. Example: pai user list"""
    value = call(context, "user.list")
    users = [
        f"{u['email']}  {u['role']}  {'+'.join(u['second_factors']) or 'no second factor'}{'  disabled' if u['disabled_at'] else ''}"
        for u in value["users"]
    ]
    links = [f"{one['email']}  {one['kind']} open until {one['expires_at'][:16]}" for one in value["links"]]
    show(context, value, "\n".join([*users, *links]))


@user.command("disable")
@click.argument("email")
@as_json
@click.pass_obj
def user_disable(context: Context, email: str, json_: bool) -> None:
    """Disable an account: its keys and sessions die at once, open streams included. Example: pai user disable ada@example.org"""
    value = call(context, "user.disable", email=email)
    show(context, value, f"{value['email']} is disabled")


@user.command("enable")
@click.argument("email")
@as_json
@click.pass_obj
def user_enable(context: Context, email: str, json_: bool) -> None:
    """Let a disabled account log in again; its old keys stay dead. Example: pai user enable ada@example.org"""
    value = call(context, "user.enable", email=email)
    show(context, value, f"{value['email']} may log in again")


@user.command("role")
@click.argument("email")
@click.argument("role")
@as_json
@click.pass_obj
def user_role(context: Context, email: str, role: str, json_: bool) -> None:
    """Give an account another role; its browser sessions end. Example: pai user role ada@example.org auditor"""
    value = call(context, "user.role", email=email, role=role)
    show(context, value, f"{value['email']} is {value['role']} now")


@user.command("clearance")
@click.argument("email")
@click.argument("label", type=click.Choice(["public", "internal", "confidential", "restricted"]))
@as_json
@click.pass_obj
def user_clearance(context: Context, email: str, label: str, json_: bool) -> None:
    """Let somebody touch labels up to this one: public, internal, confidential or restricted.

    It holds at once, for all their sessions and keys, and for what is their own too: conversations and files are confidential. Raising it
    takes a second person where the rule of two persons is on.

    Example: pai user clearance ada@example.org internal
    """
    value = call(context, "user.clearance", email=email, label=label)
    show(context, value, f"{value['email']} is cleared for {value['clearance']}")


@user.command("reset-login")
@click.argument("email")
@click.option("--password-file", help="Set this password at once (mode 0600), in place of a link.")
@click.option("--second-factor", is_flag=True, help="Take their second factor away too: they lost it.")
@as_json
@click.pass_obj
def user_reset_login(context: Context, email: str, password_file: str | None, second_factor: bool, json_: bool) -> None:
    """Let someone choose a new password: prints a link that works once, for 30 minutes.

    It opens the account, not its content: that takes the person's own recovery code. Of the first administrator this server
    holds a wrap of the key, and the content opens with the new password.

    Example: pai user reset-login ada@example.org --second-factor
    """
    password = context.secret_file(Path(password_file), "password").reveal().decode() if password_file else None
    value = call(context, "user.reset-login", email=email, password=password, second_factor=second_factor)
    if "token" in value:
        show_link(context, value)
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
@click.option("--ceiling", default="restricted", show_default=True, help="Highest label it may touch.")
@click.option(
    "--network", "networks", multiple=True, help="Where it may be used from, such as 192.168.1.0/24; may be repeated."
)
@click.option("--owner-password-file", help="The owner's password, when the key is to open their content.")
@as_json
@click.pass_obj
def key_create(
    context: Context,
    owner: str,
    name: str,
    scopes: str,
    expires: str,
    ceiling: str,
    networks: tuple[str, ...],
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
    value = call(
        context, "key.create", owner=owner, name=name, scopes=scopes, expires=expires, owner_password=password,
        ceiling=ceiling, networks=networks,
    )  # fmt: skip
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
@click.argument("id", required=False)
@click.option("--owner", help="Revoke all keys of this account: somebody else may have known its password.")
@as_json
@click.pass_obj
def key_revoke(context: Context, id: str | None, owner: str | None, json_: bool) -> None:  # noqa: A002
    """Revoke a key, or all of an account; they are dead at once, open streams included.

    A new password does not end the keys that were made with the old one. Example: pai key revoke --owner ada@example.org
    """
    if bool(id) == bool(owner):
        raise Usage("say which key", hint="give an id of `pai key list`, or --owner")
    value = call(context, "key.revoke", id=id, owner=owner)
    show(context, value, f"{id} is revoked" if id else f"revoked: {value['revoked']}")
