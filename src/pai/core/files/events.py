"""Events of the files room. Names of files are content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAdded(Event):
    """A member handed a file over, or PAI wrote one for them."""

    name: ClassVar[str] = "files:file:add"
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesListed(Event):
    """A member looked at names of their files, or (with a resource of that kind) at one of them."""

    name: ClassVar[str] = "files:file:list"
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead(Event):
    """A member's file was read; written before any of it is given out."""

    name: ClassVar[str] = "files:file:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDeleted(Event):
    """A member's file was deleted."""

    name: ClassVar[str] = "files:file:delete"
