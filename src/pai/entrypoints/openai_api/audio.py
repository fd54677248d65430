"""Transcripts and translations of recordings in OpenAI's shapes. Nothing of a recording is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pai.core.perception.captions import plain, srt, vtt
from pai.core.perception.values import Heard, Segment, Wish
from pai.core.policy.values import Permission
from pai.entrypoints.http.dialects import error_body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.server_events import data
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.http.uploads import ArrivingFiles, arriving_files
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError, Unsupported
from pai.foundation.labels import Label, parse_label

router = APIRouter(prefix="/v1")
Listening = Annotated[Actor, Depends(requires(Permission.HEAR))]
_FIELDS: Final = (
    "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]", "stream", "include[]", "label",
)  # fmt: skip
_FORMATS: Final = ("json", "text", "srt", "verbose_json", "vtt")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a client wants: how to listen, and the shape of the answer."""

    model: str
    wish: Wish
    format: str
    stream: bool
    label: Label


@guarded(router, "POST", "/audio/transcriptions", Permission.HEAR)
async def create_transcription(request: Request, actor: Listening) -> Any:
    """Write down what is said in a recording (multipart, field ``file``), as json, text, srt, vtt or verbose_json."""
    return await _answer(request, actor, translate=False)


@guarded(router, "POST", "/audio/translations", Permission.HEAR)
async def create_translation(request: Request, actor: Listening) -> Any:
    """Write down in English what is said in a recording in another language."""
    return await _answer(request, actor, translate=True)


async def _answer(request: Request, actor: Actor, *, translate: bool) -> Any:
    hearing = services_of(request).hearing
    async with arriving_files(request, actor, fields=_FIELDS, most=1, late=True) as arriving:
        # Clients send fields before or after the file: all are known once it is here.
        recording = await hearing.take(actor, arriving[0].data)
    try:
        asked = _asked(arriving, translate=translate)
        model = await hearing.listener(actor, asked.label, asked.model, asked.wish)
        parts = while_valid(request, actor, hearing.hear(model, recording, asked.wish), watch_reader=not asked.stream)
        first = await first_of(parts)  # what is refused before anything is heard gets its status
    except BaseException:
        recording.close()
        raise
    if asked.stream:
        return PieceResponse(_told(request, first, parts), parts, media_type="text/event-stream")
    heard = [first] if first is not None else []
    async with aclosing(parts):
        heard += [part async for part in parts]
    return _shaped(asked, heard)


def _asked(arriving: ArrivingFiles, *, translate: bool) -> _Asked:
    def told(name: str) -> str:
        return arriving.values.get(name, [""])[-1]

    form = told("response_format") or "json"
    if form not in _FORMATS:
        raise Invalid(
            f"response_format {form[:40]!r} is not known", code="bad_format", hint=f"one of {', '.join(_FORMATS)}"
        )
    if "word" in arriving.values.get("timestamp_granularities[]", ()):
        raise Unsupported("times of words are not told", code="unsupported_parameter", hint="ask for segments")
    if arriving.values.get("include[]"):
        raise Unsupported(
            "include is not supported", code="unsupported_parameter", hint="leave it out; verbose_json tells logprobs"
        )
    stream = told("stream").lower()
    try:
        temperature = float(told("temperature") or 0)
    except ValueError:
        raise Invalid("the temperature is no number", code="bad_temperature", hint="0 to 1") from None
    if stream not in ("", "true", "false"):
        raise Invalid("stream is true or false", code="bad_field", hint="leave it out for false")
    wish = Wish(told("language").lower(), translate, told("prompt"), temperature)
    label = parse_label(told("label") or Label.CONFIDENTIAL.value)
    if not told("model"):
        raise Invalid("model is missing", code="missing_field", hint="such as default-transcription")
    return _Asked(told("model"), wish, form, stream == "true", label)


def _shaped(asked: _Asked, heard: Iterable[Heard]) -> Response:
    parts = list(heard)
    segments = [one for part in parts for one in part.segments]
    text = plain(segments)
    headers = {"x-pai-label": asked.label.value}
    if asked.format in ("text", "srt", "vtt"):
        written = {"text": lambda _: text + "\n", "srt": srt, "vtt": vtt}[asked.format](segments)
        kind = "text/vtt" if asked.format == "vtt" else "text/plain"
        return PlainTextResponse(written, media_type=kind, headers=headers)
    seconds = parts[-1].total if parts else 0.0
    usage = {"type": "duration", "seconds": round(seconds)}
    if asked.format == "json":
        return JSONResponse({"text": text, "usage": usage}, headers=headers)
    told = {
        "task": "translate" if asked.wish.translate else "transcribe", "language": parts[-1].language if parts else "",
        "duration": round(seconds, 2), "text": text, "segments": [_segment(n, one, asked) for n, one in enumerate(segments)],
        "usage": usage,
    }  # fmt: skip
    return JSONResponse(told, headers=headers)


def _segment(n: int, one: Segment, asked: _Asked) -> dict[str, Any]:
    return {
        "id": n, "seek": round(one.start * 100), "start": one.start, "end": one.end, "text": one.text, "tokens": [],
        "temperature": asked.wish.temperature, "avg_logprob": one.logprob, "compression_ratio": 1.0, "no_speech_prob": one.silence,
    }  # fmt: skip


async def _told(
    request: Request, first: Heard | None, rest: AsyncGenerator[Heard, None]
) -> AsyncGenerator[bytes, None]:
    part, said = first, list[str]()
    try:
        while part is not None:
            for one in part.segments:
                delta = (" " if said else "") + one.text
                said.append(one.text)
                yield data({"type": "transcript.text.delta", "delta": delta})
            part = await anext(rest, None)
        yield data({"type": "transcript.text.done", "text": " ".join(said)})
    except PaiError as error:
        yield data({"type": "error", **error_body(request, error)})
    finally:
        await rest.aclose()
