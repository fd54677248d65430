"""Commands on collections: HTTPS clients with an API key."""

from __future__ import annotations

from typing import Any

import click

from pai.entrypoints.cli.client import connect
from pai.entrypoints.cli.commands.content import path_of
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.context import Context
from pai.foundation.time import duration, to_text, utc_now


@click.group()
def collection() -> None:
    """Collections of documents. Example: pai collection create letters --label confidential --purpose "patient care" """


@collection.command("create")
@click.argument("name")
@click.option("--label", default="confidential", show_default=True, help="public, internal, confidential or restricted")
@click.option("--purpose", default="general", show_default=True)
@as_json
@click.pass_obj
def collection_create(context: Context, name: str, label: str, purpose: str, json_: bool) -> None:
    """Make a collection with a key of its own."""
    with connect(context) as client:
        value = client.call("POST", "/pai/v1/collections", json={"name": name, "label": label, "purpose": purpose})
    show(context, value, f"collection {value['name']} ({value['label']}, for {value['purpose']})")


@collection.command("list")
@as_json
@click.pass_obj
def collection_list(context: Context, json_: bool) -> None:
    """List one's own and shared collections."""
    with connect(context) as client:
        value = client.call("GET", "/pai/v1/collections")
    show(
        context,
        value,
        "\n".join(f"{c['name']}  {c['label']}  {c['purpose']}" for c in value["collections"]) or "no collections yet",
    )


@collection.command("share")
@click.argument("name")
@click.argument("email")
@click.option(
    "--access",
    type=click.Choice(["read", "write"]),
    default="read",
    show_default=True,
    help="read: read and ask; write: add and delete documents too.",
)
@click.option("--expires", default="never", show_default=True, help="When it ends by itself, such as 30d, 12h or 15m.")
@as_json
@click.pass_obj
def collection_share(context: Context, name: str, email: str, access: str, expires: str, json_: bool) -> None:
    """Give somebody with an account here access, in place of what they had.

    With write they add and delete documents. Sharing it on, renaming and deleting it stay with you.

    Example: pai collection share letters ada@example.org --access write --expires 30d
    """
    until = None if expires == "never" else to_text(utc_now() + duration(expires))
    body = {"email": email, "access": access, "expires_at": until}
    with connect(context) as client:
        value = client.call("POST", f"/pai/v1/collections/{path_of(name)}/share", json=body)
    show(context, value, f"{name} is shared with {email} to {access}{f' until {until[:16]} UTC' if until else ''}")


@collection.command("unshare")
@click.argument("name")
@click.argument("email")
@as_json
@click.pass_obj
def collection_unshare(context: Context, name: str, email: str, json_: bool) -> None:
    """Take a share back: at once, also what is being answered to them. Example: pai collection unshare letters ada@example.org"""
    with connect(context) as client:
        value = client.call("DELETE", f"/pai/v1/collections/{path_of(name)}/shares/{path_of(email)}")
    show(context, value, f"{name} is not shared with {email} any more")


@collection.command("shares")
@click.argument("name")
@as_json
@click.pass_obj
def collection_shares(context: Context, name: str, json_: bool) -> None:
    """Tell with whom a collection of yours is shared. Example: pai collection shares letters"""
    with connect(context) as client:
        value = client.call("GET", f"/pai/v1/collections/{path_of(name)}/shares")
    lines = [f"{one['email']}  {one['access']}  {_until(one)}" for one in value["shares"]]
    show(context, value, "\n".join(lines) or f"{name} is shared with nobody")


def _until(one: dict[str, Any]) -> str:
    if one["ended"]:
        return "ended"
    return f"until {one['expires_at'][:16]} UTC" if one["expires_at"] else "until it is taken back"


@collection.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def collection_delete(context: Context, name: str, yes: bool, json_: bool) -> None:
    """Delete a collection: its key is destroyed, so its documents are gone for good."""
    if not yes and not click.confirm(f"Delete {name} and everything in it, for good?", err=True):
        raise click.Abort
    with connect(context) as client:
        value = client.call("DELETE", f"/pai/v1/collections/{path_of(name)}")
    show(context, value, f"{name} is deleted")
