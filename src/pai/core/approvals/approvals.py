"""The two-person rule: the exact request is frozen, others approve it, whoever asked carries it out once, within its time.

After Vault's control groups. A request is made by the gate inside a use case (``core.policy.gate``), never by hand: nobody can ask
for what they may not do, nor word it otherwise than it would be done.
"""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pai.core.approvals.events import (
    ApprovalAsked,
    ApprovalClosed,
    ApprovalExecuted,
    ApprovalFailed,
    ApprovalsRead,
    ApprovalVoted,
    RuleChanged,
)
from pai.core.approvals.ports import ApprovalsUnit
from pai.core.approvals.standing import Standing, is_alone, may_vote, standing, told_of
from pai.core.approvals.values import Request, State, Verdict, Vote
from pai.core.audit.encoding import encode
from pai.core.audit.values import Outcome
from pai.core.policy.gate import Gate, NeedsApproval, Parameters, digest_of
from pai.core.policy.ports import Policy
from pai.core.policy.values import Act, Permission, Rule
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import SYSTEM, Actor, Role
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, PaiError
from pai.foundation.ids import new_id
from pai.foundation.refs import ResourceRef

MOST_OPEN: Final = 20
"""Open requests of one requester: a list that nobody reads protects nobody."""
MOST_REASON: Final = 300
ALL: Final = ResourceRef("approvals", "all")
Carry = Callable[[Actor, Parameters], Awaitable[dict[str, Any]]]
"""Does an approved act as the actor who asked for it, and returns what they are told."""


@dataclass(frozen=True, slots=True)
class Told:
    """A request as it stands. ``people``: addresses of the accounts in it, by id; ``yours``: the viewer may approve or refuse it."""

    request: Request
    votes: Sequence[Vote]
    standing: Standing
    people: Mapping[str, str]
    yours: bool


