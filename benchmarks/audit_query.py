"""Accounting of disclosures: everything that was seen of one data subject, out of a log of many events.

    python benchmarks/audit_query.py [--events 1000000] [--folder /tmp/pai-audit-log]

The folder is kept, so that a second run only measures. Measured is what `pai audit query --subject` does behind the command line: pages of
1000 events, each opened by the keystore process, and the event of each look.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from audit_log import SUBJECTS, fill, opened
from figures import keep, middle

from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.storage.storage import Storage
from pai.core.audit.values import EventFilter
from pai.core.operations.oversight import Oversight
from pai.foundation.actor import OPERATOR

GOAL_SECONDS = 5.0


async def accounting(oversight: Oversight, subject: str, size: int) -> tuple[float, int]:
    """Return the seconds for all events of a subject, and how many there are below ``size``."""
    began, found, before = time.perf_counter(), 0, size
    while True:
        seen = await oversight.events(OPERATOR, EventFilter(subject=subject, before=before, limit=1000))
        found += len(seen.events)
        if len(seen.events) < 1000:
            return time.perf_counter() - began, found
        before = seen.events[-1].index


def measure(storage: Storage, size: int) -> dict[str, object]:
    oversight = Oversight(storage, CedarPolicy())
    runs = [asyncio.run(accounting(oversight, f"sub_{n * 7 % SUBJECTS:026}", size)) for n in range(7)]
    seconds = middle([one for one, _ in runs])
    return {
        "events": size, "events_of_subject": middle([float(count) for _, count in runs]), "seconds": seconds,
        "goal_seconds": GOAL_SECONDS, "reached": seconds["median"] <= GOAL_SECONDS,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/pai-audit-log"))
    asked = parser.parse_args()
    with opened(asked.folder) as (storage, _):
        fill(storage, asked.events)
        keep("audit_query", measure(storage, asked.events))


if __name__ == "__main__":
    main()
