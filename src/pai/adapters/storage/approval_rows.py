"""Requests that take a second person, what was said to them, and the rules, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.rows import from_row, to_row
from pai.core.approvals.values import Request, State, Vote
from pai.core.policy.values import Act, Rule
from pai.foundation.time import from_text, to_text

MOST: Final = 200


class ApprovalRows:
    """Implements ``core.approvals.ports.ApprovalRepository`` and ``core.policy.ports.RuleRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, request: Request) -> None:
        """Insert a request."""
        self._db.execute(insert(t.approval_requests), to_row(request, t.approval_requests))

    def get(self, request_id: str) -> Request | None:
        """Return a request by id."""
        query = select(t.approval_requests).where(t.approval_requests.c.id == request_id)
        row = self._db.execute(query).mappings().first()
        return from_row(Request, row) if row else None

    def list(self, *, requester: str | None = None, state: State | None = None) -> Sequence[Request]:
        """Return requests, newest first, at most 200; of those in one state all."""
        r = t.approval_requests.c
        query = select(t.approval_requests).order_by(r.id.desc())
        if requester is not None:
            query = query.where(r.requester == requester)
        query = query.where(r.state == state.value) if state is not None else query.limit(MOST)
        return [from_row(Request, row) for row in self._db.execute(query).mappings()]

    def close(self, request_id: str, state: State, at: datetime) -> bool:
        """Give an open request its end; return whether it was open."""
        r = t.approval_requests.c
        query = update(t.approval_requests).where(r.id == request_id, r.state == State.OPEN.value)
        return int(self._db.execute(query.values(state=state.value, closed_at=to_text(at))).rowcount) == 1

    def set_state(self, request_id: str, state: State) -> None:
        """Note that what was carried out failed."""
        query = update(t.approval_requests).where(t.approval_requests.c.id == request_id)
        self._db.execute(query.values(state=state.value))

    def vote(self, vote: Vote) -> None:
        """Keep what a person said; a later word replaces an earlier one."""
        row = to_row(vote, t.approval_votes)
        known = ["request_id", "person"]
        self._db.execute(upsert(t.approval_votes).values(row).on_conflict_do_update(index_elements=known, set_=row))

    def votes(self, request_id: str) -> Sequence[Vote]:
        """Return them, oldest first."""
        v = t.approval_votes.c
        query = select(t.approval_votes).where(v.request_id == request_id).order_by(v.at, v.person)
        return [from_row(Vote, row) for row in self._db.execute(query).mappings()]

    def rule(self, act: Act) -> Rule | None:
        """Return the rule that was set for this act."""
        query = select(t.approval_rules).where(t.approval_rules.c.act == act.value)
        row = self._db.execute(query).mappings().first()
        return from_row(Rule, row) if row else None

    def in_force(self) -> bool:
        """Return whether some act takes a second person by a rule that was set here."""
        query = select(t.approval_rules.c.act).where(t.approval_rules.c.quorum > 0).limit(1)
        return self._db.execute(query).first() is not None

    def carried_out(self, requester: str, digest: str) -> datetime | None:
        """Return when this requester last carried out an approval of this digest."""
        r = t.approval_requests.c
        query = select(r.closed_at).where(r.requester == requester, r.digest == digest, r.state == State.EXECUTED.value)
        found = self._db.execute(query.order_by(r.closed_at.desc())).scalar()
        return from_text(str(found)) if found else None

    def set_rule(self, rule: Rule) -> None:
        """Insert or replace the rule of its act."""
        row = to_row(rule, t.approval_rules)
        self._db.execute(upsert(t.approval_rules).values(row).on_conflict_do_update(index_elements=["act"], set_=row))
