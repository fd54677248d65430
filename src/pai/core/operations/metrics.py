"""How the installation does, in numbers. No number tells who asked, or what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.audit.ports import AuditedUnit
from pai.core.operations.ports import Readings, Resident, Residents, Scales, Taken
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.metrics import (
    AUDIT_ENTRIES,
    MODEL_MEMORY,
    PROCESS_MEMORY,
    RUNNING,
    WAITING,
    Metric,
    Reading,
    Sample,
)
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.refs import ResourceRef

PROCESSES: Final = ("gateway", "keystore", "supervisor")
INSTALLATION: Final = ResourceRef("installation", "pai")


@dataclass(frozen=True, slots=True)
class Metrics:
    """The use case of reading them. It is not recorded: it is done every few seconds, and touches nobody's data."""

    work: Work[AuditedUnit]
    policy: Policy
    counted: Readings
    models: Residents
    scales: Scales

    async def read(self, actor: Actor) -> Sequence[Reading]:
        """Return all readings, in the order of their names. Raises Denied."""
        self.policy.decide(actor, Permission.METRICS, INSTALLATION)
        entries = await self.work.read(lambda unit: unit.audit.size())
        residents, weights = self.models.residents(), await self.scales.weighed()
        found = [
            *self.counted.read(),
            _reading(RUNNING, [((one.model,), one.running) for one in residents]),
            _reading(WAITING, [((one.model,), one.waiting) for one in residents]),
            _reading(MODEL_MEMORY, (pair for one in residents for pair in _memory(one, weights.get(one.worker)))),
            _reading(
                PROCESS_MEMORY,
                (((name, weights[name].kind), weights[name].bytes) for name in PROCESSES if name in weights),
            ),
            _reading(AUDIT_ENTRIES, [((), entries)]),
        ]
        return sorted((one for one in found if one.samples), key=lambda one: one.metric.name)


def _reading(metric: Metric, pairs: Iterable[tuple[tuple[str, ...], float]]) -> Reading:
    return Reading(metric, tuple(Sample(labels, value) for labels, value in pairs))


def _memory(one: Resident, taken: Taken | None) -> Iterable[tuple[tuple[str, ...], float]]:
    yield (one.model, "estimate"), one.memory
    if taken is not None:
        yield (one.model, taken.kind), taken.bytes
