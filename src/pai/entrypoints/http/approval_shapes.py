"""Requests that take a second person, as JSON and in words, for the API, the pages and the console."""

from __future__ import annotations

from typing import Any, Final

from pai.core.approvals.approvals import Told
from pai.core.approvals.standing import told_of
from pai.core.approvals.values import Request
from pai.core.policy.values import Act, Rule
from pai.foundation.errors import PaiError
from pai.foundation.time import to_text

_WORDS: Final = {
    Act.ROLE: "Make {email} {role} (now {before})",
    Act.CLEARANCE: "Clear {email} for {clearance} (now {before})",
    Act.INVITE: "Invite {email} as {role}",
    Act.ENABLE: "Let {email} ({role}) log in again",
    Act.RESET_LOGIN: "Let {email} ({role}) choose a new password",
    Act.SHRED: "Destroy the key of the collection {collection}, with its {documents} documents",
    Act.BULK_DELETE: "Delete the collection “{name}” with its {documents} documents",
    Act.EXPORT: "Export the audit log",
    Act.RULE: "Change how {act} is approved: by {quorum} of {groups}, within {life_hours} hours; time lock {lock_hours} hours",
}


def in_words(request: Request) -> str:
    """Return one sentence that says what exactly is asked for."""
    told = told_of(request)
    more = ", and take their second factor away" if told.get("clear_factors") else ""
    return _WORDS[request.act].format_map(told) + more


def request(value: Request, requester: str) -> dict[str, Any]:
    """A request, without what was said to it."""
    return {
        "id": value.id, "act": value.act.value, "what": in_words(value), "parameters": told_of(value), "digest": value.digest,
        "requester": requester, "reason": value.reason, "state": value.state.value, "made_at": to_text(value.made_at),
        "expires_at": to_text(value.expires_at), "opens_at": to_text(value.opens_at) if value.opens_at else None,
        "groups": list(value.groups),
    }  # fmt: skip


def told(value: Told) -> dict[str, Any]:
    """A request as it stands."""
    stands, people = value.standing, value.people
    return {
        **request(value.request, people.get(value.request.requester, value.request.requester)),
        "needed": stands.needed, "approved": len(stands.approvers), "ready": stands.ready, "alone": stands.alone, "yours": value.yours,
        "votes": [
            {"person": people.get(vote.person, vote.person), "verdict": vote.verdict.value, "reason": vote.reason, "at": to_text(vote.at),
             "counts": vote.person in stands.approvers}
            for vote in value.votes
        ],
    }  # fmt: skip


def rule(value: Rule) -> dict[str, Any]:
    """How an act is approved."""
    return {
        "act": value.act.value, "quorum": value.quorum, "groups": list(value.groups), "life_hours": value.life_hours,
        "lock_hours": value.lock_hours,
    }  # fmt: skip


def waiting(value: Request) -> PaiError:
    """Return the error for an act that was not done, and was asked for instead."""
    error = AsksApproval(
        f"this takes a second person, who was asked: {in_words(value)} ({value.id})",
        hint="once it is approved, carry it out: pai approvals run ID, or the page Approvals"
        if value.opens_at is None
        else f"nobody here could approve it, so it opens by itself at {value.opens_at:%Y-%m-%d %H:%M} UTC; then: pai approvals run ID",
    )
    error.request_id = value.id
    return error


class AsksApproval(PaiError):
    """An act was not done; a request for it is open."""

    status = 403
    default_code = "approval_needed"
    request_id = ""
