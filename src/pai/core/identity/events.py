"""Events of the identity room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdded(Event):
    """An account was made. ``invited_by``: who made the link that it was opened with, an account's id or the console."""

    name: ClassVar[str] = "identity:user:add"
    role: str
    invited_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersListed(Event):
    """Someone looked at the accounts and their addresses."""

    name: ClassVar[str] = "identity:user:list"
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDisabled(Event):
    """An account was disabled: its keys and sessions are dead."""

    name: ClassVar[str] = "identity:user:disable"
    keys_revoked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated(Event):
    """An API key was made."""

    name: ClassVar[str] = "identity:key:create"
    scopes: tuple[str, ...]
    content: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysListed(Event):
    """Someone looked at API keys: names, scopes, times; their own, or those of the account or all accounts that ``resource`` names."""

    name: ClassVar[str] = "identity:key:list"
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked(Event):
    """An API key was revoked, or (``keys``) so many of the account that ``resource`` names at once."""

    name: ClassVar[str] = "identity:key:revoke"
    keys: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysExpired(Event):
    """API keys came to their end and were ended for good, so that a clock that is set back revives none."""

    name: ClassVar[str] = "identity:key:expire"
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRefused(Event):
    """A credential was refused. ``credential`` is the id part of the key that was tried, if it had the form of one."""

    name: ClassVar[str] = "identity:credential:refuse"
    credential: str
    unrecorded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Event):
    """A browser session began. ``content`` tells whether what was given opened the member's content key; ``methods`` what was given:
    ``password``, ``totp``, ``backup-code``, ``passkey``."""

    name: ClassVar[str] = "identity:session:login"
    session: str
    content: bool
    methods: tuple[str, ...] = ("password",)
    new_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Event):
    """A log-in, a set-up link or a recovery code was refused. ``resource`` is the account if there is one; the email that was
    typed is not kept. ``unrecorded`` counts the refused links since the last one that stands in the log."""

    name: ClassVar[str] = "identity:session:login-failed"
    address: str
    unrecorded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """Sessions ended. ``how``: ``logout``, ``kill``, ``idle``, ``expired``, ``reset``, ``role``, ``password`` or ``factors``."""

    name: ClassVar[str] = "identity:session:end"
    how: str
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupLinkMade(Event):
    """A one-time link to choose a password was made. ``clears_factors``: it takes the account's second factors away too."""

    name: ClassVar[str] = "identity:setup-link:create"
    clears_factors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChosen(Event):
    """A password was set. ``content`` tells whether it opens the member's content; a reset of login alone does not.
    ``keys_revoked`` API keys ended with it. ``link_by``: who made the link that it was chosen through, an account's id or the console."""

    name: ClassVar[str] = "identity:password:set"
    content: bool
    keys_revoked: int = 0
    link_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedUp(Event):
    """Somebody proved once more who they are, for something dangerous."""

    name: ClassVar[str] = "identity:session:step-up"
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpRefused(Event):
    """That proof was refused."""

    name: ClassVar[str] = "identity:session:step-up-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorAdded(Event):
    """An account has another second factor or passkey. ``kind``: ``totp`` or ``passkey``."""

    name: ClassVar[str] = "identity:factor:add"
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRemoved(Event):
    """A second factor or passkey was removed, by its owner or (``reset``) with a reset of their login."""

    name: ClassVar[str] = "identity:factor:remove"
    kind: str
    how: str = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCodesMade(Event):
    """An account has new backup codes; the old ones are void."""

    name: ClassVar[str] = "identity:backup-codes:create"
    codes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEnabled(Event):
    """A disabled account may log in again; its keys and sessions stay dead."""

    name: ClassVar[str] = "identity:user:enable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged(Event):
    """An account has another role; its sessions ended."""

    name: ClassVar[str] = "identity:user:role"
    before: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearanceChanged(Event):
    """An account may touch labels up to another one."""

    name: ClassVar[str] = "identity:user:clearance"
    before: str
    clearance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInvited(Event):
    """A one-time link was made with which somebody opens an account. Who it is for stands in the
    log once they have the account."""

    name: ClassVar[str] = "identity:user:invite"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWithdrawn(Event):
    """An open one-time link was made void."""

    name: ClassVar[str] = "identity:setup-link:withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeySuspended(Event):
    """A passkey answered with a counter that had been seen already: it seems to be in two hands, and is out of use."""

    name: ClassVar[str] = "identity:passkey:suspend"
    passkey: str
