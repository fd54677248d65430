"""Classification, training permission and retention: what every stored thing carries from the first day."""

from __future__ import annotations

from enum import StrEnum

from pai.foundation.errors import Invalid


class Label(StrEnum):
    """Classification label, least to most sensitive. Derived data takes the highest label of its sources."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        """Return 0 (public) to 3 (restricted)."""
        return list(Label).index(self)

    def covers(self, other: Label) -> bool:
        """Return whether a ceiling of ``self`` admits data labelled ``other``."""
        return self.rank >= other.rank


class TrainingPermission(StrEnum):
    """What models may do with a thing: learn from it, answer over it, or neither."""

    TRAIN = "train"
    INFER = "infer"
    NEITHER = "neither"


class RetentionClass(StrEnum):
    """Which clock a stored thing is on; the days of each class are settings."""

    CONTENT = "content"
    OUTPUT = "output"
    AUDIT = "audit"
    TRANSIENT = "transient"


def lower(one: Label, other: Label) -> Label:
    """Return the less sensitive of two labels."""
    return one if other.covers(one) else other


def parse_label(value: str) -> Label:
    """Return the label of this name. Raises :class:`Invalid` for any other word."""
    try:
        return Label(value)
    except ValueError:
        names = ", ".join(Label)
        raise Invalid(f"unknown label {value!r}", code="unknown_label", hint=f"use one of: {names}") from None


def highest(labels: list[Label]) -> Label:
    """Return the most sensitive of ``labels``; with none given, ``confidential``."""
    return max(labels, key=lambda label: label.rank, default=Label.CONFIDENTIAL)
