"""The main job on sample documents, for someone who looks at PAI for the first time."""

from __future__ import annotations

import json
import time
from importlib import resources
from typing import Any

import click

from pai.entrypoints.cli.client import Client, connect
from pai.entrypoints.cli.commands.content import files_in, path_of, take
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import answer_text, count, note, say


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo collection, to look at it in the browser.")
@as_json
@click.pass_obj
def demo(context: Context, keep: bool, json_: bool) -> int:
    """Run the main job on fictional sample documents, and show what was proved.

    The collection that it makes is deleted at the end, unless it is kept.

    Example: pai demo
    """
    name = f"demo {int(time.time())}"
    with connect(context) as client:
        client.call("POST", "/pai/v1/collections", json={"name": name, "label": "confidential", "purpose": "general"})
        try:
            documents, answers = _job(context, client, name)
        finally:
            if not keep:
                client.call("DELETE", f"/pai/v1/collections/{path_of(name)}")
    verified = call(context, "audit.verify")
    value = {"collection": name, "kept": keep, "documents": documents, "answers": answers, "audit": verified}
    show(context, value, _told(value))
    return 0 if verified["ok"] and documents else 1


def _job(context: Context, client: Client, name: str) -> tuple[int, list[dict[str, Any]]]:
    folder = resources.files("pai.samples") / "documents"
    known = json.loads((resources.files("pai.samples") / "questions.json").read_text("utf-8"))["tuning"]
    asked = [_text(entry) for entry in [*known["answerable"][:3], *known["unanswerable"][:1]]]
    with resources.as_file(folder) as files:
        paths = sorted(files_in(files))
        note(f"Taking {count(len(paths), 'sample document')} into the collection {name!r} ...")
        told = take(client, name, paths, {}, 0, len(paths))
    answers = []
    for question in asked:
        found = client.call("POST", f"/pai/v1/collections/{path_of(name)}/ask", json={"question": question})
        answers.append({"question": question, **found})
        if not context.json:
            say(f"\n{question}\n{answer_text(found)}")
    return len(told["accepted"]), answers


def _told(value: dict[str, Any]) -> str:
    verified, name = value["audit"], value["collection"]
    return "\n".join(
        [
            "",
            f"{count(value['documents'], 'document')} went in, each sealed under the key of its collection; "
            f"{count(len(value['answers']), 'question')} were put.",
            f"Audit log: {'intact' if verified['ok'] else 'BROKEN'}, {verified['size']} events, root {verified['root']}.",
            "Network: the gateway and its workers are refused every outside connection by the kernel; `pai doctor` shows the layers.",
            f'The collection "{name}" is kept; delete it with: pai collection delete "{name}"'
            if value["kept"]
            else f'The collection "{name}" is deleted again, key and all (`pai demo --keep` keeps it to look at in the browser).',
        ]
    )


def _text(entry: object) -> str:
    return str(entry["question"]) if isinstance(entry, dict) else str(entry)
