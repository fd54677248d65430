"""Who acts: a person by session or key, the operator at the console, or PAI itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pai.foundation.labels import Label


class Role(StrEnum):
    """Roles of accounts; the words are the same in code, pages, commands and documentation."""

    ADMINISTRATOR = "administrator"
    OFFICER = "officer"
    AUDITOR = "auditor"
    DATA_SCIENTIST = "data-scientist"
    MEMBER = "member"
    GUEST = "guest"


class ActorKind(StrEnum):
    """How the actor came in."""

    PERSON = "person"
    SERVICE = "service"
    OPERATOR = "operator"
    SYSTEM = "system"


class Scope(StrEnum):
    """What an API key may be used for."""

    INFERENCE = "inference"
    KNOWLEDGE = "knowledge"
    PERCEPTION = "perception"
    PREDICTION = "prediction"
    AUDIT = "audit"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated actor. ``scopes`` is None for a full session; ``ceiling`` bounds the labels it may touch, and is
    never above ``clearance``, which bounds those of the person.

    ``unlocked`` names the member key that the keystore holds open for this actor (never the key itself); None means that
    no content can be opened on the actor's behalf. ``fresh``: a session whose person proved within the last minutes who they are;
    keys never are. ``must_enrol``: an administrator who may do nothing else before they have a second factor. ``until``:
    when the credential ends by itself, if that is known; streams end with it. ``warrant``: the digest of the one act that other
    persons approved and that this actor carries out right now; whoever comes in from outside has none.
    """

    id: str
    name: str
    kind: ActorKind
    role: Role | None = None
    session_id: str | None = None
    key_id: str | None = None
    scopes: frozenset[Scope] | None = None
    ceiling: Label = Label.RESTRICTED
    clearance: Label = Label.RESTRICTED
    unlocked: str | None = field(default=None, repr=False)
    fresh: bool = False
    must_enrol: bool = False
    until: datetime | None = None
    warrant: str = field(default="", repr=False)


OPERATOR = Actor(id="operator@console", name="operator@console", kind=ActorKind.OPERATOR)
SYSTEM = Actor(id="system", name="system", kind=ActorKind.SYSTEM)
