"""Commands on content: HTTPS clients with an API key."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from pai.entrypoints.cli.client import Client, answer_of, connect, unreachable
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.evidence_files import write_new
from pai.entrypoints.cli.output import answer_text, count, note, say, utf8
from pai.foundation.errors import PaiError, Usage

OPEN_STATES = ("queued", "running")
FILES_PER_JOB = 50
BYTES_PER_JOB = 256 << 20
"""Well below what a server takes in one body, so that one large file does not turn the others away with it."""
KINDS = ("accepted", "skipped", "refused")


def path_of(name: str) -> str:
    """Return a name as one segment of an address."""
    return quote(name, safe="")


@click.group()
def document() -> None:
    """Documents. Example: pai document list letters"""


@document.command("list")
@click.argument("collection")
@as_json
@click.pass_obj
def document_list(context: Context, collection: str, json_: bool) -> None:
    """List a collection's documents."""
    with connect(context) as client:
        value = client.call("GET", f"/pai/v1/collections/{path_of(collection)}/documents")
    show(
        context,
        value,
        "\n".join(f"{d['id']}  {d['name']}  {count(d['pages'], 'page')}" for d in value["documents"])
        or "no documents yet",
    )


@document.command("show")
@click.argument("id")
@as_json
@click.pass_obj
def document_show(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Show a document's passages."""
    with connect(context) as client:
        value = client.call("GET", f"/pai/v1/documents/{path_of(id)}")
    show(context, value, "\n\n".join(f"[page {p['page']}] {p['heading']}\n{p['text']}" for p in value["passages"]))


@document.command("delete")
@click.argument("id")
@as_json
@click.pass_obj
def document_delete(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Delete a document with everything derived from it."""
    with connect(context) as client:
        show(context, client.call("DELETE", f"/pai/v1/documents/{path_of(id)}"), f"{id} is deleted")


@click.group()
def job() -> None:
    """Jobs. Example: pai job list"""


@job.command("list")
@as_json
@click.pass_obj
def job_list(context: Context, json_: bool) -> None:
    """List one's own jobs."""
    with connect(context) as client:
        value = client.call("GET", "/pai/v1/jobs")
    show(
        context,
        value,
        "\n".join(f"{j['id']}  {j['state']}  {j['done']}/{j['total']}" for j in value["jobs"]) or "no jobs yet",
    )


@job.command("show")
@click.argument("id")
@as_json
@click.pass_obj
def job_show(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Show a job and its files."""
    with connect(context) as client:
        value = client.call("GET", f"/pai/v1/jobs/{path_of(id)}")
    show(context, value, f"{value['state']}: {value['done']} of {count(value['total'], 'file')}")


@job.command("cancel")
@click.argument("id")
@as_json
@click.pass_obj
def job_cancel(context: Context, id: str, json_: bool) -> None:  # noqa: A002
    """Cancel a job; documents that are in stay in."""
    with connect(context) as client:
        show(context, client.call("DELETE", f"/pai/v1/jobs/{path_of(id)}"), f"{id} is cancelled")


@click.command()
@click.argument("name")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--subject", "subjects", multiple=True, help="A data subject that the files are about (name or alias); repeatable."
)
@click.option("--subject-column", help="A table column that names data subjects.")
@as_json
@click.pass_obj
def ingest(
    context: Context,
    name: str,
    paths: tuple[str, ...],
    subjects: tuple[str, ...],
    subject_column: str | None,
    json_: bool,
) -> int:
    """Take files or folders into a collection. Exit code 0: all in; 3: some refused; 1: all refused.

    Example: pai ingest letters ./letters invoice.xlsx --subject "Ada Example"
    """
    files = [file for path in paths for file in files_in(Path(path))]
    if not files:
        raise Usage("there are no files at " + ", ".join(paths), code="no_files")
    value: dict[str, Any] = {"collection": name, "accepted": [], "skipped": [], "refused": []}
    with connect(context) as client:
        about: dict[str, Any] = {"subject": list(subjects)} | (
            {"subject_column": subject_column} if subject_column else {}
        )
        before = 0
        for batch in _batches(files):
            told = take(client, name, batch, about, before, len(files))
            before += len(batch)
            for kind in KINDS:
                value[kind] += told[kind]
    lines = [
        f"in       {f['path']} ({count(f['pages'], 'page')}, {count(f['chunks'], 'passage')})"
        for f in value["accepted"]
    ]
    lines += [f"skipped  {f['path']}: {f['reason']}" for f in value["skipped"]]
    lines += [f"refused  {f['path']}: {f['reason']} [{f['code']}]" for f in value["refused"]]
    show(context, value, "\n".join([*lines, _closing(value)]))
    if not value["refused"]:
        return 0
    return 3 if value["accepted"] or value["skipped"] else 1


def _closing(value: dict[str, Any]) -> str:
    told = [f"{count(len(value['accepted']), 'document')} in"]
    if value["skipped"]:
        told.append(f"{len(value['skipped'])} skipped")
    if value["refused"]:
        told.append(f"{len(value['refused'])} refused (see above)")
    return ", ".join(told)


def files_in(path: Path) -> Iterator[Path]:
    """Yield the plain files of a folder, or the one file; hidden ones are left out. Raises Usage when there is neither."""
    if path.is_dir():
        for folder, folders, names in os.walk(path, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (
                Path(folder) / name
                for name in sorted(names)
                if not name.startswith(".") and _plain(Path(folder) / name)
            )
    elif path.exists() and _plain(path):
        yield path
    else:
        raise Usage(f"{path} is not a file or folder", code="no_files")


def _plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # a broken link, say: told with the others when it cannot be opened


def _batches(files: list[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for file in files:
        length = file.stat().st_size if file.exists() else 0
        if batch and (len(batch) == FILES_PER_JOB or size + length > BYTES_PER_JOB):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += length
    yield batch


def take(
    client: Client, name: str, batch: list[Path], about: dict[str, Any], before: int, total: int
) -> dict[str, list[dict[str, Any]]]:
    """Send some files and wait; return what became of each. Too much for the server at once is sent in halves."""
    value: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as stack:
        opened = list(_opened(stack, batch, value["refused"]))
        sent = [path for path, _ in opened]
        if not sent:
            return value
        try:
            found = _wait(client, _submit(client, name, [file for _, file in opened], about), before, total)
        except PaiError as error:
            if error.code != "too_large":
                raise
            if len(sent) == 1:
                value["refused"].append(_refused(sent[0], error.code, error.message))
                return value
            middle = len(sent) // 2
            one = take(client, name, sent[:middle], about, before, total)
            other = take(client, name, sent[middle:], about, before + middle, total)
            return {kind: value[kind] + one[kind] + other[kind] for kind in KINDS}
    for kind in KINDS:
        value[kind] += [{**{k: v for k, v in f.items() if k != "n"}, "path": str(sent[f["n"]])} for f in found[kind]]
    done = {f["n"] for kind in KINDS for f in found[kind]}
    left = [path for n, path in enumerate(sent) if n not in done]
    value["refused"] += [_refused(path, found["state"], found["error"] or "not reached") for path in left]
    return value


def _opened(
    stack: contextlib.ExitStack, batch: list[Path], refused: list[dict[str, Any]]
) -> Iterator[tuple[Path, Any]]:
    for path in batch:
        try:
            file = stack.enter_context(path.open("rb"))
        except OSError as error:
            refused.append(_refused(path, "unreadable", f"it cannot be read: {error.strerror}"))
        else:
            # The name is only shown: where its bytes are no UTF-8, it goes with marks instead of not at all.
            yield path, ("file", (utf8(path.name), file))


def _refused(path: Path, code: str, reason: str) -> dict[str, Any]:
    return {"path": str(path), "code": code, "reason": reason}


def _submit(client: Client, name: str, files: list[Any], about: dict[str, Any]) -> str:
    import httpx

    try:
        response = client.http.post(f"/pai/v1/collections/{path_of(name)}/documents", files=files, data=about)
    except httpx.HTTPError as error:
        raise unreachable(client.http.base_url, error) from None
    return str(answer_of(response)["id"])


def _wait(client: Client, job_id: str, before: int, total: int) -> Any:
    pause, last = 0.05, -1
    while True:
        told = client.call("GET", f"/pai/v1/jobs/{job_id}")
        if told["done"] != last:
            last = told["done"]
            note(f"  {before + last} of {count(total, 'file')}")
        if told["state"] not in OPEN_STATES:
            return told
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


@click.command()
@click.argument("name")
@click.argument("question")
@click.option("--purpose", help="Why you ask; it must be the collection's purpose.")
@click.option(
    "--receipt", type=click.Path(path_type=Path), help="Save the signed receipt of the answer in this new file."
)
@as_json
@click.pass_obj
def ask(context: Context, name: str, question: str, purpose: str | None, receipt: Path | None, json_: bool) -> None:
    """Ask a collection. Every quote of the answer stands word for word in its source. The receipt binds question, answer, model,
    sources and decision to the audit log, without their texts; the program that comes with `pai audit export` checks it.

    Example: pai ask letters "When is the next appointment?" --receipt appointment.receipt.json
    """
    with connect(context) as client:
        value = client.call(
            "POST", f"/pai/v1/collections/{path_of(name)}/ask", json={"question": question, "purpose": purpose}
        )
    if receipt is not None:
        write_new(receipt, json.dumps(value["receipt"], indent=2) + "\n")
    show(context, value, answer_text(value))


@click.command()
@click.option("--model", default="default", show_default=True)
@click.pass_obj
def chat(context: Context, model: str) -> None:
    """Chat in the terminal; an empty line or Ctrl-D ends. Example: pai chat"""
    import httpx

    messages: list[dict[str, str]] = []
    with connect(context) as client:
        while True:
            try:
                text = input("> ").strip()
            except EOFError:
                return
            if not text:
                return
            messages.append({"role": "user", "content": text})
            answer = ""
            body = {"model": model, "messages": messages, "stream": True}
            try:
                with client.http.stream("POST", "/v1/chat/completions", json=body) as response:
                    if response.status_code != 200:
                        response.read()
                        answer_of(response)
                    for line in response.iter_lines():
                        if line.startswith("data: {"):
                            for choice in json.loads(line[6:]).get("choices", ()):
                                piece = choice["delta"].get("content") or ""
                                answer += piece
                                click.echo("".join(c for c in piece if c.isprintable() or c in "\n\t"), nl=False)
            except httpx.HTTPError as error:
                raise unreachable(client.http.base_url, error) from None
            say("")
            messages.append({"role": "assistant", "content": answer})
