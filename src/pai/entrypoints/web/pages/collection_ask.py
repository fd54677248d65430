"""Ask: a question to a collection, the cited answer, and the passage behind each citation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pai.core.knowledge.answering import Considered, Finished, TextDelta
from pai.core.knowledge.values import Answer, Chunk
from pai.core.policy.values import Permission
from pai.entrypoints.http import shapes
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.markdown import trees
from pai.entrypoints.web.streaming import Event, Growing, lines
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound

MAX_QUESTION = 2000
NEARBY = 400
"""How many characters of the neighbouring passages are shown, for context."""


class Question(BaseModel):
    """POST /ask/questions."""

    model_config = ConfigDict(extra="forbid")
    collection: str = Field(min_length=1, max_length=60)
    question: str = Field(min_length=1, max_length=MAX_QUESTION)


def add(router: APIRouter, services: Services) -> None:
    """Register ``/ask``, ``/ask/questions`` and ``/documents/{document}/passages/{passage}``."""

    @guarded(router, "GET", "/ask", Permission.COLLECTION_LIST)
    async def ask_page(
        request: Request, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_LIST))],
        collection: Annotated[str, Query(max_length=60)] = "",
    ) -> Response:  # fmt: skip
        """Show the question form."""
        found = sorted(await services.collections.list(actor), key=lambda one: one.name.lower())
        return page("ask", collections=found, chosen=collection, **shell(request, actor))

    @guarded(router, "POST", "/ask/questions", Permission.ASK)
    async def ask(
        request: Request, body: Question, actor: Annotated[Actor, Depends(requires(Permission.ASK))]
    ) -> Response:
        """Stream the answer: its blocks, its sources, or that the documents do not hold it."""
        return await lines(request, actor, _events(services, actor, body))

    @guarded(router, "GET", "/documents/{document}/passages/{passage}", Permission.COLLECTION_READ)
    async def show_passage(
        document: str, passage: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))],
        quote: Annotated[str, Query(max_length=4000)] = "",
    ) -> JSONResponse:  # fmt: skip
        """Return a passage with its neighbours, cut where the quote begins and ends."""
        found, passages = await services.collections.passages(actor, document)
        return JSONResponse({"document": found.name, **_cut(passages, passage, quote)})


async def _events(services: Services, actor: Actor, body: Question) -> AsyncGenerator[Event, None]:
    growing = Growing(citations=True)
    async with aclosing(services.answering.ask_stream(actor, body.collection, body.question)) as stream:
        async for event in stream:
            match event:
                case Considered(sources):
                    yield {"type": "considered", "passages": len(sources)}
                case TextDelta(text):
                    for told in growing.add(text):
                        yield told
                case Finished(answer):
                    yield _finished(answer)


def _finished(answer: Answer) -> Event:
    # The whole answer once more: what is shown in the end is what was checked and recorded.
    blocks = [] if answer.abstained else trees(answer.text, citations=True)
    return {"type": "done", "blocks": blocks, **shapes.answer(answer)}


def _cut(passages: Sequence[Chunk], wanted: str, quote: str) -> dict[str, Any]:
    at = next((n for n, one in enumerate(passages) if one.id == wanted), None)
    if at is None:
        raise NotFound("no such passage", hint="the document may have been replaced since the answer was given")
    chunk = passages[at]
    before, found, after = chunk.text.partition(quote) if quote else (chunk.text, "", "")
    previous = passages[at - 1].text[-NEARBY:] if at else ""
    following = passages[at + 1].text[:NEARBY] if at + 1 < len(passages) else ""
    return {
        "page": chunk.page, "heading": chunk.heading, "before": before, "quote": found, "after": after,
        "previous": previous, "next": following,
    }  # fmt: skip
