"""Events of the approvals room. They tell what was asked for by its digest and the request's id; its words stand with the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked(Event):
    """Somebody was about to do what takes a second person. ``alone``: there is nobody who could approve it; it opens by itself later."""

    name: ClassVar[str] = "approvals:request:make"
    act: str
    digest: str
    alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalVoted(Event):
    """Somebody approved or refused a request. ``verdict``: ``approve`` or ``refuse``."""

    name: ClassVar[str] = "approvals:request:vote"
    act: str
    digest: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalClosed(Event):
    """A request came to its end without being carried out. ``how``: ``withdrawn`` or ``expired``."""

    name: ClassVar[str] = "approvals:request:close"
    act: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalExecuted(Event):
    """An approved act is carried out, once. ``approvers``: who approved it; none where it opened by its time lock."""

    name: ClassVar[str] = "approvals:request:execute"
    act: str
    digest: str
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFailed(Event):
    """An approved act was begun and refused or broken off; the approval is used up."""

    name: ClassVar[str] = "approvals:request:fail"
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsRead(Event):
    """Somebody looked at requests."""

    name: ClassVar[str] = "approvals:request:read"
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChanged(Event):
    """An act is approved in another way from now on. ``before`` is the quorum until now."""

    name: ClassVar[str] = "approvals:rule:change"
    act: str
    before: int
    quorum: int
    groups: tuple[str, ...]
    life_hours: int
    lock_hours: int
