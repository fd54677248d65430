"""What commands get from composition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pai.core.models.values import Candidate, Machine
from pai.foundation.redaction import Secret
from pai.settings import Settings


@dataclass(slots=True)
class Context:
    """Factories and the settings of this call. ``json`` is set by the flag of the command that runs."""

    load: Callable[[dict[str, Any]], Settings]
    secret_file: Callable[[Path, str], Secret]
    initialise: Callable[..., Any]
    serve: Callable[[Settings, Secret], int]
    console_in_process: Callable[[Settings, Secret, str, dict[str, Any]], Any]
    machine: Callable[[Settings], Machine]
    candidates: Callable[[Settings], tuple[Candidate, ...]]
    cache: Path
    json: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the settings with this command's flags."""
        return self.load(self.flags)
