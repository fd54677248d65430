"""Where requests and votes are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pai.core.approvals.values import Request, State, Vote
from pai.core.audit.ports import AuditTrail
from pai.core.identity.ports import UserRepository
from pai.core.policy.ports import RuleRepository


class ApprovalRepository(Protocol):
    """Requests and votes (main database)."""

    def add(self, request: Request) -> None: ...
    def get(self, request_id: str) -> Request | None: ...
    def list(self, *, requester: str | None = None, state: State | None = None) -> Sequence[Request]:
        """Return requests, newest first, at most 200; of those in one state all."""
        ...

    def close(self, request_id: str, state: State, at: datetime) -> bool:
        """Give an open request its end; return whether it was open."""
        ...

    def set_state(self, request_id: str, state: State) -> None:
        """Note that what was carried out failed."""
        ...

    def vote(self, vote: Vote) -> None:
        """Keep what a person said; a later word replaces an earlier one."""
        ...

    def votes(self, request_id: str) -> Sequence[Vote]:
        """Return them, oldest first."""
        ...


class ApprovalsUnit(Protocol):
    """A unit of work for approvals."""

    @property
    def approvals(self) -> ApprovalRepository: ...
    @property
    def rules(self) -> RuleRepository: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def audit(self) -> AuditTrail: ...
