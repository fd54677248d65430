"""Commands that see and hear: HTTPS clients with an API key of the scope perception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pai.core.perception.captions import plain, srt, vtt
from pai.core.perception.values import Segment
from pai.entrypoints.cli.client import Client, answer_of, connect, unreachable
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import note, utf8
from pai.foundation.errors import PaiError

_label = click.option(
    "--label", default="confidential", show_default=True,
    help="public, internal, confidential or restricted: what the key may touch is held against it, and the result carries it",
)  # fmt: skip


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_label
@as_json
@click.pass_obj
def ocr(context: Context, file: Path, label: str, json_: bool) -> None:
    """Read the text of a scan or a photo: PDF, PNG, JPEG, WebP, GIF or TIFF, upright or not. With --json each line comes with its box
    and how sure the model is of it. Nothing is kept; `pai ingest` takes scans into a collection.

    Example: pai ocr scan.pdf > scan.txt
    """
    pages: list[dict[str, Any]] = []
    value: dict[str, Any] = {}
    with connect(context) as client:
        for name, told in _events(client, "/pai/v1/ocr", file, {"label": label}):
            if name == "page":
                pages.append(told)
                if told["of"] > 1:
                    note(f"  page {told['page']} of {told['of']}")
            else:
                value = told
    text = "\n\n".join(page["text"] for page in pages)
    show(context, {**value, "pages": pages, "text": text}, text)


def _events(client: Client, path: str, file: Path, fields: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (event, value) of an answer that comes in pieces, until ``done``. Raises PaiError as the server told it, also when it
    stopped before that."""
    import httpx

    try:
        with (
            file.open("rb") as data,
            client.http.stream(
                "POST", path, data={**fields, "stream": "true"}, files={"file": (utf8(file.name), data)}
            ) as response,
        ):
            if response.status_code != 200:
                response.read()
                answer_of(response)
            name = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    value = json.loads(line[6:])
                    if name == "error":
                        error = value["error"]
                        raise PaiError(error["message"], code=error["code"], hint=error["hint"])
                    yield name, value
                    if name == "done":
                        return
    except httpx.HTTPError as error:
        raise unreachable(client.http.base_url, error) from None
    raise PaiError("the answer breaks off", code="cut_off", hint="try again; see `pai status`")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "srt", "vtt"]), default="text", show_default=True)
@click.option("--language", default="", help="A code of ISO 639-1, such as en. Default: found out.")
@click.option("--translate", is_flag=True, help="Into English.")
@click.option("--prompt", default="", help="Text that might have come before: names, and how they are spelt.")
@click.option("--model", default="default-transcription", show_default=True)
@_label
@as_json
@click.pass_obj
def transcribe(
    context: Context,
    file: Path,
    form: str,
    language: str,
    translate: bool,
    prompt: str,
    model: str,
    label: str,
    json_: bool,
) -> None:
    """Write down what is said in a recording: WAV, FLAC, Ogg or MP3 of up to 12 hours. Times are seconds. Nothing is kept.

    It needs a model (`pai models add whisper-base`) and the extra `make speech`. Example: pai transcribe interview.mp3 --format srt
    """
    segments: list[Segment] = []
    value: dict[str, Any] = {}
    fields = {
        "label": label,
        "model": model,
        "language": language,
        "prompt": prompt,
        "task": "translate" if translate else "transcribe",
    }
    with connect(context) as client:
        for name, told in _events(client, "/pai/v1/transcriptions", file, {k: v for k, v in fields.items() if v}):
            if name == "heard":
                segments += [Segment(**one) for one in told["segments"]]
                note(f"  {_clock(told['until'])} of {_clock(told['total'])}")
            else:
                value = told
    text = {"text": plain, "srt": srt, "vtt": vtt}[form](segments)
    shown = [{"start": one.start, "end": one.end, "text": one.text} for one in segments]
    show(context, {**value, "segments": shown, "text": plain(segments)}, text.rstrip("\n"))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
