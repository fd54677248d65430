"""The decision as other rooms need it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from pai.core.policy.values import Act, Permission, Rule
from pai.foundation.actor import Actor
from pai.foundation.refs import ResourceRef


class Policy(Protocol):
    """Decides whether an actor may act on a resource."""

    def decide(
        self, actor: Actor, permission: Permission, resource: ResourceRef, *, purpose: str | None = None
    ) -> None:
        """Return when allowed. Raises Denied with the reason otherwise, and on any error in the policies."""
        ...


class RuleRepository(Protocol):
    """How acts are approved here, as far as that was changed."""

    def rule(self, act: Act) -> Rule | None: ...
    def in_force(self) -> bool:
        """Return whether some act takes a second person by a rule that was set here."""
        ...

    def set_rule(self, rule: Rule) -> None: ...
    def carried_out(self, requester: str, digest: str) -> datetime | None:
        """Return when this requester last carried out an approval of this digest."""
        ...


class GatedUnit(Protocol):
    """A unit of work in which something can be done that may take a second person."""

    @property
    def rules(self) -> RuleRepository: ...