@dataclass(frozen=True, slots=True)
class Approvals:
    """Use cases on requests. ``acts``: what carries each act out."""

    work: Work[ApprovalsUnit]
    policy: Policy
    clock: Clock
    gate: Gate
    acts: Mapping[Act, Carry]

    async def ask(self, actor: Actor, needed: NeedsApproval, reason: str = "") -> Request:
        """Keep what the gate did not let through, for others to decide; the same again is the same request. Raises Denied, Conflict."""
        self.policy.decide(actor, Permission.APPROVALS_ASK, ResourceRef("approval", "new", actor.id))
        await self.expire()
        digest = digest_of(needed.act, needed.parameters)

        def write(unit: ApprovalsUnit) -> Request:
            mine = unit.approvals.list(requester=actor.id, state=State.OPEN)
            same = next((one for one in mine if one.digest == digest), None)
            if same is not None:
                return same
            if len(mine) >= MOST_OPEN:
                raise Conflict("too many of your requests are open", code="too_many_requests", hint="withdraw some")
            rule, now = self.gate.rule(unit, needed.act), self.clock.now()
            alone = is_alone(unit.users.list(), actor.id, rule, rule.quorum)
            life = timedelta(hours=rule.life_hours + (rule.lock_hours if alone else 0))
            made = Request(
                new_id("apr"), needed.act, encode(needed.parameters).decode(), digest, actor.id, _plain(reason),
                rule.quorum, rule.groups, now, now + life,
                opens_at=now + timedelta(hours=rule.lock_hours) if alone else None,
            )  # fmt: skip
            unit.approvals.add(made)
            unit.audit.record(actor, ApprovalAsked(resource=_ref(made), act=made.act.value, digest=digest, alone=alone))
            return made

        return await self.work.run(write)

    async def list(self, actor: Actor) -> Sequence[Told]:
        """Return the newest requests: all for those who oversee, else one's own and those one may decide. Raises Denied."""
        overseer = self._oversees(actor)
        own = ResourceRef("approvals", actor.id, actor.id)
        self.policy.decide(actor, Permission.APPROVALS_READ, ALL if overseer else own)
        await self.expire()

        def look(unit: ApprovalsUnit) -> Sequence[Told]:
            every = unit.approvals.list()
            found = [one for one in every if overseer or one.requester == actor.id or self._votes(unit, actor, one)]
            unit.audit.record(actor, ApprovalsRead(resource=ALL, requests=len(found)))
            return [self._told(unit, actor, one) for one in found]

        return await self.work.run(look)

    async def show(self, actor: Actor, request_id: str) -> Told:
        """Return one request. Raises NotFound also for one that is not theirs to see."""
        await self.expire()

        def look(unit: ApprovalsUnit) -> Told:
            request = self._seen(unit, actor, request_id)
            unit.audit.record(actor, ApprovalsRead(resource=_ref(request), requests=1))
            return self._told(unit, actor, request)

        return await self.work.run(look)

    async def approve(self, actor: Actor, request_id: str, digest: str, reason: str = "") -> Told:
        """Approve a request, by the digest that was looked at. Raises NotFound, Denied, Conflict (``approval_closed``, ``changed``)."""
        return await self._vote(actor, request_id, Verdict.APPROVE, digest, reason)

    async def refuse(self, actor: Actor, request_id: str, reason: str = "") -> Told:
        """Refuse a request, which ends it. Raises NotFound, Denied, Conflict (``approval_closed``)."""
        return await self._vote(actor, request_id, Verdict.REFUSE, None, reason)

    async def _vote(self, actor: Actor, request_id: str, verdict: Verdict, digest: str | None, reason: str) -> Told:
        await self.expire()

        def write(unit: ApprovalsUnit) -> Told:
            request = self._seen(unit, actor, request_id)
            self.policy.decide(actor, Permission.APPROVALS_DECIDE, _ref(request))
            if actor.key_id is not None:
                _own_hand(unit, actor.key_id, actor)
            if not self._votes(unit, actor, request):
                raise Denied(
                    "this request is for others to decide", code="not_an_approver",
                    hint="it takes somebody else, of: " + ", ".join(request.groups),
                )  # fmt: skip
            now = self._open(request)
            if digest is not None and not hmac.compare_digest(digest.encode(), request.digest.encode()):
                raise Conflict("this is not what was asked for", code="changed", hint="look at the request again")
            unit.approvals.vote(Vote(request.id, actor.id, verdict, request.digest, _plain(reason), now))
            if verdict is Verdict.REFUSE:
                unit.approvals.close(request.id, State.REFUSED, now)
            event = ApprovalVoted(
                resource=_ref(request), act=request.act.value, digest=request.digest, verdict=verdict.value
            )
            unit.audit.record(actor, event)
            return self._told(unit, actor, unit.approvals.get(request.id) or request)

        return await self.work.run(write)

    async def withdraw(self, actor: Actor, request_id: str) -> Request:
        """Take back one's own request. Raises NotFound, Conflict (``approval_closed``)."""
        await self.expire()

        def write(unit: ApprovalsUnit) -> Request:
            request = self._own(unit, actor, request_id)
            unit.approvals.close(request.id, State.WITHDRAWN, self._open(request))
            event = ApprovalClosed(resource=_ref(request), act=request.act.value, how=State.WITHDRAWN.value)
            unit.audit.record(actor, event)
            return dataclasses.replace(request, state=State.WITHDRAWN)

        return await self.work.run(write)

    async def execute(self, actor: Actor, request_id: str) -> tuple[Request, dict[str, Any]]:
        """Carry out one's own approved request, exactly as it was frozen; return it and what its act tells.

        It is used up before it begins, so that it runs once at most. People, roles and rule are judged as they are now, and the act's own
        use case decides again. Raises NotFound, Conflict (``approval_closed``, ``not_approved``, ``changed``) and what the act raises.
        """
        await self.expire()
        request = await self.work.run(lambda unit: self._claim(unit, actor, request_id))
        try:
            carry = self._change if request.act is Act.RULE else self.acts[request.act]
            told = await carry(dataclasses.replace(actor, warrant=request.digest), told_of(request))
        except Exception as error:
            code = error.code if isinstance(error, PaiError) else "internal"
            await self.work.run(lambda unit: _failed(unit, actor, request, code))
            if isinstance(error, NeedsApproval):
                raise Conflict(
                    "what was approved is no longer what would be done", code="changed", hint="ask for it anew"
                ) from None
            raise
        return request, told

    def _claim(self, unit: ApprovalsUnit, actor: Actor, request_id: str) -> Request:
        request = self._own(unit, actor, request_id)
        now = self._open(request)
        rule = self.gate.rule(unit, request.act)
        stands = standing(request, unit.approvals.votes(request.id), unit.users.list(), rule, now)
        if not stands.intact:
            raise Conflict("this is not what was asked for", code="changed", hint="ask for it anew")
        if not stands.ready:
            raise Conflict(_missing(request, stands), code="not_approved", hint="see `pai approvals show ID`")
        if not unit.approvals.close(request.id, State.EXECUTED, now):
            raise _closed(request)
        event = ApprovalExecuted(
            resource=_ref(request), act=request.act.value, digest=request.digest, approvers=stands.approvers
        )
        unit.audit.record(actor, event)
        return request

    async def expire(self) -> None:
        """Close what nobody carried out in time, for good: a clock that is set back opens none again."""
        now = self.clock.now()

        def due(unit: ApprovalsUnit) -> list[Request]:
            return [one for one in unit.approvals.list(state=State.OPEN) if one.expires_at <= now]

        if not await self.work.read(due):
            return

        def write(unit: ApprovalsUnit) -> None:
            for one in due(unit):
                unit.approvals.close(one.id, State.EXPIRED, now)
                event = ApprovalClosed(resource=_ref(one), act=one.act.value, how=State.EXPIRED.value)
                unit.audit.record(SYSTEM, event)

        await self.work.run(write)

    async def rules(self, actor: Actor) -> Sequence[Rule]:
        """Return how each act is approved. Raises Denied."""
        self.policy.decide(actor, Permission.APPROVALS_READ, ALL)
        return await self.work.read(lambda unit: [self.gate.rule(unit, act) for act in Act])

    async def change_rule(self, actor: Actor, rule: Rule) -> Rule:
        """Approve an act in another way from now on. Raises Denied, Invalid, NeedsApproval."""
        self.policy.decide(actor, Permission.APPROVALS_RULES, ALL)
        _check_rule(rule)

        def write(unit: ApprovalsUnit) -> Rule:
            before = self.gate.rule(unit, rule.act)
            self.gate.admit(unit, actor, Act.RULE, parameters_of(rule))
            unit.rules.set_rule(rule)
            event = RuleChanged(
                resource=ALL, act=rule.act.value, before=before.quorum, quorum=rule.quorum, groups=rule.groups,
                life_hours=rule.life_hours, lock_hours=rule.lock_hours,
            )  # fmt: skip
            unit.audit.record(actor, event)
            return rule

        return await self.work.run(write)

    async def _change(self, actor: Actor, told: Parameters) -> dict[str, Any]:
        rule = await self.change_rule(actor, rule_of(told))
        return {"act": rule.act.value, "quorum": rule.quorum, "groups": list(rule.groups)}

    def _oversees(self, actor: Actor) -> bool:
        try:
            self.policy.decide(actor, Permission.APPROVALS_READ, ALL)
        except Denied:
            return False
        return True

    def _seen(self, unit: ApprovalsUnit, actor: Actor, request_id: str) -> Request:
        request = unit.approvals.get(request_id)
        if request is None:
            raise _no_such()
        asked = frozenset({actor.id}) if self._votes(unit, actor, request) else frozenset[str]()
        if not (request.requester == actor.id or asked or self._oversees(actor)):
            raise _no_such()
        self.policy.decide(actor, Permission.APPROVALS_READ, dataclasses.replace(_ref(request), shared_with=asked))
        return request

    def _votes(self, unit: ApprovalsUnit, actor: Actor, request: Request) -> bool:
        return may_vote(unit.users.get(actor.id), request, self.gate.rule(unit, request.act))

    def _own(self, unit: ApprovalsUnit, actor: Actor, request_id: str) -> Request:
        request = unit.approvals.get(request_id)
        if request is None or request.requester != actor.id:
            raise _no_such()
        self.policy.decide(actor, Permission.APPROVALS_ASK, _ref(request))
        return request

    def _open(self, request: Request) -> datetime:
        now = self.clock.now()
        if request.state is not State.OPEN or request.expires_at <= now:
            raise _closed(request)
        return now

    def _told(self, unit: ApprovalsUnit, actor: Actor, request: Request) -> Told:
        users, votes = unit.users.list(), unit.approvals.votes(request.id)
        rule = self.gate.rule(unit, request.act)
        people = {user.id: user.email for user in users if user.id in {request.requester, *(v.person for v in votes)}}
        mine = next((user for user in users if user.id == actor.id), None)
        yours = request.state is State.OPEN and may_vote(mine, request, rule)
        return Told(request, votes, standing(request, votes, users, rule, self.clock.now()), people, yours)


