"""Values of the identity room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pai.foundation.actor import ActorKind, Role, Scope
from pai.foundation.labels import Label


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``email`` is lower case; the verifier is a hash of an Argon2id output, made in the keystore."""

    id: str
    email: str
    role: Role
    kind: ActorKind
    public_key: bytes
    password_salt: bytes
    password_verifier: bytes
    first_administrator: bool
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A server-side session. ``id`` names it to people; ``token_hash`` is SHA-256 of the cookie's value."""

    id: str
    user_id: str
    token_hash: bytes
    csrf_hash: bytes
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    agent: str
    address: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: only the hash of its secret is kept. ``content`` tells whether it can open its owner's content."""

    id: str
    owner_id: str
    name: str
    scopes: frozenset[Scope]
    ceiling: Label
    secret_hash: bytes
    content: bool
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failed log-ins for one throttle key (an account or an address)."""

    key: str
    count: int
    last_at: datetime
