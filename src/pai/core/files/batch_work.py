"""Answering batches: a request at a time, for each owner in turn, when nobody waits. An answer and how far the batch came are
committed together, so that a start after a crash goes on with the request that was under way, and asks none again that was answered."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.audit.values import Outcome
from pai.core.files.batches import KIND, Batches, recipient_of, ref_of
from pai.core.files.events import BatchEnded, BatchLineAnswered
from pai.core.files.ports import Answers, BatchesUnit, BatchStore
from pai.core.files.values import RUNNING, Batch, BatchLine, BatchState, batch_context
from pai.core.identity.api_keys import ApiKeys
from pai.core.knowledge.ingest import OPEN_STATES, PAUSE
from pai.core.knowledge.values import Job, JobState
from pai.core.models.traffic import Traffic
from pai.foundation.actor import SYSTEM, Actor
from pai.foundation.errors import Corrupt, NotFound, PaiError, Unauthenticated
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

PATIENCE: Final = 30.0
"""Seconds that a request steps back for people at most: then it has its turn among them."""
ATTEMPTS: Final = 4
"""How often a request is asked whose engine was not there: waiting 1, 2 and 4 seconds."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A batch whose turn it is, what opens it, and its next request; None when all are answered."""

    job: Job
    batch: Batch
    key: Secret
    line: BatchLine | None


