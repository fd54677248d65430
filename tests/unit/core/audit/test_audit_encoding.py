from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from pai.core.audit import encoding, tree
from pai.core.audit.values import Event
from pai.foundation.actor import Actor, ActorKind, Role
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef, ResourceRef, SubjectRef

AT = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
ACTOR = Actor("usr_1", "owner@pai.test", ActorKind.PERSON, Role.MEMBER, session_id="ses_1", unlocked="handle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Event):
    name: ClassVar[str] = ""
    pages: int = 0
    extra: Any = None


def test_known_bytes_of_an_event() -> None:
    event = Read(
        resource=ResourceRef("document", "doc_1", owner="usr_1", label=Label.CONFIDENTIAL),
        subjects=(SubjectRef("sub_1"),),
        model=ModelRef("small", "ab" * 32),
        pages=3,
    )
    data = encoding.encode(encoding.body_of(ACTOR, event, AT))
    assert data == (
        b'{"actor":{"id":"usr_1","key":null,"kind":"person","role":"member","session":"ses_1"},'
        b'"at":"2026-01-31T09:00:00.000000Z","extra":null,"label":null,'
        b'"model":{"name":"small","sha256":"' + b"ab" * 32 + b'"},"name":"","outcome":"done","pages":3,"purpose":null,'
        b'"reason":"","resource":{"id":"doc_1","kind":"document","label":"confidential","owner":"usr_1","purpose":null},'
        b'"subjects":["sub_1"]}'
    )
    assert encoding.encode(encoding.decode(data)) == data


def test_names_and_handles_of_the_actor_are_left_out() -> None:
    data = encoding.encode(encoding.body_of(ACTOR, Read(), AT))
    assert b"owner@pai.test" not in data
    assert b"handle" not in data


@pytest.mark.parametrize("value", [1.5, b"bytes", {"a": 1}, object(), [0.1]])
def test_what_is_not_plain_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encoding.body_of(ACTOR, Read(extra=value), AT)


@pytest.mark.parametrize("data", [b"[]", b"1", b"{", b"\xff"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        encoding.decode(data)


def test_the_leaf_hides_the_body_behind_its_salt() -> None:
    salt, body = bytes(16), b"{}"
    assert encoding.leaf_of(salt, body) == tree.leaf_hash(b"\x01" + hashlib.sha256(salt + body).digest())
    assert encoding.leaf_of(b"\x01" * 16, body) != encoding.leaf_of(salt, body)
