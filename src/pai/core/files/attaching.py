"""Files of one's own as documents of a collection: attached, watched until they are in, taken out again.

Nothing new is kept. A file and the document that came of it are known for each other by the digest of their bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.conversations.own_file import OwnFile
from pai.core.files.files import Files, closing
from pai.core.files.ports import AttachingUnit
from pai.core.files.values import Attached, AttachedBatch, AttachedState
from pai.core.knowledge.access import Access, ref_of
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.events import DocumentsListed
from pai.core.knowledge.ingest import KIND, OPEN_STATES, Ingest, JobReport, Upload
from pai.core.knowledge.values import Collection, Document, ItemState, Job, JobItem, JobState
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, PaiError
from pai.foundation.ids import is_id
from pai.foundation.labels import Label


@dataclass(frozen=True, slots=True)
class Contents:
    """What a collection holds, in numbers."""

    collection: Collection
    documents: int
    bytes: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Attaching:
    """Use cases on files as documents."""

    work: Work[AttachingUnit]
    access: Access
    own: OwnFile
    files: Files
    ingest: Ingest
    collections: Collections

    async def create(
        self, actor: Actor, name: str, label: Label, purpose: str, file_ids: Sequence[str] = ()
    ) -> Contents:
        """Make a collection with files of one's own in it. Raises as ``Collections.create`` and ``attach``; a file that is not there is
        told before anything is made, and nothing stays when one cannot be taken in after all."""
        wanted = list(dict.fromkeys(file_ids))
        for file_id in wanted:
            await self.files.get(actor, file_id)
        made = await self.collections.create(actor, name, label, purpose)
        if wanted:
            try:
                await self.attach_together(actor, made.id, wanted)
            except PaiError:
                await self.collections.delete(actor, made.id)
                raise
        return await self.contents(actor, made.id)

    async def contents(self, actor: Actor, name: str) -> Contents:
        """Return a collection with what it holds. Raises NotFound, Denied."""

        def look(unit: AttachingUnit) -> Contents:
            return _contents(unit, self.access.find(unit, actor, name, Permission.COLLECTION_READ))

        return await self.work.read(look)

    async def all_contents(self, actor: Actor) -> Sequence[Contents]:
        """Return the collections that the actor owns or was given, with what they hold, oldest first."""
        found = sorted(await self.collections.list(actor), key=lambda one: one.id)
        return await self.work.read(lambda unit: [_contents(unit, collection) for collection in found])

    async def attach(self, actor: Actor, name: str, file_id: str) -> Attached:
        """Take a file into a collection. It is read, parsed and indexed as an upload is. Raises NotFound, Denied, Unavailable."""
        collection = await self.work.read(lambda unit: self.access.find(unit, actor, name, Permission.INGEST))
        file, data = await self.files.content(actor, file_id)
        with closing(data):
            job = await self.ingest.submit(actor, name, [Upload(file.name, data)])
        return Attached(file.id, collection.id, AttachedState.IN_PROGRESS, file.size, job.created_at)

    async def attach_together(self, actor: Actor, name: str, file_ids: Sequence[str]) -> AttachedBatch:
        """Take files into a collection as one job; nothing is queued unless all are there. Raises as ``attach``, and Invalid."""
        collection = await self.work.read(lambda unit: self.access.find(unit, actor, name, Permission.INGEST))
        with contextlib.ExitStack() as stack:
            uploads = []
            for file_id in dict.fromkeys(file_ids):
                file, data = await self.files.content(actor, file_id)
                stack.enter_context(closing(data))
                uploads.append(Upload(file.name, data))
            job = await self.ingest.submit(actor, collection.id, uploads)
        return await self.batch(actor, collection.id, job.id)

    async def batch(self, actor: Actor, name: str, batch_id: str) -> AttachedBatch:
        """Return how far files came that one put into a collection together. Raises NotFound, Denied."""
        report = await self._report(actor, name, batch_id)

        def look(unit: AttachingUnit) -> AttachedBatch:
            collection = self.access.find(unit, actor, report.job.collection_id, Permission.JOB_READ)
            files: dict[
                str, Attached
            ] = {}  # each once: two files of the same bytes are one document, and clients page by id
            for item in report.items:
                document = unit.collections.document(item.document_id) if item.document_id else None
                if document is not None:
                    files[document.id] = _of_document(document.id, document)
                elif item.state in (ItemState.WAITING, ItemState.REFUSED):
                    files[item.blob_id] = _of_item(item.blob_id, collection, report.job, item)
            states = tuple(_state(report.job, item) for item in report.items)
            job = report.job
            return AttachedBatch(
                job.id, collection.id, _JOB_STATES[job.state], job.created_at, states, tuple(files.values())
            )

        return await self.work.read(look)

    async def cancel_batch(self, actor: Actor, name: str, batch_id: str) -> AttachedBatch:
        """Stop taking files in; those that are in stay in. Raises NotFound, Denied."""
        report = await self._report(actor, name, batch_id)
        await self.ingest.cancel(actor, report.job.id)
        return await self.batch(actor, name, batch_id)

    async def _report(self, actor: Actor, name: str, batch_id: str) -> JobReport:
        collection = await self.work.read(lambda unit: self.access.find(unit, actor, name, Permission.JOB_READ))
        report = await self.ingest.report(actor, batch_id)
        if report.job.collection_id != collection.id:
            raise NotFound("no such batch in this collection")
        return report

    async def list(self, actor: Actor, name: str) -> Sequence[Attached]:
        """Return a collection's documents by their ids, then what is becoming one, by the id of its bytes. Raises NotFound, Denied."""

        def look(unit: AttachingUnit) -> Sequence[Attached]:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_READ)
            store = self.access.open(unit, actor, collection)
            rows = unit.collections.documents(collection.id)
            unit.audit.record(actor, DocumentsListed(resource=ref_of(collection), documents=len(rows)))
            jobs = _open_jobs(unit, collection)
            coming = [
                _of_item(item.blob_id, collection, job, item)
                for job in jobs
                for item in store.items(job.id)
                if item.state is ItemState.WAITING
            ]
            return [*(_of_document(row.id, row) for row in rows), *coming]

        return await self.work.run(look)

    async def get(self, actor: Actor, name: str, wanted: str) -> Attached:
        """Return a document, or what is becoming or did not become one, by the id of the document, the file or its bytes.

        Raises NotFound, Denied.
        """
        return await self.work.run(lambda unit: self._get(unit, actor, name, wanted)[0])

    async def detach(self, actor: Actor, name: str, wanted: str) -> None:
        """Take a document out of a collection; a file that it came from stays with its member. Raises NotFound, Denied, Conflict."""
        document = await self.work.run(lambda unit: self._get(unit, actor, name, wanted)[1])
        if document is None:
            raise NotFound("it is no document of the collection", hint="wait until it is in")
        await self.collections.delete_document(actor, document)

    def _get(self, unit: AttachingUnit, actor: Actor, name: str, wanted: str) -> tuple[Attached, str | None]:
        collection = self.access.find(unit, actor, name, Permission.COLLECTION_READ)
        store = self.access.open(unit, actor, collection)
        unit.audit.record(actor, DocumentsListed(resource=ref_of(collection), documents=1))
        document = unit.collections.document(wanted)
        if document is not None and document.collection_id == collection.id:
            return _of_document(wanted, document), document.id
        digest = self._digest(unit, actor, wanted)
        document = unit.collections.document_by_digest(collection.id, digest) if digest else None
        if document is not None:
            return _of_document(wanted, document), document.id
        for item in store.items_of(wanted, digest):
            job = unit.collections.job(item.job_id)
            if job is not None:
                return _of_item(wanted, collection, job, item), item.document_id or None
        raise NotFound("no such file in this collection")

    def _digest(self, unit: AttachingUnit, actor: Actor, wanted: str) -> str:
        """Return the digest of one's own file, empty when there is none of this id."""
        if not is_id(wanted, "file"):
            return ""
        key = self.own.key(unit, actor)
        file = unit.open_files(actor.id, key).get(wanted) if key is not None else None
        return file.digest if file is not None else ""


