"""Batches: a file of requests that are answered when nobody else waits. Submitted, looked at, stopped; ``batch_work`` answers them.

Each batch has a data key of its own. What works it off holds a grant for that key alone, for a day: it can open neither the files nor
the conversations of the owner. So the answers wait in the batch's own file until the owner looks, and are written into theirs then.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pai.core.audit.values import Outcome
from pai.core.conversations.own_file import OwnFile
from pai.core.files.batch_lines import BatchReading
from pai.core.files.batch_results import Results
from pai.core.files.events import BatchCancelled, BatchEnded, BatchesListed, BatchSubmitted, BatchWritten
from pai.core.files.files import LABEL, Files, closing
from pai.core.files.ports import BatchesUnit, BatchRows, BatchStore
from pai.core.files.values import RUNNING, Batch, BatchState, File, Use, WrongLine, batch_context
from pai.core.keys.values import KeyWrap
from pai.core.knowledge.ingest import OPEN_STATES
from pai.core.knowledge.values import Job, JobState
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Corrupt, Denied, Invalid, NotFound
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

KIND: Final = "batch"
WINDOW: Final = timedelta(hours=24)
MARGIN: Final = timedelta(hours=1)
"""How long the grant outlives the batch, so that its end can still be written down."""
ENDPOINTS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
MOST_BYTES: Final = 200 << 20
MOST_OPEN: Final = 32
_ENDS: Final = {
    BatchState.COMPLETED: JobState.DONE, BatchState.CANCELLED: JobState.CANCELLED, BatchState.EXPIRED: JobState.FAILED,
    BatchState.FAILED: JobState.FAILED,
}  # fmt: skip


@dataclass(slots=True)
class Waking:
    """What the submitting side tells the working side: that there is work, and which batch is to stop."""

    work: asyncio.Event = field(default_factory=asyncio.Event)
    stops: dict[str, asyncio.Event] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batches:
    """Use cases on batches. Nobody else's can be named: they lie in the actor's own sealed file. ``writing`` names those whose results
    are being written now."""

    work: Work[BatchesUnit]
    own: OwnFile
    policy: Policy
    files: Files
    waking: Waking = field(default_factory=Waking)
    writing: set[str] = field(default_factory=set)

    async def submit(self, actor: Actor, endpoint: str, file_id: str, metadata: Mapping[str, str]) -> Batch:
        """Read a file of requests and queue them. A batch whose file holds lines that cannot be asked is returned as failed, with them.

        Raises Invalid, NotFound, Denied, Conflict (too many are open), Unavailable.
        """
        self._decide(actor)
        if actor.key_id is None:
            raise Denied("batches are submitted with an API key", code="key_needed")
        if endpoint not in ENDPOINTS:
            raise Invalid(f"the endpoint is none of {', '.join(ENDPOINTS)}", code="bad_endpoint")
        self.files.disk.require()
        file, data = await self.files.content(actor, file_id)
        with closing(data):
            return await self._submit(actor, endpoint, file, data, metadata)

    async def _submit(
        self, actor: Actor, endpoint: str, file: File, data: Iterable[bytes], metadata: Mapping[str, str]
    ) -> Batch:
        if file.use is not Use.BATCH:
            hint = "upload it with purpose=batch"
            raise Invalid("the file was not handed over for a batch", code="bad_purpose", hint=hint)
        now = self.own.clock.now()
        batch = Batch(
            new_id("batch"), actor.id, endpoint, file.id, 0, now, now + WINDOW, metadata=dict(metadata), label=file.label,
            purpose=file.purpose,
        )  # fmt: skip
        if file.size > MOST_BYTES:
            too_large = WrongLine(0, "file_too_large", f"a batch file has at most {MOST_BYTES >> 20} MB")
            return await self.work.run(lambda unit: self._refuse(unit, actor, batch, [too_large]))
        key, wrap = await self.work.run(lambda unit: self._begin(unit, actor, batch))
        reading = BatchReading(endpoint)
        try:
            pieces = reading.pieces(data)
            while (lines := await asyncio.to_thread(next, pieces, None)) is not None:
                await self.work.run(lambda unit, lines=lines: unit.open_batch(batch.id, key).add(lines))  # type: ignore[misc]
            if reading.wrong:
                return await self.work.run(lambda unit: self._refuse(unit, actor, batch, reading.wrong))
            whole = dataclasses.replace(batch, total=reading.total)
            await self.work.run(lambda unit: self._queue(unit, actor, whole, key, wrap))
        except BaseException:
            # Also when the client goes away. Nobody has its key; should this be lost too, the next start removes the file.
            await self.work.run(lambda unit: self._drop(unit, batch.id))
            raise
        self.waking.work.set()
        return whole

    def _begin(self, unit: BatchesUnit, actor: Actor, batch: Batch) -> tuple[Secret, bytes]:
        """Make the batch's own file; return its key, and that key wrapped for its owner."""
        user = unit.users.get(actor.id)
        if user is None or actor.unlocked is None:
            raise Denied("this credential cannot open content", code="locked")
        rows, _ = self._rows(unit, actor)
        if sum(one.state in RUNNING or one.state is BatchState.FINALIZING for one in rows.list()) >= MOST_OPEN:
            hint = "wait for one to end, and retrieve those that are finalizing"
            raise Conflict(f"at most {MOST_OPEN} batches may be open", code="too_many_batches", hint=hint)
        made = self.own.keystore.new_data_key(batch_context(batch.id), [user.public_key])
        unit.open_batch(batch.id, made.key).put(batch)
        return made.key, made.wraps[0]

    def _queue(self, unit: BatchesUnit, actor: Actor, batch: Batch, key: Secret, wrap: bytes) -> None:
        context, now = batch_context(batch.id), self.own.clock.now()
        rows, _ = self._rows(unit, actor)
        if actor.unlocked is None:
            raise Denied("this credential cannot open content", code="locked")
        expires = batch.expires_at + MARGIN
        grant = self.own.keystore.grant_to_job(actor.unlocked, context, wrap, job_id=batch.id, expires_at=expires)
        unit.wraps.add_key_wrap(KeyWrap(new_id("wrp"), context, actor.id, wrap, now))
        unit.wraps.add_key_wrap(KeyWrap(new_id("wrp"), context, recipient_of(batch.id), grant, now, expires))
        unit.open_batch(batch.id, key).put(batch)
        rows.put(batch)
        key_id = actor.key_id or ""
        unit.collections.add_job(
            Job(batch.id, KIND, actor.id, "", JobState.QUEUED, batch.total, 0, now, now, actor_key_id=key_id)
        )
        event = BatchSubmitted(resource=ref_of(batch), label=batch.label, lines=batch.total, outcome=Outcome.STARTED)
        unit.audit.record(actor, event)

    def _refuse(self, unit: BatchesUnit, actor: Actor, batch: Batch, wrong: Sequence[WrongLine]) -> Batch:
        now = self.own.clock.now()
        refused = dataclasses.replace(batch, state=BatchState.FAILED, wrong=tuple(wrong), ended_at=now)
        self._rows(unit, actor)[0].put(refused)
        self._drop(unit, batch.id)
        codes = ", ".join(sorted({one.code for one in wrong}))
        event = BatchSubmitted(
            resource=ref_of(batch), label=batch.label, lines=0, outcome=Outcome.REFUSED, reason=codes
        )
        unit.audit.record(actor, event)
        return refused

    def _drop(self, unit: BatchesUnit, batch_id: str) -> None:
        unit.wraps.remove_key_wraps(batch_context(batch_id))
        unit.destroy_batch(batch_id)

    async def list(self, actor: Actor) -> Sequence[Batch]:
        """Return one's batches, oldest first. Raises Denied (``locked``)."""
        self._decide(actor)

        def look(unit: BatchesUnit) -> Sequence[Batch]:
            key = self.own.key(unit, actor)
            kept = unit.open_batches(actor.id, key).list() if key is not None else []
            found = [self._as_it_is(unit, actor, batch) for batch in kept]
            resource = ResourceRef("batches", actor.id, actor.id, LABEL)
            unit.audit.record(actor, BatchesListed(resource=resource, label=LABEL, batches=len(found)))
            return found

        return await self.work.run(look)

    async def get(self, actor: Actor, batch_id: str) -> Batch:
        """Return a batch; one that has come to its end is written into files of its owner first. Raises NotFound, Denied."""
        self._decide(actor)

        def look(unit: BatchesUnit) -> Batch:
            batch = self._found(unit, actor, batch_id)
            unit.audit.record(actor, BatchesListed(resource=ref_of(batch), label=batch.label, batches=1))
            return batch

        batch = await self.work.run(look)
        if batch.state is not BatchState.FINALIZING or batch.id in self.writing:
            return batch
        self.writing.add(batch.id)
        try:
            return await self._write(actor, batch)
        finally:
            self.writing.discard(batch.id)

    async def cancel(self, actor: Actor, batch_id: str) -> Batch:
        """Stop a batch: the request that is being answered is given up, what was answered stays. One that has ended is returned as it
        is. Raises NotFound, Denied."""
        self._decide(actor)

        def write(unit: BatchesUnit) -> Batch:
            batch = self._found(unit, actor, batch_id)
            if batch.state is not BatchState.IN_PROGRESS:
                return batch
            stopping = dataclasses.replace(batch, state=BatchState.CANCELLING, cancelling_at=self.own.clock.now())
            store = self._store(unit, actor, batch_id)
            store.put(stopping)
            unit.audit.record(actor, BatchCancelled(resource=ref_of(batch), label=batch.label))
            if batch_id not in self.waking.stops:
                # None of its requests is under way, and its turn may be hours away.
                self.finish(unit, actor, store, stopping, BatchState.CANCELLED)
            return stopping

        batch = await self.work.run(write)
        if batch.id in self.waking.stops:
            self.waking.stops[batch.id].set()
        self.waking.work.set()
        return batch

    def finish(
        self, unit: BatchesUnit, actor: Actor, store: BatchStore, batch: Batch, outcome: BatchState, reason: str = ""
    ) -> Batch:
        """Ask no more of a batch. What it came to waits for its owner."""
        now = self.own.clock.now()
        ended = dataclasses.replace(
            batch, state=BatchState.FINALIZING, outcome=outcome, reason=reason, finalizing_at=now
        )
        store.put(ended)
        self.close(unit, ended)
        event = BatchEnded(
            resource=ref_of(batch), label=batch.label, answered=batch.done, failed=batch.failed, reason=reason or outcome.value,
            outcome=Outcome.DONE if outcome is BatchState.COMPLETED else Outcome.FAILED,
        )  # fmt: skip
        unit.audit.record(actor, event)
        return ended

    def close(self, unit: BatchesUnit, batch: Batch) -> None:
        """End the job of a batch, and with it the grant."""
        unit.wraps.remove_key_wraps(batch_context(batch.id), recipient_of(batch.id))
        job = unit.collections.job(batch.id)
        if job is not None:
            now, done = self.own.clock.now(), min(batch.done + batch.failed, job.total)
            unit.collections.update_job(
                dataclasses.replace(job, state=_ENDS[batch.outcome], done=done, updated_at=now, error=batch.reason)
            )

    async def _write(self, actor: Actor, batch: Batch) -> Batch:
        """Write what a batch came to into files of its owner, and destroy the batch's own file: in one commit."""
        key, own = await self.work.run(lambda unit: (self._key(unit, actor, batch.id), self._rows(unit, actor)[1]))
        if key is None:
            return batch
        loop, made = asyncio.get_running_loop(), dict[bool, File]()
        async with self.files.sealing() as seal:
            for good in (True, False):
                results = Results(self.work, loop, batch, key, good=good)
                if results.any:
                    name = f"{batch.id}_{'output' if good else 'error'}.jsonl"
                    made[good] = await seal(actor, own, name, results, lambda: Use.BATCH_OUTPUT)
            ids = {good: file.id for good, file in made.items()}
            written = dataclasses.replace(
                batch, state=batch.outcome, output_id=ids.get(True, ""), error_id=ids.get(False, ""),
                ended_at=self.own.clock.now(),
            )  # fmt: skip

            def write(unit: BatchesUnit) -> None:
                for file in made.values():
                    self.files.enter(unit, actor, own, file)
                self._rows(unit, actor)[0].put(written)
                self._drop(unit, batch.id)
                event = BatchWritten(resource=ref_of(batch), label=batch.label, files=len(made))
                unit.audit.record(actor, event)

            await self.work.run(write)
        return written

    def _decide(self, actor: Actor) -> None:
        self.policy.decide(actor, Permission.BATCHES, ResourceRef("batches", actor.id, actor.id, LABEL))

    def _rows(self, unit: BatchesUnit, actor: Actor) -> tuple[BatchRows, Secret]:
        key = self.own.key(unit, actor)
        if key is None:
            raise NotFound("no such batch")
        return unit.open_batches(actor.id, key), key

    def _found(self, unit: BatchesUnit, actor: Actor, batch_id: str) -> Batch:
        batch = self._rows(unit, actor)[0].get(batch_id)
        if batch is None:
            raise NotFound("no such batch")
        self.policy.decide(actor, Permission.BATCHES, ref_of(batch))
        return self._as_it_is(unit, actor, batch)

    def _key(self, unit: BatchesUnit, actor: Actor, batch_id: str) -> Secret | None:
        wrap = unit.wraps.key_wrap(batch_context(batch_id), actor.id)
        if actor.unlocked is None or wrap is None:
            return None
        return self.own.keystore.open_data_key(actor.unlocked, batch_context(batch_id), wrap.blob)

    def _store(self, unit: BatchesUnit, actor: Actor, batch_id: str) -> BatchStore:
        key = self._key(unit, actor, batch_id)
        if key is None:
            raise NotFound("no such batch")
        return unit.open_batch(batch_id, key)

    def _as_it_is(self, unit: BatchesUnit, actor: Actor, kept: Batch) -> Batch:
        """Return how far a batch came, which its own file knows; put right what a crash or an expired grant left."""
        if kept.state not in RUNNING:
            if unit.wraps.recipients(batch_context(kept.id)):
                self._drop(unit, kept.id)  # a crash came between the commits of the two files: it had been written
            return kept
        try:
            store = self._store(unit, actor, kept.id)
            batch, job = store.get(kept.id), unit.collections.job(kept.id)
            if batch is None:
                raise NotFound("the batch is not in its file")
            if batch.state not in RUNNING or (job is not None and job.state in OPEN_STATES):
                return batch
            # Its grant has ended, and no worker will go on with it: whoever can open it now closes it.
            over = batch.expires_at <= self.own.clock.now()
            outcome = BatchState.EXPIRED if over else BatchState.FAILED
            reason = (job.error if job is not None else "") or "it could not go on"
            if batch.state is BatchState.CANCELLING:
                outcome, reason = BatchState.CANCELLED, ""
            return self.finish(unit, actor, store, batch, outcome, reason)
        except Corrupt:
            # Not written down: a file that is damaged may come back from a backup.
            return dataclasses.replace(kept, state=BatchState.FAILED, reason="its file is damaged")
        except NotFound:
            failed = dataclasses.replace(kept, state=BatchState.FAILED, reason="PAI was stopped while it was submitted")
            self._rows(unit, actor)[0].put(failed)
            return failed


def recipient_of(batch_id: str) -> str:
    """Return to whom a batch's grant is made out."""
    return f"job:{batch_id}"


def ref_of(batch: Batch) -> ResourceRef:
    """Return the batch as policy sees it."""
    return ResourceRef("batch", batch.id, batch.owner_id, batch.label)
