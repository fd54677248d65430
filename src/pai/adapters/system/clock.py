"""The machine's clock."""

from __future__ import annotations

import time
from datetime import datetime

from pai.foundation.time import utc_now


class SystemClock:
    """Implements ``core.ports.clock.Clock``."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return utc_now()

    def monotonic(self) -> float:
        """Return seconds since some moment before this process began."""
        return time.monotonic()
