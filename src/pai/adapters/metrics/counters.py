"""Counters and distributions, kept in memory."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.ports.metrics import Kind, Metric, Reading, Sample

MOST_SERIES: Final = 500
"""Label sets that a metric may have; what comes beyond is counted together, as ``other``."""


@dataclass(slots=True)
class _Spread:
    counts: list[int]
    total: float = 0.0


class Counters:
    """Implements ``core.ports.metrics.Meter`` and ``core.operations.ports.Readings``; may be told from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Metric, dict[tuple[str, ...], float]] = defaultdict(dict)
        self._spreads: dict[Metric, dict[tuple[str, ...], _Spread]] = defaultdict(dict)

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            sums = self._sums[metric]
            key = _bounded(metric, labels, known=labels in sums, have=len(sums))
            sums[key] = sums.get(key, 0) + max(0, by)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a value to a distribution."""
        with self._lock:
            spreads = self._spreads[metric]
            key = _bounded(metric, labels, known=labels in spreads, have=len(spreads))
            spread = spreads.setdefault(key, _Spread([0] * (len(metric.buckets) + 1)))
            spread.counts[bisect_left(metric.buckets, value)] += 1
            spread.total += value

    def read(self) -> Sequence[Reading]:
        """Return all that was counted."""
        with self._lock:
            found = [
                Reading(metric, tuple(Sample(labels, value) for labels, value in sorted(sums.items())))
                for metric, sums in self._sums.items()
            ]
            found += [
                Reading(
                    metric,
                    tuple(Sample(labels, one.total, _rising(one.counts)) for labels, one in sorted(spreads.items())),
                )
                for metric, spreads in self._spreads.items()
            ]
        return found


def _bounded(metric: Metric, labels: tuple[str, ...], *, known: bool, have: int) -> tuple[str, ...]:
    if len(labels) != len(metric.labels) or metric.kind is Kind.GAUGE:
        raise TypeError(f"{metric.name} is not told so")
    return labels if known or have < MOST_SERIES else ("other",) * len(labels)


def _rising(counts: Sequence[int]) -> tuple[int, ...]:
    total, found = 0, []
    for count in counts:
        total += count
        found.append(total)
    return tuple(found)
