"""How many refusals of strangers stand in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Refusals:
    """How many refusals of one minute stand in the audit log, one by one: the rest are counted, so that a stranger who sends
    nonsense all day can fill neither the disk nor the log that an auditor has to read."""

    each_minute: int = 30
    since: datetime | None = None
    recorded: int = 0
    left_out: int = 0

    def admit(self, now: datetime) -> int | None:
        """Return how many were left out since the last one that was recorded, None when this one is left out too."""
        if self.since is None or now - self.since >= timedelta(minutes=1):
            self.since, self.recorded = now, 0
        if self.recorded >= self.each_minute:
            self.left_out += 1
            return None
        self.recorded += 1
        left_out, self.left_out = self.left_out, 0
        return left_out
