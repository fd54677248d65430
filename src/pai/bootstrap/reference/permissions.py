"""Permissions: who has them, which policies say so, and which routes name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

from pai.adapters.policy.cedar import CedarPolicy
from pai.bootstrap.reference.markdown import code, document, table
from pai.bootstrap.reference.routes import registered
from pai.core.policy.values import SCOPES, Permission
from pai.foundation.actor import OPERATOR, Actor, ActorKind, Role
from pai.foundation.errors import Denied
from pai.foundation.refs import ResourceRef, Shared

_INTRODUCTION = """
One function decides (`src/pai/core/policy/ports.py`), over the policies below, which are written in Cedar. What no policy permits is
denied; one that forbids wins over all that permit; an error in a policy is a no. A use case asks with the resource in hand, whatever
the way in.
"""
_MATRIX = """
Decided by the policies themselves for someone with a full session who has just proved who
they are. **yes**: for everything there is of the kind; **own**: what is one's
own; **own, shared**: also what its owner shared; **shared to write**: what its
owner shared for that. The operator is whoever holds the console, and has no role.
"""
_ONE: Final = re.compile(
    r'(?://[^\n]*\n)*@id\("(?P<id>[^"]+)"\)\n(?P<effect>permit|forbid) \((?P<scope>[^)]*)\)\s*when \{[^}]*\};'
)
_ACTION: Final = re.compile(r'Action::"([^"]+)"')


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy of the file. ``actions`` is empty when it is about every action."""

    name: str
    forbids: bool
    actions: frozenset[str]
    text: str

    def covers(self, permission: Permission) -> bool:
        return not self.actions or permission.value in self.actions


def page() -> str:
    """Return the page on permissions."""
    policies = _policies()
    rows = [_row(permission, policies) for permission in Permission]
    heads = ("permission", "scope of a key", "permitted by", "forbidden by", "named by")
    texts = [part for policy in policies for part in (f"### {policy.name}", f"```cedar\n{policy.text}\n```")]
    return document(
        "Permissions", "`src/pai/core/policy/values.py` and `src/pai/adapters/policy/policies`", _INTRODUCTION,
        "## Who may do what", _MATRIX, _matrix(), "## Permissions, scopes and policies", table(heads, rows), "## Policies", *texts,
    )  # fmt: skip


def _row(permission: Permission, policies: list[_Policy]) -> tuple[str, ...]:
    scope = SCOPES[permission]
    covering = [policy for policy in policies if policy.covers(permission)]
    permits = ", ".join(code(policy.name) for policy in covering if not policy.forbids)
    forbids = ", ".join(code(policy.name) for policy in covering if policy.forbids)
    served = (code(f"{one.method} {one.path}") for one in registered() if one.permission is permission)
    routes = ", ".join(dict.fromkeys(served))
    return code(permission), code(scope) if scope else "any", permits, forbids, routes or "no route"


def _matrix() -> str:
    policy = CedarPolicy()
    actors = [OPERATOR, *(Actor("one", "one", ActorKind.PERSON, role, fresh=True) for role in Role)]
    rows = [(code(asked), *(_decided(policy, actor, asked) for actor in actors)) for asked in Permission]
    return table(["permission", "operator", *(str(role) for role in Role)], rows)


def _decided(policy: CedarPolicy, actor: Actor, permission: Permission) -> str:
    def allowed(resource: ResourceRef) -> bool:
        try:
            policy.decide(actor, permission, resource)
        except Denied:
            return False
        return True

    if allowed(ResourceRef("any", "any", "another")):
        return "yes"
    own = allowed(ResourceRef("any", "any", actor.id))
    shown = allowed(ResourceRef("any", "any", "another", shared_with=frozenset({actor.id})))
    read, write = (
        allowed(ResourceRef("any", "any", "another", shares=(Shared(actor.id, one),))) for one in (False, True)
    )
    shared = "shared" if shown or read else "shared to write" if write else ""
    return ", ".join(["own"] * own + [shared] * bool(shared)) or "no"


def _policies() -> list[_Policy]:
    text = (resources.files("pai.adapters.policy") / "policies" / "pai.cedar").read_text("utf-8").strip()
    return [_policy(piece.strip()) for piece in re.split(r"\n\s*\n", text)]


def _policy(text: str) -> _Policy:
    """Return the policy of a piece of the file. Raises ValueError when the piece is not exactly one."""
    found = _ONE.fullmatch(text)
    if found is None:
        raise ValueError("in pai.cedar an empty line stands between policies, and each has an @id")
    return _Policy(found["id"], found["effect"] == "forbid", frozenset(_ACTION.findall(found["scope"])), text)
