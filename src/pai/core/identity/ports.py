"""Where accounts, sessions and keys are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pai.core.audit.ports import AuditTrail
from pai.core.identity.values import (
    ApiKey,
    BackupCode,
    Device,
    FailureCount,
    Passkey,
    Session,
    SetupToken,
    Totp,
    User,
)
from pai.core.keys.ports import WrapRepository
from pai.core.policy.ports import RuleRepository


class UserRepository(Protocol):
    """Accounts, and the sessions and API keys that belong to them."""

    def add(self, user: User) -> None: ...
    def get(self, user_id: str) -> User | None: ...
    def by_email(self, email: str) -> User | None: ...
    def list(self) -> Sequence[User]: ...
    def update(self, user: User) -> None: ...
    def add_session(self, session: Session) -> None: ...
    def session_by_token(self, token_hash: bytes) -> Session | None: ...
    def sessions(self, user_id: str | None = None) -> Sequence[Session]: ...
    def touch_session(self, session_id: str, seen_at: datetime) -> None: ...
    def end_sessions(self, at: datetime, *, session_id: str | None = None, user_id: str | None = None) -> int: ...
    def add_key(self, key: ApiKey) -> None: ...
    def key(self, key_id: str) -> ApiKey | None: ...
    def keys(self, owner_id: str | None = None) -> Sequence[ApiKey]: ...
    def touch_key(self, key_id: str, used_at: datetime) -> None: ...
    def revoke_keys(self, at: datetime, *, key_id: str | None = None, owner_id: str | None = None) -> int: ...
    def expire_keys(self, at: datetime) -> Sequence[str]:
        """Revoke the keys whose end has come; return their ids."""
        ...

    def failures(self, key: str) -> FailureCount | None: ...
    def set_failures(self, count: FailureCount) -> None: ...
    def clear_failures(self, key: str) -> None: ...
    def add_setup_token(self, token: SetupToken) -> None:
        """Keep a one-time link; earlier ones for the address die."""
        ...

    def take_setup_token(self, token_hash: bytes, now: datetime) -> SetupToken | None:
        """Use a link up; return it, None when it is unknown or expired."""
        ...

    def setup_tokens(self, now: datetime) -> Sequence[SetupToken]:
        """Return the links that are still open."""
        ...

    def remove_setup_tokens(self, email: str) -> None: ...
    def remove_links_by(self, user_id: str) -> None:
        """Delete the links that this account made."""
        ...


class FactorRepository(Protocol):
    """Second factors, passkeys, backup codes and known browsers of accounts."""

    def totp(self, user_id: str, *, confirmed: bool = True) -> Totp | None: ...
    def set_totp(self, totp: Totp) -> None:
        """Insert or replace by id."""
        ...

    def remove_totp(self, user_id: str, *, confirmed: bool) -> None: ...
    def backup_codes(self, user_id: str) -> Sequence[BackupCode]:
        """Return those that are not used yet."""
        ...

    def set_backup_codes(self, user_id: str, codes: Sequence[BackupCode]) -> None:
        """Replace all codes of an account."""
        ...

    def use_backup_code(self, user_id: str, code_hash: bytes, now: datetime) -> bool:
        """Use a code up; return whether there was one to use."""
        ...

    def passkeys(self, user_id: str) -> Sequence[Passkey]: ...
    def passkey_by_credential(self, credential_id: bytes) -> Passkey | None: ...
    def set_passkey(self, passkey: Passkey) -> None:
        """Insert or replace by id."""
        ...

    def remove_passkey(self, passkey_id: str) -> None: ...
    def devices(self, user_id: str) -> Sequence[Device]:
        """Return known browsers, newest first."""
        ...

    def set_device(self, device: Device) -> None:
        """Insert or replace by id."""
        ...

    def keep_devices(self, user_id: str, most: int) -> None:
        """Forget the longest unseen beyond so many."""
        ...

    def holders(self, *, usable: bool = False) -> Mapping[str, Sequence[str]]:
        """Return which second factors each account has: ``totp``, ``passkey``. Accounts without one are left out.

        A passkey that was taken out of use counts: whoever copied it must not have made the password enough by that. ``usable`` leaves
        it out, to tell who has to set up another one.
        """
        ...


class PromptCaches(Protocol):
    """What engines keep of a person's prompts between requests."""

    async def forget(self, cache_key: str) -> None:
        """Drop what was kept for this user id."""
        ...


class IdentityUnit(Protocol):
    """A unit of work for identity."""

    @property
    def users(self) -> UserRepository: ...
    @property
    def factors(self) -> FactorRepository: ...
    @property
    def wraps(self) -> WrapRepository: ...
    @property
    def rules(self) -> RuleRepository: ...
    @property
    def audit(self) -> AuditTrail: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a browser is: the host name that passkeys are bound to, and the origin with it (``https://localhost:8443``)."""

    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey as it was made. ``public_key`` is COSE; ``synced``: its maker copies it between devices."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    synced: bool


@dataclass(frozen=True, slots=True)
class Asserted:
    """An answer whose signature is right."""

    credential_id: bytes
    sign_count: int
    synced: bool


class PasskeyVerifier(Protocol):
    """The ceremonies of W3C Web Authentication level 3, sections 7.1 and 7.2, user verification required.

    ``credential`` is the browser's JSON. Every wrong answer raises Unauthenticated (``wrong_passkey``). The counter is not judged here.
    """

    def registration_options(
        self, place: Place, challenge: bytes, user: bytes, email: str, known: Sequence[bytes]
    ) -> Mapping[str, Any]: ...
    def verify_registration(self, place: Place, challenge: bytes, credential: Mapping[str, Any]) -> Registered: ...
    def assertion_options(self, place: Place, challenge: bytes, known: Sequence[bytes]) -> Mapping[str, Any]: ...
    def verify_assertion(
        self, place: Place, challenge: bytes, credential: Mapping[str, Any], public_key: bytes, user: bytes
    ) -> Asserted: ...
    def challenge_of(self, credential: Mapping[str, Any]) -> bytes:
        """Return the challenge that an answer names; nothing is proved by that."""
        ...

    def credential_id(self, credential: Mapping[str, Any]) -> bytes:
        """Return which passkey an answer names; nothing is proved by that."""
        ...
