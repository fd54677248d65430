"""Values of the approvals room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pai.core.policy.values import Act


class State(StrEnum):
    """What became of a request. Only an open one can still change."""

    OPEN = "open"
    EXECUTED = "executed"
    FAILED = "failed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Verdict(StrEnum):
    """What a person said to a request."""

    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Request:
    """An act that somebody asked for, frozen: ``parameters`` is canonical JSON, ``digest`` binds it to its approvals. ``quorum`` and
    ``groups`` are the rule's of that time. ``opens_at``: when it opens without approvals, because there was nobody who could give them;
    None where there was."""

    id: str
    act: Act
    parameters: str
    digest: str
    requester: str
    reason: str
    quorum: int
    groups: tuple[str, ...]
    made_at: datetime
    expires_at: datetime
    opens_at: datetime | None = None
    state: State = State.OPEN
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person said, to which digest."""

    request_id: str
    person: str
    verdict: Verdict
    digest: str
    reason: str
    at: datetime
