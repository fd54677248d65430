"""Events of the identity room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdded(Event):
    """An account was made."""

    name: ClassVar[str] = "identity:user:add"
    role: str


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
    """An API key was revoked."""

    name: ClassVar[str] = "identity:key:revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRefused(Event):
    """A credential was refused. ``credential`` is the id part of the key that was tried, if it had the form of one."""

    name: ClassVar[str] = "identity:credential:refuse"
    credential: str
    unrecorded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Event):
    """A browser session began. ``content`` tells whether its password opened the member's content key."""

    name: ClassVar[str] = "identity:session:login"
    session: str
    content: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Event):
    """A log-in, a set-up link or a recovery code was refused. ``resource`` is the account if there is one; the email that was
    typed is not kept. ``unrecorded`` counts the refused links since the last one that stands in the log."""

    name: ClassVar[str] = "identity:session:login-failed"
    address: str
    unrecorded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """Sessions ended. ``how``: ``logout``, ``kill``, ``idle``, ``expired`` or ``reset``."""

    name: ClassVar[str] = "identity:session:end"
    how: str
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupLinkMade(Event):
    """The console made a one-time link to choose a password."""

    name: ClassVar[str] = "identity:setup-link:create"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChosen(Event):
    """A password was set. ``content`` tells whether it opens the member's content; a reset of login alone does not."""

    name: ClassVar[str] = "identity:password:set"
    content: bool