def parameters_of(rule: Rule) -> Parameters:
    """Return a rule as the parameters of its change."""
    return {
        "act": rule.act.value, "quorum": rule.quorum, "groups": ",".join(rule.groups), "life_hours": rule.life_hours,
        "lock_hours": rule.lock_hours,
    }  # fmt: skip


def rule_of(parameters: Parameters) -> Rule:
    """Return the rule of such parameters."""
    groups = tuple(str(parameters["groups"]).split(","))
    hours = int(parameters["life_hours"]), int(parameters["lock_hours"])
    return Rule(Act(str(parameters["act"])), int(parameters["quorum"]), groups, *hours)


def _check_rule(rule: Rule) -> None:
    if not 0 <= rule.quorum <= 5:
        raise Invalid("a quorum is 0 (nobody) to 5 people besides who asks", code="bad_rule")
    if not rule.groups or not set(rule.groups) <= {role.value for role in Role} - {Role.GUEST.value}:
        raise Invalid("groups are roles, other than guest", code="bad_rule", hint="such as administrator,officer")
    if not (1 <= rule.life_hours <= 720 and 1 <= rule.lock_hours <= 720):
        raise Invalid("a life and a lock last 1 to 720 hours", code="bad_rule")


def _failed(unit: ApprovalsUnit, actor: Actor, request: Request, code: str) -> None:
    unit.approvals.set_state(request.id, State.FAILED)
    event = ApprovalFailed(resource=_ref(request), act=request.act.value, outcome=Outcome.FAILED, reason=code)
    unit.audit.record(actor, event)


