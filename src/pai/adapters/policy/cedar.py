"""Policies in Cedar, parsed once and validated against their schema at load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from typing import Any

import cedarpy

from pai.core.policy.values import SCOPES, Permission
from pai.foundation.actor import Actor
from pai.foundation.errors import Corrupt, Denied
from pai.foundation.refs import ResourceRef
from pai.foundation.time import utc_now

_REASONS = {
    "label-ceiling": "the label is above what this credential may touch",
    "clearance": "the label is above what this person is cleared for",
    "scope": "the key lacks the scope",
    "purpose": "the purpose is not the collection's",
    "restricted": "its processing is restricted",
    "step-up": "who you are has to be proved again first",
    "step-up-browser": "who you are has to be proved again first",
    "share-ended": "the time for which it was shared is over",
    "self-approval": "nobody approves what they asked for themselves",
    "enrol-first": "administrators need a second factor here, and you have none yet",
}
_CODES = {
    "share-ended": "share_ended",
    "enrol-first": "second_factor_needed",
    "step-up": "step_up",
    "step-up-browser": "step_up",
}
"""Codes of denials that a person can mend themselves, the first that applies."""
_HINTS = {
    "restricted": "see why with the officer responsible for data protection",
    "share-ended": "ask its owner to share it again",
    "enrol-first": "set one up on your account page",
    "step-up": "confirm it with your code, passkey or password in the browser; an API key cannot do this",
    "step-up-browser": "confirm it with your code, passkey or password in the browser",
    "self-approval": "it takes somebody else",
    "clearance": "ask an administrator whether it can be raised",
    "label-ceiling": "use a credential with a higher label ceiling",
}
"""What to do about a denial, the first that applies."""

_MOST_KEPT = 4096


class CedarPolicy:
    """Implements ``core.policy.ports.Policy``; ``sha256`` (hex) is of the policies' text. Raises Corrupt when policies or schema do
    not parse or disagree."""

    def __init__(
        self, policies: str | None = None, schema: str | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        folder = resources.files("pai.adapters.policy") / "policies"
        text = policies if policies is not None else (folder / "pai.cedar").read_text("utf-8")
        shape = schema if schema is not None else (folder / "pai.cedarschema").read_text("utf-8")
        self._now = now
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        try:
            checked = cedarpy.validate_policies(text, shape)
            if not checked.validation_passed:
                raise Corrupt(f"the policies do not fit their schema: {checked.errors[0]}", hint="mend or restore them")
            self._policies = cedarpy.PolicySet.from_str(text)
            self._allowed: set[tuple[str, str]] = set()
            self._names = {f"policy{n}": line for n, line in enumerate(_annotations(text))}
        except ValueError as error:
            raise Corrupt(f"the policies do not parse: {error}", hint="mend or restore them") from None

    def decide(
        self, actor: Actor, permission: Permission, resource: ResourceRef, *, purpose: str | None = None
    ) -> None:
        """Return when a permit matches, no forbid does, and no policy had an error. Raises Denied otherwise."""
        request, entities = _asked(actor, permission, resource, purpose, self._now)
        asked = (json.dumps(request), entities)
        if asked in self._allowed:
            return
        try:
            result = cedarpy.is_authorized(request, self._policies, entities)
        except (ValueError, TypeError, RuntimeError) as error:
            # An error is a no: what cannot be decided is not allowed.
            raise Denied(f"{permission.value} is denied: the policies could not be evaluated") from error
        if result.allowed and not result.diagnostics.errors:
            # Cedar reads nothing but what it is handed and the policies, so the same question has the same answer.
            if len(self._allowed) >= _MOST_KEPT:
                self._allowed.clear()
            self._allowed.add(asked)
            return
        named = [self._names.get(found, found) for found in result.diagnostics.reasons]
        if "clearance" in named:  # the ceiling of a credential is never above it
            named = [name for name in named if name != "label-ceiling"]
        why = "; ".join(_REASONS[name] for name in named if name in _REASONS)
        why = why or f"no policy allows it to the {'role ' + actor.role.value if actor.role else actor.kind.value}"
        needed = SCOPES[permission]
        code = next((code for name, code in _CODES.items() if name in named), None)
        hint = _hint(needed.value if needed else None, named, resource)
        raise Denied(f"{permission.value} is denied: {why}", code=code, hint=hint)


def _asked(
    actor: Actor, permission: Permission, resource: ResourceRef, purpose: str | None, now: Callable[[], datetime]
) -> tuple[dict[str, Any], str]:
    """Return the request and the entities (JSON) that Cedar decides over."""
    needed = SCOPES[permission]
    principal, target = {"type": "User", "id": actor.id}, {"type": "Resource", "id": resource.id}
    attributes = {
        "kind": resource.kind, "owner": resource.owner or "", "purpose": resource.purpose or "",
        "labelRank": resource.label.rank if resource.label else 0, "shared": sorted(resource.shared_with),
        "restricted": resource.restricted,
    }  # fmt: skip
    entities = [
        {"uid": principal, "attrs": {"role": actor.role or "", "kind": actor.kind}, "parents": []},
        {"uid": target, "attrs": attributes, "parents": []},
    ]
    context = {
        "ceiling": actor.ceiling.rank, "clearance": actor.clearance.rank,
        "purpose": purpose or "", "user": actor.id, "scoped": actor.scopes is not None,
        "fresh": actor.fresh, "mustEnrol": actor.must_enrol,
        "share": _share(actor, resource, now),
        "granted": needed is None or (actor.scopes is not None and needed in actor.scopes),
    }  # fmt: skip
    action = {"type": "Action", "id": permission.value}
    return {"principal": principal, "action": action, "resource": target, "context": context}, json.dumps(entities)


def _share(actor: Actor, resource: ResourceRef, now: Callable[[], datetime]) -> str:
    """Return what the owner gave this actor, as it is at this moment: ``none``, ``read``, ``write`` or ``ended``."""
    given = [one for one in resource.shares if one.user == actor.id]
    if not given:
        return "none"
    moment = now()
    live = [one for one in given if one.until is None or moment < one.until]
    return ("write" if any(one.write for one in live) else "read") if live else "ended"


def _annotations(text: str) -> list[str]:
    return [line.split('"')[1] for line in text.splitlines() if line.startswith("@id(")]


def _hint(scope: str | None, named: list[str], resource: ResourceRef) -> str:
    if "purpose" in named:
        return f"this collection is for {resource.purpose!r}: name that purpose, or none"
    if scope and "scope" in named:
        return f"use a key with the scope {scope!r}"
    told = (hint for name, hint in _HINTS.items() if name in named)
    return next(told, "ask the owner to share it, or an administrator for the role")