@dataclass(frozen=True, slots=True)
class BatchWork:
    """The loop that works batches off."""

    batches: Batches
    keys: ApiKeys
    answers: Answers
    traffic: Traffic

    async def run_forever(self) -> None:
        """Work off open batches, beginning with those that an earlier process left."""
        waking = self.batches.waking
        while True:
            waking.work.clear()
            try:
                while jobs := await self.batches.work.read(_open_jobs):
                    for job in _turns(jobs):
                        await self._step(job)
            except PaiError:
                # Sealed, or no room to write: the batches stay as they are and are taken up again.
                await asyncio.sleep(PAUSE)
            else:
                await waking.work.wait()

    async def _step(self, job: Job) -> None:
        """Answer one request, or end the batch."""
        try:
            turn = await self.batches.work.run(lambda unit: self._turn(unit, job))
            if turn is None:
                return
            actor = await self.keys.behalf(job.actor_key_id)
            if turn.batch.state is BatchState.CANCELLING:
                await self._finish(turn, BatchState.CANCELLED)
            elif turn.line is None:
                await self._finish(turn, BatchState.COMPLETED)
            elif actor is None:
                await self._finish(turn, BatchState.FAILED, "the key that it was submitted with has ended")
            elif self.batches.own.clock.now() >= turn.batch.expires_at:
                await self._finish(turn, BatchState.EXPIRED, "its time was over")
            else:
                await self._answer(turn, turn.line, actor)
        except (Corrupt, NotFound, Unauthenticated) as error:
            # Its grant has expired or is gone, or its file is damaged: this batch cannot go on, the others can.
            await self._abandon(job, error.message)
        except PaiError:
            raise
        except Exception:
            await self._abandon(job, "an unexpected error happened")
            raise

    def _turn(self, unit: BatchesUnit, job: Job) -> _Turn | None:
        key, store, batch = self._open(unit, job)
        if batch.state not in RUNNING:
            # A crash came between the commits of the two files: the batch had ended.
            self.batches.close(unit, batch)
            return None
        return _Turn(job, batch, key, store.waiting())

    def _open(self, unit: BatchesUnit, job: Job) -> tuple[Secret, BatchStore, Batch]:
        context = batch_context(job.id)
        wrap = unit.wraps.key_wrap(context, recipient_of(job.id))
        if wrap is None:
            raise NotFound("its grant is gone")
        key = self.batches.own.keystore.open_job_grant(context, wrap.blob, job_id=job.id)
        store = unit.open_batch(job.id, key)
        batch = store.get(job.id)
        if batch is None:
            raise NotFound("the batch is not in its file")
        return key, store, batch

    async def _answer(self, turn: _Turn, line: BatchLine, actor: Actor) -> None:
        waking, batch = self.batches.waking, turn.batch
        self.batches.files.disk.require()
        stop = waking.stops.setdefault(batch.id, asyncio.Event())
        try:
            with self.keys.liveness.watch(actor) as ended:
                told = await self._asked(actor, batch.endpoint, line, [stop, ended])
        finally:
            waking.stops.pop(batch.id, None)
        if told is not None:
            kept = dataclasses.replace(line, status=told[0], answer=told[1])
            await self.batches.work.run(lambda unit: self._keep(unit, turn, kept, actor))

    async def _asked(
        self, actor: Actor, endpoint: str, line: BatchLine, ends: list[asyncio.Event]
    ) -> tuple[int, str] | None:
        """Return what answers a request, None when one of ``ends`` came first."""
        asking = asyncio.create_task(self._patiently(actor, endpoint, line))
        waiting = [asyncio.create_task(end.wait()) for end in ends]
        try:
            await asyncio.wait([asking, *waiting], return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            for task in (asking, *waiting):
                task.cancel()
            await asyncio.gather(asking, *waiting, return_exceptions=True)

    async def _patiently(self, actor: Actor, endpoint: str, line: BatchLine) -> tuple[int, str]:
        for attempt in range(ATTEMPTS):
            await self.traffic.quiet(PATIENCE)
            status, answer = await self.answers.answer(actor, endpoint, line.body)
            if status not in (429, 503):
                break
            if attempt < ATTEMPTS - 1:
                await asyncio.sleep(2.0**attempt)
        return status, answer

    def _keep(self, unit: BatchesUnit, turn: _Turn, line: BatchLine, actor: Actor) -> None:
        _, store, batch = self._open(unit, turn.job)
        if batch.state not in RUNNING:
            return
        good = line.status < 400
        batch = dataclasses.replace(batch, done=batch.done + good, failed=batch.failed + (not good))
        store.answered(line)
        store.put(batch)
        now, done = self.batches.own.clock.now(), batch.done + batch.failed
        unit.collections.update_job(
            dataclasses.replace(turn.job, state=JobState.RUNNING, done=done, updated_at=now, error="")
        )
        event = BatchLineAnswered(
            resource=ref_of(batch), label=batch.label, line=line.n, status=line.status,
            outcome=Outcome.DONE if good else Outcome.REFUSED,
        )  # fmt: skip
        unit.audit.record(actor, event)

    async def _finish(self, turn: _Turn, outcome: BatchState, reason: str = "") -> None:
        def write(unit: BatchesUnit) -> None:
            _, store, batch = self._open(unit, turn.job)
            self.batches.finish(unit, _owner(turn.job), store, batch, outcome, reason)

        await self.batches.work.run(write)

    async def _abandon(self, job: Job, reason: str) -> None:
        """End the job of a batch that cannot be opened here; its owner can still, and what was answered is theirs."""

        def write(unit: BatchesUnit) -> None:
            present = unit.collections.job(job.id)
            if present is None or present.state not in OPEN_STATES:
                return  # cancelled while its request was under way: that was its end
            unit.wraps.remove_key_wraps(batch_context(job.id), recipient_of(job.id))
            now = self.batches.own.clock.now()
            unit.collections.update_job(dataclasses.replace(job, state=JobState.FAILED, updated_at=now, error=reason))
            event = BatchEnded(
                resource=ResourceRef("batch", job.id, job.owner_id),
                outcome=Outcome.FAILED,
                reason=reason,
                answered=job.done,
                failed=0,
            )
            unit.audit.record(_owner(job), event)

        await self.batches.work.run(write)


def _open_jobs(unit: BatchesUnit) -> list[Job]:
    return list(unit.collections.jobs(kind=KIND, states=OPEN_STATES))


def _turns(jobs: Sequence[Job]) -> list[Job]:
    """Return the oldest batch of each owner: who submits many has no more turns than who submits one."""
    oldest: dict[str, Job] = {}
    for job in reversed(jobs):
        oldest.setdefault(job.owner_id, job)
    return list(oldest.values())


def _owner(job: Job) -> Actor:
    return dataclasses.replace(SYSTEM, id=job.owner_id, key_id=job.actor_key_id or None)
