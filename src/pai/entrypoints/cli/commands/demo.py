"""The main job on sample documents, for someone who looks at PAI for the first time: what works, and what is refused."""

from __future__ import annotations

import tempfile
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any, Final

import click

from pai.entrypoints.cli.client import Client, connect
from pai.entrypoints.cli.commands.content import files_in, path_of, take
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import answer_text, count, note, say

NAME: Final = "demo of a fictional clinic"
SHOWN: Final = (
    ("Which allergy does Amara Okafor have?", True),
    ("How long before the end must notice be given to end the cleaning contract?", True),
    ("What is the status of the invoice from Aster Software?", True),
    ("Which blood group does Amara Okafor have?", False),
)
"""One question to a letter, a contract and a table each, and one that no document answers."""
HOSTILE: Final = "invoice-from-a-stranger.docx"
_STEALS = (
    '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p>'
    "</w:body></w:document>"
)


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo collection, to look at it in the browser.")
@as_json
@click.pass_obj
def demo(context: Context, keep: bool, json_: bool) -> int:
    """Run the main job on fictional sample documents, and show what was proved and what was refused.

    The collection that it makes is deleted at the end, unless it is kept.

    Example: pai demo
    """
    with connect(context) as client:
        name = _free_name(client)
        client.call("POST", "/pai/v1/collections", json={"name": name, "label": "confidential", "purpose": "general"})
        try:
            told = _taken(client, name)
            answers = [_asked(context, client, name, *one) for one in SHOWN]
        finally:
            if not keep:
                client.call("DELETE", f"/pai/v1/collections/{path_of(name)}")
    verified = call(context, "audit.verify")
    value = {
        "collection": name, "kept": keep, "documents": len(told["accepted"]), "refused": told["refused"],
        "answers": answers, "audit": verified,
    }  # fmt: skip
    show(context, value, _told(value))
    right = all(one["abstained"] is not one["answerable"] for one in answers)
    return 0 if verified["ok"] and value["documents"] and len(value["refused"]) == 1 and right else 1


def _free_name(client: Client) -> str:
    taken = {one["name"] for one in client.call("GET", "/pai/v1/collections")["collections"]}
    return next(name for n in range(1, len(taken) + 2) if (name := NAME if n == 1 else f"{NAME} {n}") not in taken)


def _taken(client: Client, name: str) -> dict[str, list[dict[str, Any]]]:
    folder = resources.files("pai.samples") / "documents"
    with resources.as_file(folder) as files, tempfile.TemporaryDirectory(prefix="pai-demo-") as scratch:
        hostile = Path(scratch) / HOSTILE
        with zipfile.ZipFile(hostile, "w") as file:  # a Word file that asks its reader for /etc/passwd (XXE, CWE-611)
            file.writestr("[Content_Types].xml", "<Types/>")
            file.writestr("word/document.xml", _STEALS)
        paths = [*sorted(files_in(files)), hostile]
        note(f"Taking {count(len(paths) - 1, 'sample document')} and 1 hostile file into the collection {name!r} ...")
        return take(client, name, paths, {}, 0, len(paths))


def _asked(context: Context, client: Client, name: str, question: str, answerable: bool) -> dict[str, Any]:
    found = client.call("POST", f"/pai/v1/collections/{path_of(name)}/ask", json={"question": question})
    if not context.json:
        head = "" if answerable else " (the documents do not say; the right answer is none)"
        say(f"\n{question}{head}\n{answer_text(found)}")
    return {"question": question, "answerable": answerable, **found}


def _told(value: dict[str, Any]) -> str:
    verified, name = value["audit"], value["collection"]
    cited = sum(one["answerable"] and not one["abstained"] for one in value["answers"])
    missed = [one["question"] for one in value["answers"] if one["abstained"] is one["answerable"]]
    kept_back = sum(not one["answerable"] and one["abstained"] for one in value["answers"])
    lines = [
        "",
        "What was shown",
        f"  in       {count(value['documents'], 'document')}, each sealed under the key of its collection",
        *(f"  refused  {Path(one['path']).name}: {one['reason']}" for one in value["refused"]),
        f"  answered {count(cited, 'question')}; each quote stands word for word in its document",
        f"  refused  {count(kept_back, 'question')} that the documents do not answer, instead of inventing something",
        *(f"  MISSED   {question}" for question in missed),
        f"  audit    {'intact' if verified['ok'] else 'BROKEN'}: {verified['size']} events, root {verified['root']}",
        "  network  the kernel refuses the gateway and its workers every outside connection (layer by layer: pai doctor)",
        f'The collection "{name}" is kept; delete it with: pai collection delete "{name}"'
        if value["kept"]
        else f'The collection "{name}" is deleted again, key and all (`pai demo --keep` keeps it to look at in the browser).',
    ]
    return "\n".join(lines)
