"""Receipts of answers: what was asked and answered, by which model, from which sources, under which decision, bound to the audit log.

A receipt holds no text. Each text is bound by HMAC-SHA256 under a random key of its own (RFC 2104; with 32 random bytes nobody can
guess a short answer from its hash). The keys, the *openings*, go to the person who asked and are kept nowhere: whoever holds them can
test guesses, so they are as confidential as the answer, and may be left out when the receipt is shown to somebody else. The log holds
the SHA-256 of the whole statement only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pai.core.audit import encoding, evidence
from pai.core.audit.ports import AuditTrail
from pai.core.audit.values import Event, Inclusion
from pai.foundation.actor import Actor
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef
from pai.foundation.time import to_text

FORM: Final = "pai-receipt/1"
KEY_BYTES: Final = 32
TEXT, MESSAGES = "text", "messages"
"""How a request is bound: a question with its spaces put in order, or the canonical JSON of a chat's messages."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A source of an answer: ``sha256`` (hex) is of the document's original, ``quote`` what is quoted of it."""

    document: str
    page: int
    sha256: str
    quote: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a receipt is about. ``request`` is bound in the form ``request_form``; ``permission`` is what was decided on."""

    kind: str
    at: datetime
    request: bytes
    request_form: str
    answer: str
    model: ModelRef
    permission: str
    label: Label | None = None
    purpose: str | None = None
    abstained: bool = False
    sources: Sequence[Cited] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A receipt before it stands in the log: ``commitment`` (hex) is what the event of the answer holds."""

    text: str
    openings: dict[str, Any]

    @property
    def commitment(self) -> str:
        """The SHA-256 of what will be signed."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Receipts:
    """Makes receipts. ``model_key`` is the id of the key that models of this installation are signed with, ``policies`` the SHA-256
    (hex) of the policies in force."""

    model_key: str
    policies: str

    def draft(self, answered: Answered) -> Draft:
        """Return the statement on an answer, and what opens it."""
        keys = [os.urandom(KEY_BYTES) for _ in range(2 + 2 * len(answered.sources))]
        request, answer, *of_sources = keys
        documents, quotes = of_sources[::2], of_sources[1::2]
        statement = {
            "kind": answered.kind, "at": to_text(answered.at), "request": bound(request, answered.request),
            "request_form": answered.request_form, "answer": bound(answer, answered.answer.encode()),
            "abstained": answered.abstained,
            "model": {"name": answered.model.name, "sha256": answered.model.sha256, "signed_by": self.model_key},
            "policy": {"decision": "allow", "permission": answered.permission, "policies_sha256": self.policies},
            "label": answered.label.value if answered.label else None, "purpose": answered.purpose,
            "sources": [
                {
                    "document": one.document, "page": one.page, "document_sha256": bound(documents[n], one.sha256.encode()),
                    "quote": bound(quotes[n], one.quote.encode()),
                }
                for n, one in enumerate(answered.sources)
            ],
        }  # fmt: skip
        openings = {
            "request": request.hex(), "answer": answer.hex(), "sources": [one.hex() for one in documents],
            "quotes": [one.hex() for one in quotes],
        }  # fmt: skip
        return Draft(f"{FORM}\n{encoding.encode(statement).decode()}\n", openings)

    def recorded(self, audit: AuditTrail, actor: Actor, event: Event, draft: Draft | None) -> dict[str, Any] | None:
        """Record the event of an answer, which holds the draft's commitment, and return the receipt; None without a draft."""
        index = audit.record(actor, event)
        return self.issue(audit, draft, index) if draft is not None else None

    def issue(self, audit: AuditTrail, draft: Draft, index: int) -> dict[str, Any]:
        """Return the receipt of an answer whose event was just recorded at ``index`` with the draft's commitment. Call it in the
        same unit of work: what does not commit gets no receipt. Raises Corrupt when the log is not the one that was signed before."""
        (leaf,) = audit.leaves(index, 1)
        head = audit.head()
        proof = Inclusion(leaf, tuple(audit.inclusion(index, head.size)), head)
        value = evidence.inclusion_value(audit.verifier_key(), proof)
        return {**value, "format": "pai-receipt", "note": audit.sign_receipt(draft.text), "openings": draft.openings}


def bound(key: bytes, text: bytes) -> str:
    """Return the keyed hash (hex) of a text."""
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def messages_request(messages: Sequence[tuple[str, str, Sequence[bytes]]]) -> bytes:
    """Return a chat's request as it is bound: its messages as (role, text, pictures); pictures by their SHA-256."""
    return encoding.encode(
        [
            {"role": role, "content": text}
            | ({"images": [hashlib.sha256(one).hexdigest() for one in images]} if images else {})
            for role, text, images in messages
        ]
    )
