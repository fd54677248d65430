"""Values of the identity room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pai.foundation.actor import ActorKind, Role, Scope
from pai.foundation.labels import Label


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``email`` is lower case; the verifier is a hash of an Argon2id output, made in the keystore. ``clearance`` is
    the highest label that this person may touch, with whatever credential."""

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
    clearance: Label = Label.RESTRICTED


@dataclass(frozen=True, slots=True)
class Session:
    """A server-side session. ``id`` names it to people; ``token_hash`` is SHA-256 of the cookie's value. ``methods`` tells how its person
    proved who they are; ``new_device``: from a browser that this account had not been used with before."""

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
    methods: tuple[str, ...] = ("password",)
    new_device: bool = False


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: only the hash of its secret is kept. ``content`` tells whether it can open its owner's content;
    ``networks`` (CIDR) where it may be used from, empty for anywhere; ``made_by`` whose hand it comes from: an account's id, the
    console, or empty for a key of before that was kept."""

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
    networks: tuple[str, ...] = ()
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failed log-ins for one throttle key (an account or an address)."""

    key: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Totp:
    """An authenticator app. ``sealed`` is its secret under the keystore's key; ``last_step`` the newest time step whose code was used
    (RFC 6238 section 5.2), so that no code is good twice. Not ``confirmed_at``: not in force yet."""

    id: str
    user_id: str
    sealed: bytes
    last_step: int
    created_at: datetime
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BackupCode:
    """A code on paper in place of the second factor. Only its hash is kept."""

    user_id: str
    code_hash: bytes
    created_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey (W3C Web Authentication level 3). ``credential_id`` and ``public_key`` (COSE) are its own names; ``sign_count`` the highest
    that was seen. ``opens_content``: its PRF output wraps the member's key. ``server_holds``: it has none, and its owner chose that this
    server opens their content when they log in with it. ``suspended_at``: it seems to have been copied."""

    id: str
    user_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    transports: tuple[str, ...]
    synced: bool
    opens_content: bool
    created_at: datetime
    used_at: datetime | None = None
    suspended_at: datetime | None = None
    server_holds: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that an account was used with, known by a cookie of its own; ``token_hash`` is SHA-256 of that."""

    id: str
    user_id: str
    token_hash: bytes
    agent: str
    address: str
    created_at: datetime
    seen_at: datetime
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetupToken:
    """A one-time link. For an account there is (``user_id``) it resets the login, and with ``clear_factors`` the second factor too; else it
    invites ``email`` to an account of ``role``, ``first`` that of the first administrator. ``made_by``: the account of who made it,
    empty for the console; the link is worth nothing once they may make none."""

    token_hash: bytes
    email: str
    expires_at: datetime
    user_id: str = ""
    role: str = ""
    first: bool = False
    clear_factors: bool = False
    made_by: str = ""


def totp_bound(user_id: str, factor_id: str) -> bytes:
    """Return what the sealed secret of an authenticator app is bound to, so that it opens in nobody else's row."""
    return f"totp\0{user_id}\0{factor_id}".encode()
