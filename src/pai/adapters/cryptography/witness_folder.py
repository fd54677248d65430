"""A witness' own folder: key, newest co-signed checkpoint, alarms. Nothing of it is confidential but the key (mode 0600, not encrypted:
whoever steals it can co-sign, and needs the key of the log besides to forge anything)."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pai.adapters.cryptography.files import write_whole
from pai.adapters.cryptography.signatures import new_signing_seed, public_key_of, sign_message
from pai.core.audit.values import Alarm, Standing
from pai.foundation.errors import Conflict, NotFound
from pai.foundation.time import to_text

_FORMAT = {"format": "pai-witness", "version": 1}


class WitnessFolder:
    """Implements ``core.audit.ports.WitnessStore`` in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str, log_key: str) -> None:
        """Make the folder with a fresh key. Raises Conflict when there is a witness already."""
        if (self._folder / "witness.json").exists():
            raise Conflict(f"{self._folder} holds a witness already", hint="give another folder")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._folder / "witness.key", [new_signing_seed().hex().encode()])
        told = {**_FORMAT, "name": name, "log_key": log_key}
        write_whole(self._folder / "witness.json", [json.dumps(told, indent=1).encode()])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out meanwhile. Raises NotFound when there is no witness, Conflict when another one is at work."""
        self._told()
        fd = os.open(self._folder / "lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Conflict("another process uses this witness", hint="wait until it is done") from None
        finally:
            os.close(fd)

    def standing(self) -> Standing:
        """See the port."""
        told = self._told()
        latest = self._folder / "latest.note"
        log = self._folder / "alarms.jsonl"
        alarms = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
        return Standing(
            told["name"], public_key_of(self._seed()), told["log_key"], latest.read_text("utf-8") if latest.exists() else "",
            [Alarm(datetime.fromisoformat(one["at"]), one["kind"], one["reason"]) for one in alarms],
        )  # fmt: skip

    def keep(self, note: str) -> None:
        """See the port."""
        write_whole(self._folder / "latest.note", [note.encode()])

    def alarm(self, alarm: Alarm) -> None:
        """See the port."""
        line = json.dumps({"at": to_text(alarm.at), "kind": alarm.kind, "reason": alarm.reason}) + "\n"
        fd = os.open(self._folder / "alarms.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(fd)

    def sign(self, message: bytes) -> bytes:
        """See the port."""
        return sign_message(self._seed(), message)

    def _seed(self) -> bytes:
        return bytes.fromhex((self._folder / "witness.key").read_text("utf-8"))

    def _told(self) -> dict[str, str]:
        path = self._folder / "witness.json"
        if not path.exists():
            raise NotFound(f"there is no witness in {self._folder}", hint="make one with `pai witness init`")
        found: dict[str, str] = json.loads(path.read_text("utf-8"))
        return found
