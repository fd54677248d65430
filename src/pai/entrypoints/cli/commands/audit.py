"""Commands on the audit log: look, verify, and hand out what an outsider can check."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from pai.entrypoints.cli.audit_table import audit_table
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.evidence_files import PAGE, export_to, write_new
from pai.entrypoints.cli.output import note, show_json
from pai.entrypoints.http.audit_filters import MOST, csv_of
from pai.foundation.errors import Usage

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
FILTERS = (
    click.option("--person", help="Only what this account did (its address or id)."),
    click.option("--subject", help="Only events that touched this data subject (id, name or alias)."),
    click.option("--document", help="Only events that name this document (id)."),
    click.option("--resource", help="Only events on this thing: a collection, an account, a key ... (id)."),
    click.option("--model", help="Only events with this model (name)."),
    click.option(
        "--action", "name", help="Only this event, or all that begin so when it ends with a colon: knowledge:"
    ),
    click.option("--outcome", type=click.Choice(["started", "done", "refused", "failed"])),
    click.option("--since", help="From this time on: 2026-01-31 or 2026-01-31T09:00:00Z (UTC)."),
    click.option("--until", help="Before this time."),
)


def filters(command: Decorated) -> Decorated:
    """Add the options that choose events."""
    return functools.reduce(lambda made, option: option(made), reversed(FILTERS), command)


@click.group()
def audit() -> None:
    """The audit log: who did what, when, with whose data and which model; and the proof of it.

    Example: pai audit query --subject "Ada Example" --since 2026-01-01 --format csv --out seen.csv
    """


@audit.command("tail")
@click.option("--limit", type=click.IntRange(1, MOST), default=20, show_default=True)
@filters
@as_json
@click.pass_obj
def audit_tail(context: Context, /, limit: int, json_: bool, **wanted: str | None) -> None:
    """Show the newest events, newest first, in this machine's time. Looking is recorded too.

    People stand by their address. Collections and documents stand by the end of their id, because the log and the console know no
    names of them: those belong to their owners. operator@console is whoever ran a command of `pai` on this machine, such as this one;
    system is PAI itself. With --json: whole ids, all fields, times in UTC.

    Example: pai audit tail --limit 50 --outcome refused
    """
    value = call(context, "audit.tail", limit=limit, **wanted)
    show(context, value, audit_table(value["events"]))


@audit.command("query")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many events; without it, all that match.")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this new file instead.")
@filters
@as_json
@click.pass_obj
def audit_query(
    context: Context, /, limit: int | None, form: str, out: Path | None, json_: bool, **wanted: str | None
) -> None:
    """Who saw what, when, with which model, for which purpose. That you looked is recorded as well.

    Accounting of disclosures for one person whose data is held: pai audit query --subject "Ada Example"
    """
    events: list[dict[str, Any]] = []
    before: int | None = None
    while limit is None or len(events) < limit:
        count = MOST if limit is None else min(MOST, limit - len(events))
        page = call(context, "audit.query", limit=count, before=before, **wanted)["events"]
        events += page
        if len(page) < count:
            break
        before = page[-1]["index"]
    value = {"events": events}
    if context.json or form == "json":
        if out is None:
            show_json(value)
            return
        text = _json(value)
    else:
        text = csv_of(events) if form == "csv" else audit_table(events) + "\n"
    if out is None:
        click.echo("".join(c for c in text if c.isprintable() or c in "\n\t\r"), nl=False)
        return
    write_new(out, text)
    note(f"{len(events)} events in {out}")


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@audit.command("verify")
@as_json
@click.pass_obj
def audit_verify(context: Context, json_: bool) -> int:
    """Recompute the whole log and compare it with the tree and every signed checkpoint."""
    value = call(context, "audit.verify")
    errors = "".join(f"\n  {e['kind']} at {e['index']}: {e['hint']}" for e in value["errors"])
    errors += "".join(f"\n  notice at {e['index']}: {e['hint']}" for e in value["notices"])
    show(
        context, value, f"{'intact' if value['ok'] else 'BROKEN'}: {value['size']} events, root {value['root']}{errors}"
    )
    return 0 if value["ok"] else 1


@audit.command("checkpoint")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the signed note to this new file, to be kept elsewhere."
)
@as_json
@click.pass_obj
def audit_checkpoint(context: Context, out: Path | None, json_: bool) -> None:
    """Sign the present head of the log. Keep it where nobody of this machine can change it, or print it: it proves later that
    the log only grew.

    Example: pai audit checkpoint --out /media/usb/pai.note
    """
    value = call(context, "audit.checkpoint")
    if out is not None:
        write_new(out, value["note"])
    show(context, value, value["note"] if out is None else f"{value['size']} events, root {value['root']}, in {out}")


@audit.command("key")
@as_json
@click.pass_obj
def audit_key(context: Context, json_: bool) -> None:
    """Print the public key that checkpoints, proofs and receipts verify with: give it to auditors yourself."""
    value = call(context, "audit.key")
    show(context, value, value["key"])


@audit.command("prove")
@click.argument("index", type=click.IntRange(min=0), required=False)
@click.option(
    "--since", type=click.Path(exists=True, path_type=Path), help="A checkpoint: prove that the log only grew."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the proof to this new file.")
@as_json
@click.pass_obj
def audit_prove(context: Context, index: int | None, since: Path | None, out: Path | None, json_: bool) -> None:
    """Prove that an event stands in the log, or that the log only grew since a checkpoint.

    Example: pai audit prove 1204 --out proof.json ; pai audit prove --since /media/usb/pai.note
    """
    if (index is None) == (since is None):
        raise Usage("give the index of an event, or --since with a checkpoint", hint="see `pai audit tail` for indexes")
    if since is not None:
        value = call(context, "audit.prove-growth", checkpoint=since.read_text("utf-8"))
    else:
        value = call(context, "audit.prove", index=index)
    if out is None:
        show_json(value)
        return
    write_new(out, _json(value))
    show(context, {"proof": str(out)}, f"the proof is in {out}; `python3 verify.py {out} --key KEY` checks it")


@audit.command("export")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--csv", "with_csv", is_flag=True, help="A table of the events too (events.csv).")
@as_json
@click.pass_obj
def audit_export(context: Context, path: Path, with_csv: bool, json_: bool) -> None:
    """Hand out the whole log with its proofs, and the program that checks them without PAI.

    PATH is a new folder, or a new file that ends with .jsonl (for the same program) or .csv (a table alone, without proof).

    Example: pai audit export /media/usb/audit-2026 --csv
    """
    begun = call(context, "audit.export")

    def lines() -> Iterator[str]:
        for first in range(0, begun["size"], PAGE):
            if first:
                note(f"  {first} of {begun['size']} events")
            yield from call(context, "audit.export-page", first=first, count=min(PAGE, begun["size"] - first))["lines"]

    files = export_to(path, begun, lines(), context.verifier(), with_csv=with_csv)
    value = {"path": str(path), "files": files, "events": begun["size"], "root": begun["root"], "key": begun["key"]}
    check = f"check it: python3 {path}/verify.py {path} --key KEY\n" if "verify.py" in files else ""
    show(
        context,
        value,
        f"{begun['size']} events in {path}\n{check}KEY (give it to auditors yourself, not with the files): {begun['key']}",
    )
