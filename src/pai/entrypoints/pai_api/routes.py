"""Collections, documents, jobs, questions and keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pai.core.knowledge.answering import AskEvent, Considered, Finished, TextDelta
from pai.core.policy.values import Permission
from pai.entrypoints.http import shapes
from pai.entrypoints.http.app import error_body
from pai.entrypoints.http.authentication import clear_session_cookie
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.server_events import named
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.http.uploads import arriving_files
from pai.foundation.actor import Actor, Scope
from pai.foundation.errors import PaiError
from pai.foundation.labels import Label, parse_label
from pai.foundation.refs import DEFAULT_PURPOSE

router = APIRouter(prefix="/pai/v1")


class NewCollection(BaseModel):
    """POST /pai/v1/collections."""

    model_config = ConfigDict(extra="forbid")
    name: str
    label: str = Label.CONFIDENTIAL.value
    purpose: str = DEFAULT_PURPOSE


class Question(BaseModel):
    """POST /pai/v1/collections/{id}/ask."""

    model_config = ConfigDict(extra="forbid")
    question: str
    purpose: str | None = None
    model: str = Field("default", min_length=1, max_length=200)
    stream: bool = False


class NewKey(BaseModel):
    """POST /pai/v1/keys."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: AwareDatetime | None = None
    ceiling: Label = Label.RESTRICTED
    networks: list[str] = Field(default_factory=list, max_length=32)


@guarded(router, "GET", "/me", Permission.SELF)
async def me(actor: Annotated[Actor, Depends(requires(Permission.SELF))]) -> dict[str, Any]:
    """Tell who this credential is."""
    scopes = sorted(scope.value for scope in actor.scopes) if actor.scopes is not None else None
    return {
        "id": actor.id, "email": actor.name, "role": actor.role.value if actor.role else None, "key": actor.key_id,
        "session": actor.session_id, "ceiling": actor.ceiling.value,
        "scopes": scopes, "opens_content": actor.unlocked is not None,
    }  # fmt: skip


@guarded(router, "GET", "/openapi.json", Permission.API_REFERENCE)
async def openapi(request: Request) -> dict[str, Any]:
    """Describe this API."""
    described: dict[str, Any] = request.app.openapi()
    return described


@guarded(router, "GET", "/collections", Permission.COLLECTION_LIST)
async def list_collections(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_LIST))]
) -> dict[str, Any]:
    """List one's own and shared collections."""
    found = await services_of(request).collections.list(actor)
    return {"collections": [shapes.collection(value) for value in found]}


@guarded(router, "POST", "/collections", Permission.COLLECTION_CREATE, status_code=201)
async def create_collection(
    request: Request, body: NewCollection, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_CREATE))]
) -> dict[str, Any]:
    """Make a collection."""
    made = await services_of(request).collections.create(actor, body.name, parse_label(body.label), body.purpose)
    return shapes.collection(made)


@guarded(router, "DELETE", "/collections/{collection}", Permission.COLLECTION_DELETE)
async def delete_collection(
    request: Request, collection: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_DELETE))]
) -> dict[str, Any]:
    """Delete a collection with everything in it."""
    return {"deleted": (await services_of(request).collections.delete(actor, collection)).id}


@guarded(router, "GET", "/collections/{collection}/documents", Permission.COLLECTION_READ)
async def list_documents(
    request: Request, collection: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))]
) -> dict[str, Any]:
    """List a collection's documents."""
    found = await services_of(request).collections.documents(actor, collection)
    return {"documents": [shapes.document(value) for value in found]}


@guarded(router, "POST", "/collections/{collection}/documents", Permission.INGEST, status_code=202)
async def ingest(
    request: Request, collection: str, actor: Annotated[Actor, Depends(requires(Permission.INGEST))]
) -> dict[str, Any]:
    """Take files in (multipart, field ``file``, repeated); before them optional fields ``subject`` (repeated), ``subject_column``."""
    async with arriving_files(request, actor) as files:
        return shapes.job(await services_of(request).ingest.submit(actor, collection, files))


@guarded(router, "GET", "/documents/{document}", Permission.COLLECTION_READ)
async def show_document(
    request: Request, document: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))]
) -> dict[str, Any]:
    """Show a document's passages."""
    found, passages = await services_of(request).collections.passages(actor, document)
    told = [{"id": p.id, "page": p.page, "heading": p.heading, "text": p.text} for p in passages]
    return {**shapes.document(found), "passages": told}


