"""The decision as other rooms need it."""

from __future__ import annotations

from typing import Protocol

from pai.core.policy.values import Permission
from pai.foundation.actor import Actor
from pai.foundation.refs import ResourceRef


class Policy(Protocol):
    """Decides whether an actor may act on a resource."""

    def decide(
        self, actor: Actor, permission: Permission, resource: ResourceRef, *, purpose: str | None = None
    ) -> None:
        """Return when allowed. Raises Denied with the reason otherwise, and on any error in the policies."""
        ...
