"""A response as the events that OpenAI's clients expect, numbered in the order in which they are sent."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

from pai.core.conversations.output import ItemBegun, ItemEnded, Piece
from pai.core.conversations.responses import Begun, Ended, ResponseEvent
from pai.core.conversations.values import Called, Item, Response, ResponseStatus, Searched, Spoken, Thought
from pai.entrypoints.http.answers import logprob
from pai.entrypoints.http.server_events import named
from pai.entrypoints.openai_api import response_shapes as shapes
from pai.foundation.errors import PaiError

_LAST = {
    ResponseStatus.COMPLETED: "response.completed",
    ResponseStatus.INCOMPLETE: "response.incomplete",
}


async def events(
    first: ResponseEvent | None, coming: AsyncGenerator[ResponseEvent, None], *, searches: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a response. What fails on the way is told as ``response.failed``, the end of a credential as ``error``."""
    told = _Told(searches)
    event = first
    try:
        while event is not None:
            for name, fields in told.tell(event):
                yield told.numbered(name, fields)
            event = await anext(coming, None)
    except PaiError as error:
        name, fields = told.failed(error)
        yield told.numbered(name, fields)
    finally:
        # Reached also when the client goes away: closing the iterator stops the generation in the worker.
        await coming.aclose()


@dataclass(slots=True)
class _Told:
    """What was told so far."""

    searches: bool
    response: Response | None = None
    items: list[Item] = field(default_factory=list)
    number: int = -1

    def numbered(self, name: str, fields: dict[str, Any]) -> bytes:
        self.number += 1
        return named(name, {"type": name, "sequence_number": self.number, **fields})

    def tell(self, event: ResponseEvent) -> Iterator[tuple[str, dict[str, Any]]]:
        match event:
            case Begun(response):
                self.response = response
                yield "response.created", self._whole(response)
                yield "response.in_progress", self._whole(response)
            case ItemBegun(at, item):
                yield from _begun(at, item)
            case Piece(at, item, text, logprobs):
                place = {"item_id": item.id, "output_index": at, "content_index": 0, "delta": text}
                if isinstance(item, Thought):
                    yield "response.reasoning_text.delta", place
                else:
                    probable = [logprob(one) for one in logprobs]
                    yield "response.output_text.delta", {**place, "logprobs": probable}
            case ItemEnded(at, item):
                self.items.append(item)
                yield from self._ended(at, item)
            case Ended(response):
                yield _LAST[response.status], self._whole(response)

    def failed(self, error: PaiError) -> tuple[str, dict[str, Any]]:
        if self.response is None or error.status < 500:
            return "error", {"code": error.code, "message": error.message, "param": None}
        failed = dataclasses.replace(
            self.response, status=ResponseStatus.FAILED, message=error.message, output=tuple(self.items)
        )
        return "response.failed", self._whole(failed)

    def _whole(self, response: Response) -> dict[str, Any]:
        return {"response": shapes.response(response, searches=self.searches)}

    def _ended(self, at: int, item: Item) -> Iterator[tuple[str, dict[str, Any]]]:
        place: dict[str, Any] = {"item_id": item.id, "output_index": at}
        inside = {**place, "content_index": 0}
        match item:
            case Spoken():
                for n, one in enumerate(item.citations):
                    cited = {**inside, "annotation_index": n, "annotation": shapes.citation(one)}
                    yield "response.output_text.annotation.added", cited
                part = shapes.text_part(item)
                yield "response.output_text.done", {**inside, "text": item.text, "logprobs": part["logprobs"]}
                yield "response.content_part.done", {**inside, "part": part}
            case Thought():
                yield "response.reasoning_text.done", {**inside, "text": item.text}
                yield "response.content_part.done", {**inside, "part": shapes.thought_part(item.text)}
            case Called():
                yield "response.function_call_arguments.delta", {**place, "delta": item.arguments}
                yield "response.function_call_arguments.done", {**place, "name": item.name, "arguments": item.arguments}
            case Searched():
                yield "response.file_search_call.completed", place
        told = shapes.item(item, searches=self.searches)
        yield "response.output_item.done", {"output_index": at, "item": told}


def _begun(at: int, item: Item) -> Iterator[tuple[str, dict[str, Any]]]:
    empty = dataclasses.replace(item, passages=()) if isinstance(item, Searched) else item
    yield "response.output_item.added", {"output_index": at, "item": shapes.item(empty, status="in_progress")}
    place: dict[str, Any] = {"item_id": item.id, "output_index": at}
    match item:
        case Spoken():
            yield "response.content_part.added", {**place, "content_index": 0, "part": shapes.text_part(item)}
        case Thought():
            yield "response.content_part.added", {**place, "content_index": 0, "part": shapes.thought_part("")}
        case Searched():
            yield "response.file_search_call.in_progress", place
            yield "response.file_search_call.searching", place
        case _:
            pass