@guarded(router, "DELETE", "/documents/{document}", Permission.DOCUMENT_DELETE)
async def delete_document(
    request: Request, document: str, actor: Annotated[Actor, Depends(requires(Permission.DOCUMENT_DELETE))]
) -> dict[str, Any]:
    """Delete a document."""
    await services_of(request).collections.delete_document(actor, document)
    return {"deleted": document}


@guarded(router, "GET", "/jobs", Permission.JOB_READ)
async def list_jobs(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.JOB_READ))]
) -> dict[str, Any]:
    """List one's own jobs."""
    return {"jobs": [shapes.job(value) for value in await services_of(request).ingest.jobs(actor)]}


@guarded(router, "GET", "/jobs/{job}", Permission.JOB_READ)
async def show_job(
    request: Request, job: str, actor: Annotated[Actor, Depends(requires(Permission.JOB_READ))]
) -> dict[str, Any]:
    """Show a job and its files."""
    return shapes.report(await services_of(request).ingest.report(actor, job))


@guarded(router, "DELETE", "/jobs/{job}", Permission.JOB_READ)
async def cancel_job(
    request: Request, job: str, actor: Annotated[Actor, Depends(requires(Permission.JOB_READ))]
) -> dict[str, Any]:
    """Cancel a job."""
    return shapes.job(await services_of(request).ingest.cancel(actor, job))


@guarded(router, "POST", "/collections/{collection}/ask", Permission.ASK)
async def ask(
    request: Request, collection: str, body: Question, actor: Annotated[Actor, Depends(requires(Permission.ASK))]
) -> Any:
    """Answer a question from a collection, with quotes; with ``stream`` as events ``considered``, ``text``, ``answer``."""
    service = services_of(request).answering
    options: dict[str, Any] = {"purpose": body.purpose, "model": body.model}
    asked = service.ask_stream(actor, collection, body.question, **options)
    events = while_valid(request, actor, asked, watch_reader=True)
    if not body.stream:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Finished):
                    return shapes.answer(event.answer)
    first = await first_of(events)  # what is refused before the first event gets its status
    return PieceResponse(_told(request, first, events), events, media_type="text/event-stream")


async def _told(
    request: Request, first: AskEvent | None, events: AsyncGenerator[AskEvent, None]
) -> AsyncGenerator[bytes, None]:
    event = first
    try:
        while event is not None:
            match event:
                case Considered(sources):
                    yield named("considered", {"sources": len(sources)})
                case TextDelta(text):
                    yield named("text", {"text": text})
                case Finished(answer):
                    yield named("answer", shapes.answer(answer))
            event = await anext(events, None)
    except PaiError as error:
        yield named("error", error_body(request, error))
    finally:
        await events.aclose()


@guarded(router, "GET", "/sessions", Permission.SESSIONS)
async def list_sessions(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.SESSIONS))]
) -> dict[str, Any]:
    """List one's own live browser sessions."""
    found = await services_of(request).sessions.list(actor)
    return {"sessions": [{**shapes.session(value), "current": value.id == actor.session_id} for value in found]}


@guarded(router, "DELETE", "/sessions/{session}", Permission.SESSIONS)
async def end_session(
    request: Request, response: Response, session: str, actor: Annotated[Actor, Depends(requires(Permission.SESSIONS))]
) -> dict[str, Any]:
    """End one of one's own sessions, at once and on open streams too."""
    await services_of(request).sessions.kill(actor, session)
    if session == actor.session_id:
        clear_session_cookie(response)
    return {"ended": session}


@guarded(router, "GET", "/keys", Permission.KEYS)
async def list_keys(request: Request, actor: Annotated[Actor, Depends(requires(Permission.KEYS))]) -> dict[str, Any]:
    """List one's own keys."""
    return {"keys": [shapes.key(value) for value in await services_of(request).keys.list(actor)]}


@guarded(router, "POST", "/keys", Permission.KEYS, status_code=201)
async def create_key(
    request: Request, body: NewKey, actor: Annotated[Actor, Depends(requires(Permission.KEYS))]
) -> dict[str, Any]:
    """Make a key for oneself, with no more scopes than this credential has."""
    made = await services_of(request).keys.create(
        actor, owner=actor.name, name=body.name, scopes=frozenset(body.scopes), expires_at=body.expires_at,
        ceiling=body.ceiling, networks=body.networks,
    )  # fmt: skip
    return {**shapes.key(made.key, actor.name), "key": made.text}


@guarded(router, "DELETE", "/keys/{key}", Permission.KEYS)
async def revoke_key(
    request: Request, key: str, actor: Annotated[Actor, Depends(requires(Permission.KEYS))]
) -> dict[str, Any]:
    """Revoke one of one's own keys."""
    await services_of(request).keys.revoke(actor, key)
    return {"revoked": key}
