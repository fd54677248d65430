"""References: what an act is about, whose data it touches, and why."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from pai.foundation.errors import Invalid
from pai.foundation.labels import Label

_MARKS = " _.,'/()&+-"
"""What a purpose may hold beside letters and digits of any script: nothing that breaks a line or reads as markup."""
DEFAULT_PURPOSE = "general"


@dataclass(frozen=True, slots=True)
class Shared:
    """That a person was given access by its owner: to read and ask, or to ``write`` too; ``until`` is when that ends by itself."""

    user: str
    write: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """A thing that policy decides about. ``shared_with`` holds user ids that it was shown to; ``shares`` what its owner gave to whom, which
    is judged by the time of the decision; ``restricted`` is GDPR art. 18."""

    kind: str
    id: str
    owner: str | None = None
    label: Label | None = None
    purpose: str | None = None
    shared_with: frozenset[str] = frozenset()
    restricted: bool = False
    shares: tuple[Shared, ...] = ()


@dataclass(frozen=True, slots=True)
class SubjectRef:
    """A data subject (GDPR art. 4(1)) by its id in the register."""

    id: str


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model by name and the SHA-256 (hex) of its weights."""

    name: str
    sha256: str


def parse_purpose(value: str) -> str:
    """Return a normalised purpose (GDPR art. 5(1)(b)); raises :class:`Invalid` when it is not a short plain phrase.

    Composed (Unicode NFC) and in small letters, so that two ways to type one purpose are one purpose.
    """
    text = unicodedata.normalize("NFC", value.strip().lower())
    plain = all(unicodedata.category(mark)[0] in "LMN" or mark in _MARKS for mark in text)
    if not (plain and 0 < len(text) <= 64 and text[0].isalnum()):
        raise Invalid(
            f"purpose {value[:70]!r} is not usable",
            code="bad_purpose",
            hint="use 1 to 64 letters, digits, spaces, commas, dots or dashes, such as 'patient care'",
        )
    return text
