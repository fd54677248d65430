"""Searching a collection: passages for a question, without an answer. The event that names the documents comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.knowledge.access import Access, ref_of
from pai.core.knowledge.events import QuestionAsked
from pai.core.knowledge.ports import KnowledgeUnit
from pai.core.knowledge.question import understand
from pai.core.knowledge.retrieval import retrieve
from pai.core.knowledge.values import Collection, Hit
from pai.core.policy.values import Permission
from pai.core.ports.engine import Engines
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid
from pai.foundation.refs import SubjectRef

MOST_CHARACTERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that was found. ``score`` is the cosine with the question, 0 to 1."""

    document_id: str
    document: str
    page: int
    heading: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Searching:
    """Use cases on searches."""

    work: Work[KnowledgeUnit]
    access: Access
    engines: Engines

    async def search(
        self, actor: Actor, name: str, question: str, *, limit: int, minimum: float = 0.0, purpose: str | None = None
    ) -> tuple[Collection, Sequence[Found]]:
        """Return the best passages, best first; none that score below ``minimum``. Raises Invalid, NotFound, Denied, Unavailable."""
        text = " ".join(question.split())
        if not text or len(text) > MOST_CHARACTERS:
            raise Invalid(f"a question has 1 to {MOST_CHARACTERS} characters", code="bad_question")
        asked = await self.work.read(lambda unit: self.access.find(unit, actor, name, Permission.ASK, purpose=purpose))
        vector = (await (await self.engines.get(asked.embedder)).embed([text])).vectors[0]

        def look(unit: KnowledgeUnit) -> tuple[Collection, Sequence[Found]]:
            collection = self.access.find(unit, actor, name, Permission.ASK, purpose=purpose)
            store = self.access.open(unit, actor, collection)
            blocked = {document.id for document in unit.collections.documents(collection.id) if document.restricted}
            hits = [
                hit
                for hit in retrieve(store, understand(text), vector, limit + len(blocked))
                if hit.chunk.document_id not in blocked and hit.similarity >= minimum
            ][:limit]
            documents = sorted({hit.chunk.document_id for hit in hits})
            event = QuestionAsked(
                resource=ref_of(collection), label=collection.label, purpose=purpose or collection.purpose,
                subjects=subjects_of(unit, [hit.chunk.id for hit in hits], documents), documents=tuple(documents),
            )  # fmt: skip
            unit.audit.record(actor, event)
            names = {document: store.name(document) for document in documents}
            return collection, [_found(hit, names[hit.chunk.document_id]) for hit in hits]

        return await self.work.run(look)

    async def still_may(self, actor: Actor, collections: Sequence[Collection]) -> None:
        """Return when the actor may still ask each of these. Models take their time, and shares end. Raises NotFound, Denied."""

        def look(unit: KnowledgeUnit) -> None:
            for one in collections:
                self.access.find(unit, actor, one.id, Permission.ASK)

        await self.work.read(look)


def subjects_of(unit: KnowledgeUnit, chunks: Sequence[str], documents: Sequence[str]) -> tuple[SubjectRef, ...]:
    """Return the data subjects of passages and of the documents that they stand in, columns of other rows apart."""
    links = [
        *unit.subjects.links_of("chunk", chunks),
        *(link for link in unit.subjects.links_of("document", documents) if link.origin.value != "column"),
    ]
    return tuple(SubjectRef(subject) for subject in sorted({link.subject_id for link in links}))


def _found(hit: Hit, name: str) -> Found:
    chunk = hit.chunk
    score = round(min(1.0, max(0.0, hit.similarity)), 6)
    return Found(chunk.document_id, name, chunk.page, chunk.heading, chunk.text, score)
