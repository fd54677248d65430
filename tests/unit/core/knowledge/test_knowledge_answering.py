from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from fakes.knowledge_memory import Disk, MemoryOriginals, OpenKeystore, OwnerPolicy, StillClock, Unit, Work
from fakes.receipts import RECEIPTS
from fakes.word_engines import DIMENSIONS, OneEngine, WordEngine
from pai.core.knowledge.access import Access
from pai.core.knowledge.answering import Answering, Considered, Finished, TextDelta
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.composing import ABSTAINED, CAUTION
from pai.core.knowledge.ingest import Ingest, Upload, plain_name
from pai.core.knowledge.values import Block, ItemState, JobState, ParsedDocument
from pai.core.ports.engine import Capabilities, Capability
from pai.foundation.actor import Actor, ActorKind, Role
from pai.foundation.errors import Denied, Invalid, NotFound, Unavailable
from pai.foundation.labels import Label

OWNER = Actor("usr_owner", "owner@pai.test", ActorKind.PERSON, Role.MEMBER, unlocked="handle")
STRANGER = Actor("usr_stranger", "stranger@pai.test", ActorKind.PERSON, Role.MEMBER, unlocked="other")
TEXT = b"The blue cabinet is delivered on 14 March 2031. It goes to the harbour office."


class LineParser:
    """Each line a paragraph; ``col=value`` lines are rows; a line ``refuse`` is refused."""

    async def parse(self, data: Iterable[bytes], *, name: str, size: int) -> ParsedDocument:
        text = b"".join(data).decode()
        if text == "refuse":
            raise Invalid("the file is empty", code="empty")
        blocks = []
        for line in text.splitlines():
            pairs = tuple(tuple(cell.split("=", 1)) for cell in line.split(",")) if "=" in line else ()
            blocks.append(Block("row" if pairs else "paragraph", line, cells=pairs))  # type: ignore[arg-type]
        return ParsedDocument("text/plain", 1, tuple(blocks))


READS = Capabilities(frozenset({Capability.CHAT, Capability.EMBED, Capability.LOGPROBS}), 4096, DIMENSIONS)
"""Of an engine that could be asked for the odds of its words."""


class House:
    def __init__(self, says: str = "", capabilities: Capabilities | None = None) -> None:
        self.unit = Unit()
        self.unit.accounts[OWNER.id] = type("User", (), {"id": OWNER.id, "public_key": b"pk"})()
        work, access = Work(self.unit), Access(OpenKeystore(), OwnerPolicy())  # type: ignore[arg-type]
        self.engine, self.originals, self.disk = WordEngine(says), MemoryOriginals(), Disk()
        self.engine.capabilities = capabilities or self.engine.capabilities
        engines = OneEngine(self.engine)
        self.collections = Collections(work, access, self.originals, StillClock())  # type: ignore[arg-type]
        self.ingest = Ingest(work, access, self.originals, LineParser(), engines, self.disk, StillClock())  # type: ignore[arg-type]
        self.answering = Answering(work, access, engines, StillClock(), RECEIPTS)  # type: ignore[arg-type]

    async def take_in(self, *uploads: Upload) -> str:
        if not self.unit.collections.held:
            await self.collections.create(OWNER, "notes", Label.CONFIDENTIAL, "general")
        job = await self.ingest.submit(OWNER, "notes", uploads)
        await self.ingest._work_off(job)
        return job.id


async def test_each_file_ends_accepted_skipped_or_refused() -> None:
    house = House()
    files = [Upload("a.txt", [TEXT]), Upload("../b.txt", [TEXT]), Upload("c.txt", [b"refuse"])]
    report = await house.ingest.report(OWNER, await house.take_in(*files))
    assert [item.state for item in report.items] == [ItemState.ACCEPTED, ItemState.SKIPPED, ItemState.REFUSED]
    assert [item.name for item in report.items] == ["a.txt", "b.txt", "c.txt"]
    assert report.items[2].code == "empty"
    assert report.job.state is JobState.PARTLY
    assert len(house.originals.blobs) == 1, "originals of skipped and refused files are removed"
    assert not [w for w in house.unit.wraps.held if w[1].startswith("job:")], "the grant is gone"
    names = [event.name for _, event in house.unit.audit.events]
    assert names.count("knowledge:document:ingest") == 1
    assert names.count("knowledge:document:refuse") == 1


