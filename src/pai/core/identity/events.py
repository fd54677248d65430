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
class KeyRevoked(Event):
    """An API key was revoked."""

    name: ClassVar[str] = "identity:key:revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRefused(Event):
    """A credential was refused. ``credential`` is the id part of the key that was tried, if it had the form of one."""

    name: ClassVar[str] = "identity:credential:refuse"
    credential: str
