"""The gate before acts that take a second person: closed to everybody who does not come with an approval of exactly this.

It stands inside the use cases, in the unit of work that does the act, so that no way in leads around it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pai.core.audit.encoding import encode
from pai.core.policy.ports import GatedUnit
from pai.core.policy.values import Act, Rule
from pai.foundation.actor import Actor
from pai.foundation.errors import PaiError

Parameters = Mapping[str, str | int | bool]
"""What exactly is to be done: ids, names and numbers, never content."""


class NeedsApproval(PaiError):
    """This act takes a second person. It carries what exactly was about to be done, as the use case found it."""

    status = 403
    default_code = "approval_needed"
    default_hint = "ask one of the people who may approve it; see `pai approvals list` and the page Approvals"

    def __init__(self, act: Act, parameters: Parameters) -> None:
        super().__init__(f"{act.value} takes a second person")
        self.act = act
        self.parameters = dict(parameters)


def digest_of(act: Act, parameters: Parameters) -> str:
    """Return the SHA-256 (hex) that an approval is bound to."""
    told = encode({"act": act.value, "parameters": dict(parameters)})
    return hashlib.sha256(b"pai/approval/1\x00" + told).hexdigest()


@dataclass(frozen=True, slots=True)
class Gate:
    """``strict``: acts take a second person unless a rule of this installation says otherwise; else from the first rule on that asks
    for one. A rule for one act alone would be none: who may grant roles or reset logins alone makes a second person of their own."""

    strict: bool = False

    def rule(self, unit: GatedUnit, act: Act) -> Rule:
        """Return how this act is approved."""
        return unit.rules.rule(act) or Rule(act, quorum=1 if self.strict or unit.rules.in_force() else 0)

    def admit(self, unit: GatedUnit, actor: Actor, act: Act, parameters: Parameters) -> None:
        """Return when this takes nobody else, or the actor carries out an approval of exactly these parameters.

        Raises NeedsApproval. Call it after the policy has decided, so that nobody can ask for what they may not do.
        """
        if self.rule(unit, act).quorum == 0:
            return
        if not hmac.compare_digest(actor.warrant, digest_of(act, parameters)):
            raise NeedsApproval(act, parameters)

    def admit_for_a_while(
        self, unit: GatedUnit, actor: Actor, act: Act, parameters: Parameters, now: datetime, span: timedelta
    ) -> None:
        """As ``admit``, for an act in many steps: whoever carried out its approval may go on for this long. Raises NeedsApproval."""
        begun = unit.rules.carried_out(actor.id, digest_of(act, parameters))
        if begun is None or not timedelta(0) <= now - begun <= span:
            self.admit(unit, actor, act, parameters)