async def test_subjects_by_hand_and_by_column_are_linked() -> None:
    house = House()
    table = Upload("t.csv", [b"Patient=Ann,Sum=1\nPatient=Bob,Sum=2"], subject_column="Patient")
    await house.take_in(Upload("a.txt", [TEXT], subjects=("Carl",)), table)
    assert set(house.unit.subjects.held) == {"Ann", "Bob", "Carl"}
    kinds = {(link.kind, link.origin.value) for link in house.unit.subjects.links}
    assert kinds == {("document", "hand"), ("document", "column"), ("chunk", "column")}


async def test_a_missing_subject_column_refuses_the_file() -> None:
    house = House()
    report = await house.ingest.report(OWNER, await house.take_in(Upload("a.txt", [TEXT], subject_column="Patient")))
    assert report.items[0].code == "no_such_column"


async def test_a_full_disk_stops_before_anything_is_kept() -> None:
    house = House()
    house.disk.full = True
    with pytest.raises(Unavailable):
        await house.take_in(Upload("a.txt", [TEXT]))
    assert not house.originals.blobs


async def test_what_was_kept_is_removed_when_the_stream_breaks() -> None:
    def broken() -> Iterable[bytes]:
        yield b"half"
        raise ConnectionResetError

    house = House()
    with pytest.raises(ConnectionResetError):
        await house.take_in(Upload("a.txt", [TEXT]), Upload("b.txt", broken()))
    assert not house.originals.blobs


async def test_cancelling_removes_what_waits_and_the_grant() -> None:
    house = House()
    await house.collections.create(OWNER, "notes", Label.CONFIDENTIAL, "general")
    job = await house.ingest.submit(OWNER, "notes", [Upload("a.txt", [TEXT])])
    assert (await house.ingest.cancel(OWNER, job.id)).state is JobState.CANCELLED
    await house.ingest._work_off(job)
    assert not house.originals.blobs
    assert not house.unit.collections.rows
    assert house.unit.audit.named("knowledge:ingest:cancel")


async def test_an_answer_is_cited_word_for_word_and_recorded_first() -> None:
    house = House("The blue cabinet is delivered on 14 March 2031.")
    await house.take_in(Upload("a.txt", [TEXT], subjects=("Carl",)))
    answer = await house.answering.ask(OWNER, "notes", "When is the blue cabinet delivered?")
    assert not answer.abstained
    assert answer.text == "The blue cabinet is delivered on 14 March 2031. [1]"
    (source,) = answer.sources
    assert (source.n, source.document, source.page) == (1, "a.txt", 1)
    assert source.quote in TEXT.decode()
    asked, answered = (house.unit.audit.named(f"knowledge:collection:{name}")[0] for name in ("ask", "answer"))
    assert len(asked.subjects) == 1
    assert answered.sources == asked.documents
    assert answered.model == house.engine.model, "the model that read the candidates"


@pytest.mark.parametrize("says", ["It is delivered on 15 March 2031.", "The cabinet is blue.", "Yes", ""])
async def test_what_a_model_writes_never_reaches_an_answer(says: str) -> None:
    house = House(says, READS)
    await house.take_in(Upload("a.txt", [TEXT]))
    answer = await house.answering.ask(OWNER, "notes", "When is the blue cabinet delivered?")
    assert answer.text == "The blue cabinet is delivered on 14 March 2031. [1]"
    assert house.engine.prompts, "the model was asked"
    assert all(asked.max_tokens == 1 for asked in house.engine.prompts), "of no sentence"


async def test_what_is_not_there_is_not_answered_and_the_model_not_asked() -> None:
    house = House("42")
    await house.take_in(Upload("a.txt", [TEXT]))
    answer = await house.answering.ask(OWNER, "notes", "What is the salary of the janitor?")
    assert (answer.text, answer.abstained, answer.sources) == (f"{ABSTAINED} {CAUTION}", True, ())
    assert not house.engine.prompts