def _open_jobs(unit: AttachingUnit, collection: Collection) -> Sequence[Job]:
    return unit.collections.jobs(collection_id=collection.id, kind=KIND, states=OPEN_STATES)


def _contents(unit: AttachingUnit, collection: Collection) -> Contents:
    rows = unit.collections.documents(collection.id)
    waiting = sum(job.total - job.done for job in _open_jobs(unit, collection))
    return Contents(collection, len(rows), sum(row.size for row in rows), waiting)


def _of_document(name: str, row: Document) -> Attached:
    return Attached(name, row.collection_id, AttachedState.COMPLETED, row.size, row.created_at)


def _of_item(name: str, collection: Collection, job: Job, item: JobItem) -> Attached:
    if item.state in (ItemState.ACCEPTED, ItemState.SKIPPED):
        # Its document was deleted since.
        raise NotFound("no such file in this collection")
    state = _state(job, item)
    if state is AttachedState.FAILED and item.state is ItemState.WAITING:
        return Attached(name, collection.id, state, item.size, job.created_at, "job_failed", job.error)
    return Attached(name, collection.id, state, item.size, job.created_at, item.code, item.reason)


_JOB_STATES: Final = {
    JobState.QUEUED: AttachedState.IN_PROGRESS, JobState.RUNNING: AttachedState.IN_PROGRESS, JobState.DONE: AttachedState.COMPLETED,
    JobState.PARTLY: AttachedState.COMPLETED, JobState.FAILED: AttachedState.FAILED, JobState.CANCELLED: AttachedState.CANCELLED,
}  # fmt: skip


def _whole(job: Job, states: Sequence[AttachedState]) -> AttachedState:
    """Return where a job stands. Clients take it for done when none of its files is under way, which is a moment before its own end."""
    if job.state not in OPEN_STATES or AttachedState.IN_PROGRESS in states:
        return _JOB_STATES[job.state]
    return AttachedState.COMPLETED if AttachedState.COMPLETED in states else AttachedState.FAILED


def _state(job: Job, item: JobItem) -> AttachedState:
    """Return where one file of a job stands. What still waits shares the fate of its job."""
    if item.state in (ItemState.ACCEPTED, ItemState.SKIPPED):
        return AttachedState.COMPLETED
    if item.state is ItemState.REFUSED:
        return AttachedState.FAILED
    return _JOB_STATES[job.state]
