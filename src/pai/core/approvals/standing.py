"""How a request stands: who may still say something, whose word counts, whether it may be carried out. Judged anew each time."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pai.core.approvals.values import Request, State, Verdict, Vote
from pai.core.identity.values import User
from pai.core.policy.gate import digest_of
from pai.core.policy.values import Rule
from pai.foundation.actor import OPERATOR, ActorKind


@dataclass(frozen=True, slots=True)
class Standing:
    """``approvers``: whose approvals count now; ``needed``: how many it takes; ``alone``: there are too few who could give them;
    ``ready``: it may be carried out; ``intact``: what would be done is what was asked for."""

    approvers: tuple[str, ...]
    needed: int
    alone: bool
    ready: bool
    intact: bool


def may_vote(user: User | None, request: Request, rule: Rule) -> bool:
    """Tell whether this account may approve or refuse: a person, active, of a group that the rule named then and names now, and not who
    asked. That somebody has two accounts cannot be known."""
    return (
        user is not None
        and user.id != request.requester
        and user.disabled_at is None
        and user.kind is ActorKind.PERSON
        and user.role.value in request.groups
        and user.role.value in rule.groups
    )


def is_alone(users: Sequence[User], requester: str, rule: Rule, quorum: int) -> bool:
    """Tell whether fewer people than it takes could approve what this one asks for.

    Whoever holds the console is taken for one of them: where one person runs the machine and administers, the two are the same.
    """
    able = {
        user.id
        for user in users
        if user.disabled_at is None and user.kind is ActorKind.PERSON and user.role.value in rule.groups
    }
    others = len(able - {requester}) - (1 if requester == OPERATOR.id else 0)
    return others < quorum


def standing(request: Request, votes: Sequence[Vote], users: Sequence[User], rule: Rule, now: datetime) -> Standing:
    """Judge a request by people, roles and rule as they are now; the stricter of the rule then and now holds."""
    needed = max(request.quorum, rule.quorum)
    known = {user.id: user for user in users}
    intact = hmac.compare_digest(request.digest, digest_of(request.act, told_of(request)))
    approvers = tuple(
        vote.person
        for vote in votes
        if vote.verdict is Verdict.APPROVE
        and hmac.compare_digest(vote.digest, request.digest)
        and may_vote(known.get(vote.person), request, rule)
    )
    alone = is_alone(users, request.requester, rule, needed)
    unlocked = alone and request.opens_at is not None and request.opens_at <= now
    # Where the console asks and there is one administrator, their word is no second person's: the lock holds.
    enough = len(approvers) >= needed and not alone
    ready = request.state is State.OPEN and intact and now < request.expires_at and (enough or unlocked)
    return Standing(approvers, needed, alone, ready, intact)


def told_of(request: Request) -> dict[str, Any]:
    """Return the frozen parameters."""
    found: dict[str, Any] = json.loads(request.parameters)
    return found
