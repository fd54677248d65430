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
    ``console_session`` gives a context manager: a function that runs host commands on a home that it opened once.
    ``backups`` gives the module that writes and reads backups.
    ``verifier`` gives the text of the program that outsiders check evidence with.
    ``witness`` gives a context manager: the use cases of the witness in a folder, which no other process uses meanwhile.
    ``staged_model`` gives a context manager for a folder and a task: the name of a staging folder, and what is known of the model in it;
    ``staged_starter`` one for a model of the catalogue: the name of a staging folder with its files.
    """

    load: Callable[[dict[str, Any]], Settings]
    secret_file: Callable[[Path, str], Secret]
    initialise: Callable[..., Any]
    serve: Callable[[Settings, Iterable[Secret]], int]
    console_in_process: Callable[[Settings, Iterable[Secret], str, dict[str, Any]], Any]
    machine: Callable[[Settings], Machine]
    candidates: Callable[[Settings], tuple[Candidate, ...]]
    staged_model: Callable[[Settings, Path, str], Any]
    staged_starter: Callable[[Settings, str, Path | None], Any]
    console_session: Callable[[Settings, Iterable[Secret]], Any]
    backups: Callable[[], Any]
    cache: Path
    stage: Callable[[Settings], str]
    begin_anew: Callable[[Settings], None]
    port: Callable[[Settings], int]
    verifier: Callable[[], str]
    witness: Callable[[Path], Any]
    new_witness: Callable[[Path, str, str], None]
    json: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the settings with this command's flags."""
        return self.load(self.flags)