def _own_hand(unit: ApprovalsUnit, key_id: str, actor: Actor) -> None:
    """Refuse keys that somebody else made for this account, as the console can: with one, its maker would be the second person."""
    key = unit.users.key(key_id)
    if key is None or key.made_by != actor.id:
        raise Denied(
            "only a key that you made yourself approves or refuses", code="not_your_key",
            hint="make one with the scope admin on your account page, or decide in the browser",
        )  # fmt: skip


def _missing(request: Request, stands: Standing) -> str:
    if stands.alone and request.opens_at is not None:
        return f"nobody else can approve this: it opens at {request.opens_at:%Y-%m-%d %H:%M} UTC"
    if stands.alone:
        return "there are too few people now who could approve this: ask for it anew"
    return f"{len(stands.approvers)} of {stands.needed} approvals are there"


def _ref(request: Request) -> ResourceRef:
    return ResourceRef("approval", request.id, request.requester)


def _plain(reason: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in reason).split())[:MOST_REASON]


def _no_such() -> NotFound:
    return NotFound("no such request", hint="see `pai approvals list`")


def _closed(request: Request) -> Conflict:
    told = request.state.value if request.state is not State.OPEN else State.EXPIRED.value
    return Conflict(f"this request is {told}", code="approval_closed", hint="ask for it anew")
