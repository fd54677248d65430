"""Events of the policy room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDenied(Event):
    """A request was denied."""

    name: ClassVar[str] = "policy:decision:deny"
    permission: str
