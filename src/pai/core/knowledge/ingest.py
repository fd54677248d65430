"""Taking documents in: originals encrypted first, then parsed in a sandbox, embedded and indexed, one commit per
document."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pai.core.keys.values import KeyWrap
from pai.core.knowledge.access import Access, context_of, ref_of
from pai.core.knowledge.chunking import chunk
from pai.core.knowledge.events import DocumentIngested, DocumentRefused, IngestCancelled, IngestSubmitted
from pai.core.knowledge.ports import CollectionStore, DiskSpace, DocumentParser, KnowledgeUnit, Originals
from pai.core.knowledge.scans import Again
from pai.core.knowledge.values import Chunk, Collection, Document, ItemState, Job, JobItem, JobState, ParsedDocument
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import Engines
from pai.core.ports.metrics import DOCUMENTS, PAGES, SILENT, Meter
from pai.core.ports.work import Work
from pai.core.privacy.values import LinkOrigin, Subject, SubjectLink
from pai.foundation.actor import SYSTEM, Actor
from pai.foundation.errors import Denied, Invalid, NotFound, PaiError, Sealed, Unavailable
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef, SubjectRef

KIND = "ingest"
GRANT = timedelta(hours=24)
EMBED_BATCH = 32
MAX_FILES = 10_000
PASSING = frozenset({"worker_died", "worker_not_started", "engine_failed", "load_timeout", "no_memory"})
GOING = "no_supervisor"  # it was killed, and this process is about to end: the job goes on at the next start
ATTEMPTS = 4
"""How often a file is tried whose workers died: waiting 1, 2 and 4 seconds, after which an engine has been started anew."""
PAUSE = 10.0
"""Seconds until jobs are looked at again that could neither go on nor be given up (sealed, disk full)."""
OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file to take in. ``subjects`` are names or aliases given by hand; ``subject_column`` names a table column
    that holds them."""

    name: str
    data: Iterable[bytes]
    subjects: tuple[str, ...] = ()
    subject_column: str = ""


