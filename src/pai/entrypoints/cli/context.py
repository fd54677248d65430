"""What commands get from composition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pai.core.models.values import Candidate, Machine
from pai.foundation.redaction import Secret
from pai.settings import Settings


@dataclass(slots=True)
class Context:
    """Factories and the settings of this call. ``json`` is set by the flag of the command that runs.

    ``stage`` tells how far the set-up of a home came: ``new``, ``begun`` (interrupted after its root key was made) or
    ``complete``; it raises Conflict while another process uses the home. ``port`` is the running server's, else the one set.
    ``staged_model`` gives a context manager for a folder and a task: the name of a staging folder, and what is known of the model in it.
    """

    load: Callable[[dict[str, Any]], Settings]
    secret_file: Callable[[Path, str], Secret]
    initialise: Callable[..., Any]
    serve: Callable[[Settings, Iterable[Secret]], int]
    console_in_process: Callable[[Settings, Iterable[Secret], str, dict[str, Any]], Any]
    machine: Callable[[Settings], Machine]
    candidates: Callable[[Settings], tuple[Candidate, ...]]
    staged_model: Callable[[Settings, Path, str], Any]
    cache: Path
    stage: Callable[[Settings], str]
    begin_anew: Callable[[Settings], None]
    port: Callable[[Settings], int]
    json: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the settings with this command's flags."""
        return self.load(self.flags)
