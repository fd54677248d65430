"""Values as JSON, in the shapes that outside scripts rely on."""

from __future__ import annotations

from typing import Any

from pai.core.audit.values import Checkpoint, RecordedEvent, Verification
from pai.core.identity.values import ApiKey, Session, User
from pai.core.knowledge.ingest import JobReport
from pai.core.knowledge.sharing import Given
from pai.core.knowledge.values import Answer, Collection, Document, ItemState, Job, Source
from pai.core.models.values import Measurement, Model
from pai.foundation.time import to_text


def collection(value: Collection) -> dict[str, Any]:
    """A collection."""
    return {
        "id": value.id, "name": value.name, "owner": value.owner_id, "label": value.label.value, "purpose": value.purpose,
        "training": value.training.value, "shared_with": sorted(value.shared_with), "created_at": to_text(value.created_at),
    }  # fmt: skip


def share(value: Given) -> dict[str, Any]:
    """A share as its owner sees it."""
    return {
        "id": value.user_id, "email": value.email, "access": value.access.value,
        "expires_at": to_text(value.expires_at) if value.expires_at else None, "ended": value.ended,
    }  # fmt: skip


def document(value: Document) -> dict[str, Any]:
    """A document."""
    return {
        "id": value.id, "name": value.name, "collection_id": value.collection_id, "media_type": value.media_type, "size": value.size,
        "pages": value.pages, "chunks": value.chunks, "label": value.label.value, "created_at": to_text(value.created_at),
    }  # fmt: skip


def job(value: Job) -> dict[str, Any]:
    """A job."""
    return {
        "id": value.id, "kind": value.kind, "collection_id": value.collection_id, "state": value.state.value, "total": value.total,
        "done": value.done, "error": value.error, "created_at": to_text(value.created_at),
    }  # fmt: skip


def report(value: JobReport) -> dict[str, Any]:
    """A job with its files, in the shape of ``pai ingest --json``."""
    files: dict[str, list[dict[str, Any]]] = {"accepted": [], "skipped": [], "refused": []}
    for item in value.items:
        match item.state:
            case ItemState.ACCEPTED:
                files["accepted"].append(
                    {
                        "path": item.name,
                        "document": item.document_id,
                        "pages": item.pages,
                        "chunks": item.chunks,
                        "n": item.n,
                    }
                )
            case ItemState.SKIPPED:
                files["skipped"].append({"path": item.name, "reason": item.reason, "n": item.n})
            case ItemState.REFUSED:
                files["refused"].append({"path": item.name, "code": item.code, "reason": item.reason, "n": item.n})
            case ItemState.WAITING:
                pass
    return {**job(value.job), "collection": value.collection, **files}


def answer(value: Answer) -> dict[str, Any]:
    """An answer."""
    return {
        "answer": value.text, "abstained": value.abstained, "sources": [source(one) for one in value.sources],
        "nearest": [source(one) for one in value.nearest], "model": value.model, "receipt": value.receipt,
    }  # fmt: skip


def source(value: Source) -> dict[str, Any]:
    """A quote and where it stands."""
    return {
        "n": value.n, "document": value.document, "document_id": value.document_id, "chunk_id": value.chunk_id, "page": value.page,
        "place": value.place,
        "quote": value.quote,
    }  # fmt: skip


def event(value: RecordedEvent) -> dict[str, Any]:
    """An audit event."""
    return {**value.body, "index": value.index}


def verification(value: Verification) -> dict[str, Any]:
    """A verification of the audit log."""
    errors, notices = (
        [{"kind": one.kind, "index": one.index, "hint": one.hint} for one in found]
        for found in (value.errors, value.notices)
    )
    return {
        "ok": value.ok, "size": value.size, "root": value.root, "checkpoint": value.checkpoint, "errors": errors, "notices": notices,
    }  # fmt: skip


def checkpoint(value: Checkpoint) -> dict[str, Any]:
    """A checkpoint of the audit log."""
    return {"size": value.size, "root": value.root, "note": value.note}


def user(value: User) -> dict[str, Any]:
    """An account."""
    holder = "this server" if value.first_administrator else "the member"
    return {
        "id": value.id, "email": value.email, "role": value.role.value, "clearance": value.clearance.value,
        "key_holder": holder, "created_at": to_text(value.created_at),
        "disabled_at": to_text(value.disabled_at) if value.disabled_at else None,
    }  # fmt: skip


def key(value: ApiKey, owner: str = "") -> dict[str, Any]:
    """An API key without its secret."""
    return {
        "id": value.id, "name": value.name, "owner": owner or value.owner_id, "scopes": sorted(scope.value for scope in value.scopes),
        "content": value.content, "ceiling": value.ceiling.value, "networks": list(value.networks),
        "expires_at": to_text(value.expires_at) if value.expires_at else None,
        "used_at": to_text(value.used_at) if value.used_at else None,
        "revoked_at": to_text(value.revoked_at) if value.revoked_at else None,
    }  # fmt: skip


def session(value: Session) -> dict[str, Any]:
    """A browser session."""
    return {
        "id": value.id, "agent": value.agent, "address": value.address, "created_at": to_text(value.created_at),
        "seen_at": to_text(value.seen_at), "expires_at": to_text(value.expires_at), "methods": list(value.methods),
        "new_device": value.new_device,
    }  # fmt: skip


def measurement(value: Measurement) -> dict[str, Any]:
    """What was measured of a model."""
    return {
        "model": value.name, "processor": value.processor, "prompt_tokens": value.prompt_tokens,
        "prompt_tokens_per_second": round(value.prompt_rate, 1), "generated_tokens_per_second": round(value.answer_rate, 1),
        "question_seconds": round(value.question_seconds, 1), "load_seconds": value.load_seconds, "right": value.right,
        "questions": value.questions, "measured_at": value.measured_at.isoformat(),
    }  # fmt: skip


def model(value: Model) -> dict[str, Any]:
    """A model."""
    return {
        "name": value.name, "aliases": sorted(value.aliases), "task": value.task, "engine": value.engine, "format": value.format,
        "sha256": value.sha256, "size": value.size, "context_length": value.context_length, "active": value.active,
        "origin": value.record.origin, "licence": value.record.licence, "training_data": value.record.training_data,
        "known_gaps": value.record.known_gaps,
    }  # fmt: skip
