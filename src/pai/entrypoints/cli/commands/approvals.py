"""Commands on what takes a second person."""

from __future__ import annotations

from typing import Any

import click

from pai.entrypoints.cli.client import connect
from pai.entrypoints.cli.commands.content import path_of
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.commands.people import show_link
from pai.entrypoints.cli.console import call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import note


@click.group()
def approvals() -> None:
    """What takes a second person: see it, approve or refuse it, carry out what was approved.

    A request is made by itself when somebody does such a thing (`pai keys shred ...`). Others approve it, with a key of theirs that
    has the scope admin and that they made themselves, or on the page Approvals. Whoever asked then carries it out, once.

    Example: pai approvals list
    """


@approvals.command("list")
@click.option("--console", is_flag=True, help="As whoever holds the console, without a key.")
@as_json
@click.pass_obj
def approvals_list(context: Context, console: bool, json_: bool) -> None:
    """List requests, newest first. Example: pai approvals list"""
    value = call(context, "approvals.list") if console else _get(context, "")
    show(context, value, "\n".join(_line(one) for one in value["approvals"]) or "nothing was asked for")


@approvals.command("show")
@click.argument("id")
@as_json
@click.pass_obj
def approvals_show(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Show a request: exactly what would be done, who asked, what others said. Example: pai approvals show apr_..."""
    value = _get(context, f"/{path_of(id)}")
    lines = [
        _line(value), *(f"  {name}: {given}" for name, given in value["parameters"].items()),
        f"  reason: {value['reason'] or 'none given'}", f"  expires: {value['expires_at'][:16]} UTC", f"  digest: {value['digest']}",
        *(f"  {vote['verdict']}: {vote['person']} {vote['at'][:16]} {vote['reason']}" for vote in value["votes"]),
    ]  # fmt: skip
    show(context, value, "\n".join(lines))


@approvals.command("approve")
@click.argument("id")
@click.option(
    "--digest", help="Approve this and nothing else, as `pai approvals show` told it; else what stands there now."
)
@click.option("--reason", default="", help="Why; it is kept with the request.")
@as_json
@click.pass_obj
def approvals_approve(context: Context, id: str, digest: str | None, reason: str, json_: bool) -> None:  # noqa: A002
    """Approve what somebody else asked for. Example: pai approvals approve apr_... --reason "seen the order of the court" """
    with connect(context) as client:
        path = f"/pai/v1/approvals/{path_of(id)}"
        if digest is None:
            seen = client.call("GET", path)
            digest = seen["digest"]
            note(f"approving: {seen['what']}, for {seen['requester']}")
        value = client.call("POST", f"{path}/approve", json={"digest": digest, "reason": reason})
    show(context, value, _line(value))


def _refuse(context: Context, id: str, reason: str) -> None:  # noqa: A002
    with connect(context) as client:
        value = client.call("POST", f"/pai/v1/approvals/{path_of(id)}/refuse", json={"reason": reason})
    show(context, value, _line(value))


@approvals.command("refuse")
@click.argument("id")
@click.option("--reason", default="", help="Why; it is kept with the request.")
@as_json
@click.pass_obj
def approvals_refuse(context: Context, id: str, reason: str, json_: bool) -> None:  # noqa: A002
    """Refuse what somebody else asked for, which ends the request. Example: pai approvals refuse apr_... --reason "not now" """
    _refuse(context, id, reason)


@approvals.command("deny")
@click.argument("id")
@click.option("--reason", default="", help="Why; it is kept with the request.")
@as_json
@click.pass_obj
def approvals_deny(context: Context, id: str, reason: str, json_: bool) -> None:  # noqa: A002
    """The same as refuse. Example: pai approvals deny apr_..."""
    _refuse(context, id, reason)


@approvals.command("run")
@click.argument("id")
@as_json
@click.pass_obj
def approvals_run(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Carry out, once, what the console asked for and others approved. People carry out theirs on the page Approvals.

    Example: pai approvals run apr_...
    """
    value = call(context, "approvals.run", id=id)
    told = value["result"]
    if "token" in told:
        show_link(context, told)
        return
    show(context, value, f"done: {value['what']}" + "".join(f"\n  {name}: {given}" for name, given in told.items()))


@approvals.command("withdraw")
@click.argument("id")
@as_json
@click.pass_obj
def approvals_withdraw(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Take back what the console asked for. Example: pai approvals withdraw apr_..."""
    show(context, call(context, "approvals.withdraw", id=id), f"{id} is withdrawn")


@approvals.command("rules")
@as_json
@click.pass_obj
def approvals_rules(context: Context, json_: bool) -> None:
    """Tell how each act is approved. Example: pai approvals rules"""
    value = call(context, "approvals.rules")
    show(context, value, "\n".join(_rule(one) for one in value["rules"]))


@approvals.command("rule")
@click.argument("act")
@click.option("--quorum", type=click.IntRange(0, 5), help="How many people besides who asks; 0: it takes nobody.")
@click.option("--group", "groups", multiple=True, help="A role that approves; may be repeated.")
@click.option("--life-hours", type=click.IntRange(1, 720), help="How long a request stands.")
@click.option("--lock-hours", type=click.IntRange(1, 720), help="How long it waits where nobody could approve it.")
@as_json
@click.pass_obj
def approvals_rule(
    context: Context, act: str, quorum: int | None, groups: tuple[str, ...], life_hours: int | None, lock_hours: int | None, json_: bool
) -> None:  # fmt: skip
    """Approve an act in another way from now on, which may itself take a second person.

    With the first rule that asks for anybody, all acts without a rule of their own take one person more.

    Example: pai approvals rule keys:shred --quorum 2 --group officer --group administrator
    """
    value = call(
        context, "approvals.rule", act=act, quorum=quorum, groups=list(groups), life_hours=life_hours, lock_hours=lock_hours
    )  # fmt: skip
    show(context, value, _rule(value))


def _get(context: Context, path: str) -> Any:
    with connect(context) as client:
        return client.call("GET", f"/pai/v1/approvals{path}")


def _rule(one: dict[str, Any]) -> str:
    if not one["quorum"]:
        return f"{one['act']}  takes nobody else"
    return (
        f"{one['act']}  {one['quorum']} of {', '.join(one['groups'])}, within {one['life_hours']} h; "
        f"alone: after {one['lock_hours']} h"
    )


def _line(one: dict[str, Any]) -> str:
    stands = one["state"]
    if stands == "open":
        stands = "ready" if one["ready"] else f"{one['approved']} of {one['needed']} approvals"
        if one["alone"] and one["opens_at"] and not one["ready"]:
            stands = f"opens at {one['opens_at'][:16]} UTC"
    return f"{one['id']}  {stands}  {one['what']}, for {one['requester']}"
