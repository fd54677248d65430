"""Canonical bytes of events: JSON with sorted keys, no spaces, no floats, UTC times as text."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from pai.core.audit.tree import leaf_hash
from pai.core.audit.values import Event
from pai.foundation.actor import Actor
from pai.foundation.refs import ModelRef, ResourceRef, SubjectRef
from pai.foundation.time import to_text

LEAF_VERSION = b"\x01"
SALT_BYTES = 16


def body_of(actor: Actor, event: Event, at: datetime) -> dict[str, Any]:
    """Return the JSON body of an event. Raises TypeError for a field that is not plain."""
    fields = {field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}
    who = {
        "id": actor.id, "kind": actor.kind.value, "role": actor.role.value if actor.role else None,
        "session": actor.session_id, "key": actor.key_id,
    }  # fmt: skip
    return {"at": to_text(at), "name": event.name, "actor": who, **fields}


def encode(body: Any) -> bytes:
    """Return the canonical bytes of a body, or of another value of plain JSON."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def decode(data: bytes) -> dict[str, Any]:
    """Return the body of canonical bytes. Raises ValueError when it is not a JSON object."""
    body = json.loads(data)
    if not isinstance(body, dict):
        raise TypeError("an event body is not an object")
    return body


def documents_of(body: Mapping[str, Any]) -> set[str]:
    """Return the ids of the documents that an event names."""
    resource = body.get("resource") or {}
    named = [resource.get("id"), body.get("document")]
    for field in ("documents", "sources"):
        listed = body.get(field)
        named += listed if isinstance(listed, list) else []
    return {one for one in named if isinstance(one, str) and one.startswith("doc_")}


def leaf_of(salt: bytes, body: bytes) -> bytes:
    """Return the leaf hash of a salted body; with both erased the tree stays valid and the content unguessable."""
    return leaf_hash(LEAF_VERSION + hashlib.sha256(salt + body).digest())


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, SubjectRef):
        return value.id
    if isinstance(value, ModelRef):
        return {"name": value.name, "sha256": value.sha256}
    if isinstance(value, ResourceRef):
        return {
            "kind": value.kind, "id": value.id, "owner": value.owner,
            "label": value.label.value if value.label else None, "purpose": value.purpose,
        }  # fmt: skip
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    raise TypeError(f"an audit event field holds {type(value).__name__}, which is not plain data")
