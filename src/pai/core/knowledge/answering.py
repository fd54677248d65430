"""Questions to a collection: retrieval, evidence, a model that reads the candidates, and an answer of quotes word for word."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from collections.abc import Collection as Some
from dataclasses import dataclass

from pai.core.audit.receipts import TEXT, Answered, Cited, Receipts
from pai.core.knowledge.access import Access, ref_of
from pai.core.knowledge.composing import Part, compose, part_of
from pai.core.knowledge.events import QuestionAnswered, QuestionAsked
from pai.core.knowledge.evidence import Embed, weigh
from pai.core.knowledge.judging import judge
from pai.core.knowledge.ports import CollectionStore, KnowledgeUnit
from pai.core.knowledge.question import Question, parts, small_names
from pai.core.knowledge.reading import Document, document_of
from pai.core.knowledge.retrieval import retrieve
from pai.core.knowledge.searching import subjects_of
from pai.core.knowledge.values import Answer, Collection, Hit, Source
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import Capability, Engines
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, Unsupported
from pai.foundation.refs import ModelRef, SubjectRef

PASSAGES = 8
MAX_QUESTION = 2000


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the parts of a question found: passages for each part, and the documents that they stand in."""

    collection: Collection
    asked: Sequence[Question]
    hits: Sequence[Sequence[Hit]]
    documents: Mapping[str, Document]
    subjects: tuple[SubjectRef, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Considered:
    """First event of a streamed answer: what words speak for, before a model has read it; empty when there is nothing."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Last event: the whole answer."""

    answer: Answer


AskEvent = Considered | TextDelta | Finished


@dataclass(frozen=True, slots=True)
class Answering:
    """Use cases on questions."""

    work: Work[KnowledgeUnit]
    access: Access
    engines: Engines
    clock: Clock
    receipts: Receipts

    async def ask(
        self, actor: Actor, name: str, question: str, *, purpose: str | None = None, model: str = "default"
    ) -> Answer:
        """Return a cited answer, or one that abstains. Raises Invalid, NotFound, Denied, Unavailable."""
        text = _checked(question)
        found, told = await self._find(actor, name, text, purpose, model)
        return await self._answer(actor, text, found, told, purpose, model)

    async def ask_stream(
        self, actor: Actor, name: str, question: str, *, purpose: str | None = None, model: str = "default"
    ) -> AsyncGenerator[AskEvent, None]:
        """Yield what is considered, then the answer in pieces, then the whole. Its event is recorded before its first piece is
        shown. Raises as ``ask``."""
        text = _checked(question)
        found, told = await self._find(actor, name, text, purpose, model)
        yield Considered(compose(told, "", self._today()).sources)
        answer = await self._answer(actor, text, found, told, purpose, model)
        for piece in re.findall(r"\S+\s*", answer.text):
            yield TextDelta(piece)
        yield Finished(answer)

    async def _find(
        self, actor: Actor, name: str, question: str, purpose: str | None, model: str
    ) -> tuple[Retrieved, list[Part]]:
        asked = await self.work.read(lambda unit: self.access.find(unit, actor, name, Permission.ASK, purpose=purpose))
        # Nothing is retrieved for a model that is not there or cannot answer.
        answering = await self.engines.get(model)
        if Capability.CHAT not in answering.capabilities.supports:
            raise Unsupported(
                f"{answering.model.name} cannot do chat", code="missing_capability", hint="see `pai models list`"
            )
        embedder = await self.engines.get(asked.embedder)

        async def embed(texts: Sequence[str]) -> Sequence[bytes]:
            return (await embedder.embed(texts)).vectors

        vectors = await embed([one.meant for one in parts(question)])
        found = await self.work.run(
            lambda unit: self._retrieve(unit, actor, name, question, vectors, purpose, answering.model)
        )
        return found, await consider(found.asked, found.hits, found.documents, embed, self._today())

    async def _answer(
        self, actor: Actor, question: str, found: Retrieved, told: Sequence[Part], purpose: str | None, model: str
    ) -> Answer:
        engine = await self.engines.get(model)
        told = [await judge(engine, actor.id, part) for part in told]
        answer = compose(told, engine.model.name, self._today())
        collection, aim = found.collection, purpose or found.collection.purpose
        receipt = self.receipts.draft(
            Answered(
                "ask", self.clock.now(), question.encode(), TEXT, answer.text, engine.model, Permission.ASK.value, collection.label,
                aim, answer.abstained,
                [Cited(one.document_id, one.page, found.digests[one.document_id], one.quote) for one in answer.sources],
            )
        )  # fmt: skip
        event = QuestionAnswered(
            resource=ref_of(collection), label=collection.label, model=engine.model, purpose=aim, subjects=found.subjects,
            abstained=answer.abstained, sources=tuple(one.document_id for one in answer.sources), receipt=receipt.commitment,
        )  # fmt: skip

        def write(unit: KnowledgeUnit) -> Answer:
            # Models take their time: what was taken back meanwhile is not answered from any more.
            self.access.find(unit, actor, collection.id, Permission.ASK, purpose=purpose)
            issued = self.receipts.recorded(unit.audit, actor, event, receipt)
            return dataclasses.replace(answer, receipt=issued)

        return await self.work.run(write)

    def _today(self) -> dt.date:
        return self.clock.now().date()

    def _retrieve(
        self, unit: KnowledgeUnit, actor: Actor, name: str, question: str, vectors: Sequence[bytes],
        purpose: str | None, model: ModelRef,
    ) -> Retrieved:  # fmt: skip
        collection = self.access.find(unit, actor, name, Permission.ASK, purpose=purpose)
        store = self.access.open(unit, actor, collection)
        rows = unit.collections.documents(collection.id)
        blocked = {document.id for document in rows if document.restricted}
        asked, hits = find_passages(store, question, vectors, blocked)
        chunks = [hit.chunk for found in hits for hit in found]
        documents = sorted({chunk.document_id for chunk in chunks})
        subjects = subjects_of(unit, list(dict.fromkeys(chunk.id for chunk in chunks)), documents)
        unit.audit.record(
            actor,
            QuestionAsked(
                resource=ref_of(collection), label=collection.label, purpose=purpose or collection.purpose,
                subjects=subjects, model=model, documents=tuple(documents),
            ),
        )  # fmt: skip
        names = {document: store.name(document) for document in documents}
        digests = {document.id: document.digest for document in rows}
        return Retrieved(collection, asked, hits, open_documents(store, hits, names), subjects, digests)


def _checked(question: str) -> str:
    text = " ".join(question.split())
    if not text or len(text) > MAX_QUESTION:
        raise Invalid(f"a question has 1 to {MAX_QUESTION} characters", code="bad_question")
    return text


def find_passages(
    store: CollectionStore, question: str, vectors: Sequence[bytes], blocked: Some[str] = frozenset()
) -> tuple[list[Question], list[list[Hit]]]:
    """Return the parts of a question and the passages for each, those of blocked documents apart. Names that the passages
    show to be names count as such in a question that is written in small letters."""

    def found(asked: Sequence[Question]) -> list[list[Hit]]:
        hits = (retrieve(store, one, v, PASSAGES + len(blocked)) for one, v in zip(asked, vectors, strict=True))
        return [[hit for hit in some if hit.chunk.document_id not in blocked] for some in hits]

    asked = parts(question)
    hits = found(asked)
    proper = small_names(question, [hit.chunk.text for some in hits for hit in some])
    if proper:
        asked = parts(question, proper)
        hits = found(asked)
    return asked, hits


def open_documents(
    store: CollectionStore, hits: Sequence[Sequence[Hit]], names: Mapping[str, str]
) -> dict[str, Document]:
    """Return the documents that passages stand in, as they will be read."""
    ordinals: dict[str, list[int]] = {}
    for hit in (hit for found in hits for hit in found):
        ordinals.setdefault(hit.chunk.document_id, []).append(hit.chunk.ordinal)
    return {
        document: document_of(document, names[document], list(store.chunks_of(document)), near)
        for document, near in ordinals.items()
    }


async def consider(
    asked: Sequence[Question],
    hits: Sequence[Sequence[Hit]],
    documents: Mapping[str, Document],
    embed: Embed,
    today: dt.date,
) -> list[Part]:
    """Return the evidence for each part of a question, on this day."""
    return [
        part_of(one, await weigh(one, found, documents, embed), documents, today)
        for one, found in zip(asked, hits, strict=True)
    ]