async def test_a_stream_shows_only_what_stands_there() -> None:
    house = House("It is delivered on 15 March 2031.", READS)
    await house.take_in(Upload("a.txt", [TEXT]))
    events = [
        event async for event in house.answering.ask_stream(OWNER, "notes", "When is the blue cabinet delivered?")
    ]
    assert isinstance(events[0], Considered)
    assert isinstance(events[-1], Finished)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == events[-1].answer.text
    assert "15 March" not in events[-1].answer.text


async def test_a_stranger_learns_nothing() -> None:
    house = House()
    job = await house.take_in(Upload("a.txt", [TEXT]))
    name = next(iter(house.unit.collections.held))
    for attempt in (
        house.answering.ask(STRANGER, name, "When?"),
        house.ingest.report(STRANGER, job),
        house.ingest.cancel(STRANGER, job),
        house.ingest.submit(STRANGER, name, [Upload("x.txt", [b"x"])]),
        house.collections.documents(STRANGER, name),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_credential_without_content_opens_nothing() -> None:
    house = House()
    await house.take_in(Upload("a.txt", [TEXT]))
    locked = Actor(OWNER.id, OWNER.name, OWNER.kind, OWNER.role)
    with pytest.raises(Denied):
        await house.answering.ask(locked, "notes", "When is the blue cabinet delivered?")


@pytest.mark.parametrize("question", ["", "   ", "x" * 2001])
async def test_bad_questions(question: str) -> None:
    with pytest.raises(Invalid):
        await House().answering.ask(OWNER, "notes", question)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.pdf", "b.pdf"),
        ("a\x00\n.txt", "a.txt"),
        ("..", ".."),
        ("", "unnamed"),
        ("/", "unnamed"),
    ],
)
def test_names_are_for_showing_only(name: str, plain: str) -> None:
    assert plain_name(name) == plain


async def test_originals_that_a_crash_left_go_at_the_first_upload_after_it() -> None:
    house = House()
    await house.take_in(Upload("a.txt", [TEXT]))
    [(collection, kept)] = house.originals.blobs
    waiting = await house.ingest.submit(OWNER, "notes", [Upload("b.txt", [b"Waits for its turn."])])
    [blob] = [item.blob_id for item in (await house.ingest.report(OWNER, waiting.id)).items]
    house.originals.blobs |= {(collection, name): b"left" for name in ("blb_left", "blb_coming")}
    ingest = dataclasses.replace(house.ingest, arriving={"blb_coming"}, swept=set())
    job = await ingest.submit(OWNER, "notes", [Upload("c.txt", [b"The third one."])])
    [new] = [item.blob_id for item in (await ingest.report(OWNER, job.id)).items]
    assert {name for _, name in house.originals.blobs} == {kept, blob, new, "blb_coming"}
    assert ingest.arriving == {"blb_coming"}
    await ingest.cancel(OWNER, job.id)
    house.originals.blobs[collection, blob + "x"] = b"left"
    await ingest.submit(OWNER, "notes", [Upload("d.txt", [b"The fourth one."])])
    assert (collection, blob + "x") in house.originals.blobs, "it is looked for once, since only a crash makes such"


class OrphanedParser:
    """Its supervisor was killed a moment ago."""

    async def parse(self, data: Iterable[bytes], *, name: str, size: int) -> ParsedDocument:
        raise Unavailable("the supervisor is gone", code="no_supervisor")


async def test_a_job_outlives_the_moments_between_the_supervisors_end_and_the_servers() -> None:
    house = House()
    orphaned = dataclasses.replace(house.ingest, parser=OrphanedParser())
    await house.collections.create(OWNER, "notes", Label.CONFIDENTIAL, "general")
    job = await house.ingest.submit(OWNER, "notes", [Upload("a.txt", [TEXT])])
    with pytest.raises(Unavailable):
        await orphaned._work_off(job)
    assert (await house.ingest.report(OWNER, job.id)).job.state in (JobState.QUEUED, JobState.RUNNING)
    await house.ingest._work_off(job)
    assert (await house.ingest.report(OWNER, job.id)).job.state is JobState.DONE
