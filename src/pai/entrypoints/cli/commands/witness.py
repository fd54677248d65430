"""Commands of a witness: on another machine, with a folder and a key of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from pai.core.audit import notes
from pai.core.audit.witness import Witness
from pai.entrypoints.cli.client import connect
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.evidence_files import write_new
from pai.foundation.errors import Invalid, PaiError, Usage
from pai.foundation.time import to_text

_NAME = re.compile(r"[a-z0-9][a-z0-9./-]{2,99}")
in_folder = click.option(
    "--folder", type=click.Path(path_type=Path), required=True, help="Where the witness keeps its key and its memory."
)


@click.group()
def witness() -> None:
    """A second party, elsewhere, that co-signs the audit log while it only grows. It sees numbers and hashes, no event. A log that was
    put back or rewritten, with all of its disk, is found by it.

    Example: pai witness init --folder ~/witness --name witness.example/office --log-key KEY
    """


@witness.command("init")
@in_folder
@click.option("--name", required=True, help="How the witness is called in signatures, such as witness.example/office.")
@click.option("--log-key", required=True, help="The key of the log, as `pai audit key` prints it there.")
@as_json
@click.pass_obj
def witness_init(context: Context, folder: Path, name: str, log_key: str, json_: bool) -> None:
    """Make a witness with a key of its own. Example: pai witness init --folder ~/witness --name witness.example/1 --log-key KEY"""
    if not _NAME.fullmatch(name):
        raise Usage(f"{name[:100]!r} is no name for a witness", hint="small letters, digits, dots, dashes, slashes")
    context.new_witness(folder, name, log_key)
    with context.witness(folder) as made:
        value = _standing(made)
    show(context, value, f"the witness {name} is in {folder}; auditors check with its key:\n{value['key']}")


@witness.command("cosign")
@in_folder
@click.option(
    "--proof", type=click.Path(exists=True, path_type=Path),
    help="A proof by `pai audit prove --since`, or for the first time a checkpoint; without it the server is asked (PAI_URL, PAI_API_KEY).",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Write the co-signed checkpoint to this new file.")
@as_json
@click.pass_obj
def witness_cosign(context: Context, folder: Path, proof: Path | None, out: Path | None, json_: bool) -> None:
    """Co-sign the newest checkpoint, if the log only grew since the last one that was co-signed. Exit code 1, and an alarm that `pai
    witness status` shows from then on, if it did not.

    Example: PAI_URL=https://pai.office:8443 PAI_API_KEY=... pai witness cosign --folder ~/witness --out today.note
    """
    with context.witness(folder) as made:
        latest = made.store.standing().latest
        shown = _from_file(proof) if proof is not None else _from_server(context, made, latest)
        note = made.cosign(shown)
    size = notes.parse(note).size
    if out is not None:
        write_new(out, note)
    show(context, {"size": size, "note": note}, note if out is None else f"{size} events are co-signed, in {out}")


def _from_file(path: Path) -> Any:
    text = path.read_text("utf-8")
    if not text.startswith("{"):
        return {"new": text}
    try:
        return json.loads(text)
    except ValueError:
        raise Invalid(f"{path} is no proof", hint="as `pai audit prove --since NOTE --out FILE` writes it") from None


def _from_server(context: Context, made: Witness, latest: str) -> Any:
    with connect(context) as client:
        if not latest:
            return {"new": client.call("GET", "/pai/v1/audit/checkpoint")["note"]}
        try:
            return client.call("POST", "/pai/v1/audit/consistency", json={"checkpoint": latest})
        except PaiError as error:
            # The server says itself that it does not continue what was co-signed, or does not know it any more.
            if error.code in ("audit_forked", "audit_rolled_back", "corrupt"):
                made.refused("witness_rolled_back", error.message)
            raise


@witness.command("status")
@in_folder
@as_json
@click.pass_obj
def witness_status(context: Context, folder: Path, json_: bool) -> int:
    """Tell what was co-signed last, and what was refused. Exit code 1 when anything was. Example: pai witness status --folder ~/witness"""
    with context.witness(folder) as made:
        value = _standing(made)
    lines = [
        f"{value['name']}: {value['size']} events co-signed"
        if value["note"]
        else f"{value['name']}: nothing co-signed yet"
    ]
    lines += [f"  ALARM {one['at'][:19]} {one['kind']}: {one['reason']}" for one in value["alarms"]]
    show(context, value, "\n".join([*lines, f"  key: {value['key']}"]))
    return 1 if value["alarms"] else 0


def _standing(made: Witness) -> dict[str, Any]:
    known = made.store.standing()
    note = notes.parse(known.latest) if known.latest else None
    return {
        "name": known.name, "key": notes.verifier_key(known.name, known.public_key, notes.COSIGNATURE), "log_key": known.log_key,
        "size": note.size if note else 0, "note": known.latest,
        "alarms": [{"at": to_text(one.at), "kind": one.kind, "reason": one.reason} for one in known.alarms],
    }  # fmt: skip