def plain_name(name: str) -> str:
    """Return a name for showing only: the last part of a path, without control characters, at most 255 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:255].strip() or "unnamed"


@dataclass(frozen=True, slots=True)
class JobReport:
    """A job and its files."""

    job: Job
    collection: str
    items: Sequence[JobItem]


@dataclass(slots=True)
class Ingest:
    """Use cases of ingestion, and the loop that works jobs off one at a time."""

    work: Work[KnowledgeUnit]
    access: Access
    originals: Originals
    parser: DocumentParser
    engines: Engines
    disk: DiskSpace
    clock: Clock
    meter: Meter = SILENT
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    arriving: set[str] = field(default_factory=set)
    """Originals that are written now and whose job is not queued yet."""
    swept: set[str] = field(default_factory=set)
    """Collections that were looked through for what a crash left."""

    async def submit(self, actor: Actor, name: str, uploads: Sequence[Upload]) -> Job:
        """Encrypt the originals, queue a job, return it. The job's grant opens this collection only, for a day."""
        self.disk.require()
        if not 0 < len(uploads) <= MAX_FILES:
            raise Invalid(f"a job takes 1 to {MAX_FILES} files", code="bad_count")
        collection, key = await self.work.read(lambda unit: self._for_writing(unit, actor, name))
        await self._sweep(collection, key)
        job_id = new_id("job")
        items: list[JobItem] = []
        coming: set[str] = set()
        try:
            for n, upload in enumerate(uploads):
                coming.add(blob_id := new_id("blb"))
                self.arriving.add(blob_id)
                items.append(
                    await asyncio.to_thread(self._keep, collection, key, JobItem(job_id, n, "", blob_id, 0, ""), upload)
                )
            job = await self.work.run(lambda unit: self._queue(unit, actor, name, job_id, items, key))
        except BaseException:
            # Also when the client goes away: originals that no job will work off must not stay.
            await asyncio.to_thread(self._drop, collection.id, items)
            raise
        finally:
            self.arriving -= coming
        self.wake.set()
        return job

    async def _sweep(self, collection: Collection, key: Secret) -> None:
        """Remove originals that neither a document nor a waiting file of an open job names: a crash left them, in the middle of an
        upload or after the document was deleted. Once for each collection is enough, since only a crash makes such."""
        if collection.id in self.swept:
            return
        self.swept.add(collection.id)
        stored = await asyncio.to_thread(self.originals.blob_ids, collection.id)
        # In this order: what is written meanwhile is either arriving still, or has its job when they are read.
        arriving = set(self.arriving)

        def named(unit: KnowledgeUnit) -> set[str]:
            store = unit.open_collection(collection.id, key)
            jobs = unit.collections.jobs(collection_id=collection.id, kind=KIND, states=OPEN_STATES)
            waiting = {i.blob_id for job in jobs for i in store.items(job.id) if i.state is ItemState.WAITING}
            return waiting | store.original_ids()

        # A writing unit: it first puts right what a crash between two commits left.
        left = set(stored) - await self.work.run(named) - arriving
        for blob_id in left:
            await asyncio.to_thread(self.originals.remove, collection.id, blob_id)

    def _queue(
        self, unit: KnowledgeUnit, actor: Actor, name: str, job_id: str, items: Sequence[JobItem], key: Secret
    ) -> Job:
        collection, _ = self._for_writing(unit, actor, name)
        context, now = context_of(collection.id), self.clock.now()
        wrap = unit.wraps.key_wrap(context, actor.id)
        if wrap is None or actor.unlocked is None:
            raise Denied("this credential cannot open content", code="locked")
        expires = collection.until(actor.id, now + GRANT)
        grant = self.access.keystore.grant_to_job(actor.unlocked, context, wrap.blob, job_id=job_id, expires_at=expires)
        unit.wraps.add_key_wrap(KeyWrap(new_id("wrp"), context, f"job:{job_id}", grant, now, expires))
        unit.open_collection(collection.id, key).put_items(items)
        job = Job(
            job_id,
            KIND,
            actor.id,
            collection.id,
            JobState.QUEUED,
            len(items),
            0,
            now,
            now,
            actor_key_id=actor.key_id or "",
        )
        unit.collections.add_job(job)
        unit.audit.record(actor, IngestSubmitted(resource=ref_of(collection), job=job_id, files=len(items)))
        return job

    def _drop(self, collection_id: str, items: Sequence[JobItem]) -> None:
        for item in items:
            if item.state is not ItemState.ACCEPTED:
                self.originals.remove(collection_id, item.blob_id)

    def _for_writing(self, unit: KnowledgeUnit, actor: Actor, name: str) -> tuple[Collection, Secret]:
        collection = self.access.find(unit, actor, name, Permission.INGEST)
        return collection, self.access.key(unit, actor, collection)

    def _keep(self, collection: Collection, key: Secret, item: JobItem, upload: Upload) -> JobItem:
        size, digest = self.originals.write(collection.id, item.blob_id, key, upload.data)
        return dataclasses.replace(
            item, name=plain_name(upload.name), size=size, digest=digest, subjects=upload.subjects,
            subject_column=upload.subject_column,
        )  # fmt: skip

    async def report(self, actor: Actor, job_id: str) -> JobReport:
        """Return a job with its files. Raises NotFound for a job that is not the actor's."""

        def read(unit: KnowledgeUnit) -> JobReport:
            job = self._job(unit, actor, job_id)
            collection = self.access.find(unit, actor, job.collection_id, Permission.JOB_READ)
            return JobReport(job, collection.name, self.access.open(unit, actor, collection).items(job.id))

        return await self.work.read(read)

    def _job(self, unit: KnowledgeUnit, actor: Actor, job_id: str) -> Job:
        job = unit.collections.job(job_id)
        if job is None or job.owner_id != actor.id:
            raise NotFound("no such job", hint="see `pai job list`")
        return job

    async def jobs(self, actor: Actor) -> Sequence[Job]:
        """Return the actor's jobs, newest first."""
        self.access.policy.decide(actor, Permission.JOB_READ, ResourceRef("job", "own", owner=actor.id))
        return await self.work.read(lambda unit: unit.collections.jobs(owner_id=actor.id, kind=KIND))

    async def cancel(self, actor: Actor, job_id: str) -> Job:
        """Stop a job: documents that are in stay in, the other originals are removed. A job that has ended is
        returned as it is."""

        def write(unit: KnowledgeUnit) -> tuple[Job, Sequence[JobItem]]:
            job = self._job(unit, actor, job_id)
            collection = self.access.find(unit, actor, job.collection_id, Permission.INGEST)
            if job.state not in OPEN_STATES:
                return job, ()
            job = dataclasses.replace(job, state=JobState.CANCELLED, updated_at=self.clock.now())
            unit.collections.update_job(job)
            # Without its grant, the worker cannot finish the file that it has in hand.
            unit.wraps.remove_key_wraps(context_of(job.collection_id), f"job:{job.id}")
            unit.audit.record(actor, IngestCancelled(resource=ref_of(collection), job=job.id))
            return job, self.access.open(unit, actor, collection).items(job.id)

        job, items = await self.work.run(write)
        await asyncio.to_thread(self._drop, job.collection_id, items)
        return job

    async def run_forever(self) -> None:
        """Work off queued jobs, oldest first, beginning with those that an earlier process left."""
        while True:
            self.wake.clear()
            try:
                for job in reversed(await self.work.read(_open_jobs)):
                    await self._work_off(job)
            except PaiError:
                # Not even the failure could be written: the jobs stay as they are and are taken up again.
                await asyncio.sleep(PAUSE)
            else:
                await self.wake.wait()

    async def _work_off(self, job: Job) -> None:
        try:
            # A writing unit: it first puts right what a crash between two commits left, also in the states of the files.
            items = await self.work.run(lambda unit: self._store(unit, job)[1].items(job.id))
            for item in items:
                if item.state is ItemState.WAITING and not await self._patiently(job, item):
                    return
            done = await self.work.run(lambda unit: self._finish(unit, job))
            await asyncio.to_thread(self._drop, job.collection_id, done)
        except PaiError as error:
            if isinstance(error, Sealed) or error.code == GOING:
                raise  # nothing is wrong with the job: it goes on once PAI is unsealed, or started again
            # One job that cannot go on (grant expired, collection gone, disk full) must not stop the others.
            await self._give_up(job, error.message)
        except Exception:
            await self._give_up(job, "an unexpected error happened")
            raise

    async def _give_up(self, job: Job, reason: str) -> None:
        left = await self.work.run(lambda unit: self._fail(unit, job, reason))
        await asyncio.to_thread(self._drop, job.collection_id, left)

    async def _patiently(self, job: Job, item: JobItem) -> bool:
        """Take one file in. A worker that dies is started anew, so the file is tried again before it is refused."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._one(job, item)
            except Unavailable as error:
                if error.code not in PASSING:
                    raise
                refused = dataclasses.replace(item, state=ItemState.REFUSED, code=error.code, reason=error.message)
            if attempt < ATTEMPTS - 1:
                await asyncio.sleep(2.0**attempt)
        return await self._closed(job, refused)

    async def _closed(self, job: Job, item: JobItem) -> bool:
        going_on = await self.work.run(lambda unit: self._close_item(unit, job, item))
        self.meter.count(DOCUMENTS, item.state.value)
        return going_on

    def _store(self, unit: KnowledgeUnit, job: Job) -> tuple[Secret, CollectionStore]:
        context = context_of(job.collection_id)
        wrap = unit.wraps.key_wrap(context, f"job:{job.id}")
        if wrap is None:
            raise NotFound("the job has no grant any more")
        key = self.access.keystore.open_job_grant(context, wrap.blob, job_id=job.id)
        return key, unit.open_collection(job.collection_id, key)

    async def _one(self, job: Job, item: JobItem) -> bool:
        known = await self.work.read(lambda unit: unit.collections.document_by_digest(job.collection_id, item.digest))
        if known is not None:
            done = dataclasses.replace(
                item, state=ItemState.SKIPPED, code="duplicate", reason="the collection holds this content already",
                document_id=known.id,
            )  # fmt: skip
            return await self._closed(job, done)
        try:
            self.disk.require()
            key, _ = await self.work.read(lambda unit: self._store(unit, job))
            data = Again(lambda: self.originals.read(job.collection_id, item.blob_id, key))
            parsed = await self.parser.parse(data, name=item.name, size=item.size)
            document_id = new_id("doc")
            if not (pieces := chunk(parsed, document_id, name=item.name, subject_column=item.subject_column)):
                raise Invalid("the document holds no text", code="no_text")
            vectors = await self._embed(job, pieces)
        except Unavailable:
            raise
        except PaiError as error:
            refused = dataclasses.replace(item, state=ItemState.REFUSED, code=error.code, reason=error.message)
            return await self._closed(job, refused)
        going_on = await self.work.run(lambda unit: self._put(unit, job, item, document_id, parsed, pieces, vectors))
        self.meter.count(DOCUMENTS, ItemState.ACCEPTED.value)
        self.meter.count(PAGES, by=parsed.pages)
        return going_on

    async def _embed(self, job: Job, pieces: Sequence[Chunk]) -> list[bytes]:
        if (collection := await self.work.read(lambda unit: unit.collections.get(job.collection_id))) is None:
            raise NotFound("the collection is gone")
        engine = await self.engines.get(collection.embedder)
        texts = [f"{piece.heading}\n{piece.text}".strip() for piece in pieces]
        batches = [texts[at : at + EMBED_BATCH] for at in range(0, len(texts), EMBED_BATCH)]
        return [vector for batch in batches for vector in (await engine.embed(batch)).vectors]

    def _put(
        self, unit: KnowledgeUnit, job: Job, item: JobItem, document_id: str, parsed: ParsedDocument, pieces:
        Sequence[Chunk], vectors: Sequence[bytes],
    ) -> bool:  # fmt: skip
        collection = unit.collections.get(job.collection_id)
        if collection is None:
            return False
        _, store = self._store(unit, job)
        now = self.clock.now()
        store.put_document(document_id, item.name, item.blob_id, pieces, vectors)
        subjects = self._link(unit, collection, document_id, item, pieces)
        unit.collections.add_document(
            Document(
                document_id, collection.id, item.digest, parsed.media_type, item.size, parsed.pages, len(pieces), now,
                collection.label, collection.purpose, collection.training, collection.retention,
            )
        )  # fmt: skip
        event = DocumentIngested(
            resource=ref_of(collection), label=collection.label, purpose=collection.purpose, document=document_id,
            pages=parsed.pages, chunks=len(pieces), subjects=tuple(SubjectRef(subject) for subject in subjects), model=parsed.seen_by,
        )  # fmt: skip
        unit.audit.record(self._worker(unit, job), event)
        accepted = dataclasses.replace(
            item, state=ItemState.ACCEPTED, document_id=document_id, pages=parsed.pages, chunks=len(pieces)
        )
        return self._note(unit, job, accepted)

    def _link(
        self, unit: KnowledgeUnit, collection: Collection, document_id: str, item: JobItem, pieces: Sequence[Chunk]
    ) -> list[str]:
        now, found = self.clock.now(), set()
        wanted = [("document", document_id, name, LinkOrigin.HAND) for name in item.subjects]
        for piece in pieces:
            for name in piece.subjects:
                wanted += [
                    ("chunk", piece.id, name, LinkOrigin.COLUMN),
                    ("document", document_id, name, LinkOrigin.COLUMN),
                ]
        for kind, resource_id, name, origin in wanted:
            subject = unit.subjects.find(name)
            if subject is None:
                subject = Subject(new_id("sub"), name, (), now)
                unit.subjects.add(subject)
            unit.subjects.link(SubjectLink(subject.id, kind, resource_id, collection.id, origin, True, now))
            found.add(subject.id)
        return sorted(found)

    def _worker(self, unit: KnowledgeUnit, job: Job) -> Actor:
        owner = unit.users.get(job.owner_id)
        return dataclasses.replace(SYSTEM, id=owner.id, key_id=job.actor_key_id or None) if owner else SYSTEM

    def _close_item(self, unit: KnowledgeUnit, job: Job, item: JobItem) -> bool:
        collection = unit.collections.get(job.collection_id)
        if collection is None:
            return False
        if item.state is ItemState.REFUSED:
            unit.audit.record(self._worker(unit, job), DocumentRefused(resource=ref_of(collection), code=item.code))
        return self._note(unit, job, item)

    def _note(self, unit: KnowledgeUnit, job: Job, item: JobItem) -> bool:
        _, store = self._store(unit, job)
        store.update_item(item)
        present = unit.collections.job(job.id)
        if present is None or present.state is JobState.CANCELLED:
            return False
        changed = dataclasses.replace(
            present, state=JobState.RUNNING, done=min(present.done + 1, present.total), updated_at=self.clock.now()
        )
        unit.collections.update_job(changed)
        return True

    def _finish(self, unit: KnowledgeUnit, job: Job) -> Sequence[JobItem]:
        _, store = self._store(unit, job)
        present = unit.collections.job(job.id)
        if present is None or present.state is JobState.CANCELLED:
            return ()
        items = store.items(job.id)
        states = [item.state for item in items]
        refused = states.count(ItemState.REFUSED)
        state = JobState.DONE if not refused else JobState.FAILED if refused == len(states) else JobState.PARTLY
        unit.collections.update_job(
            dataclasses.replace(present, state=state, done=len(states), updated_at=self.clock.now())
        )
        unit.wraps.remove_key_wraps(context_of(job.collection_id), f"job:{job.id}")
        return items

    def _fail(self, unit: KnowledgeUnit, job: Job, reason: str) -> Sequence[JobItem]:
        """Close a job that cannot go on; return its files, whose originals nobody will ask for any more."""
        present = unit.collections.job(job.id)
        if present is None or present.state not in OPEN_STATES:
            return ()
        try:
            items = self._store(unit, job)[1].items(job.id)
        except PaiError:  # its grant or its collection is gone, which may be why it failed
            items = ()
        unit.collections.update_job(
            dataclasses.replace(present, state=JobState.FAILED, error=reason, updated_at=self.clock.now())
        )
        unit.wraps.remove_key_wraps(context_of(job.collection_id), f"job:{job.id}")
        return items


def _open_jobs(unit: KnowledgeUnit) -> Sequence[Job]:
    return unit.collections.jobs(kind=KIND, states=OPEN_STATES)
