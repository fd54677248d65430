"""Figures as the house reports them: medians and ratios of interleaved pairs, with what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def middle(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest."""
    return {
        "median": round(statistics.median(values), 4),
        "low": round(min(values), 4),
        "high": round(max(values), 4),
        "runs": len(values),
    }


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return the median of the ratios of pairs measured one right after the other, with the 2nd lowest and 2nd highest.

    Of seven pairs these two hold the true median with a confidence of 87 %, the lowest and the highest with 98 %.
    """
    found = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    inner = found[1:-1] if len(found) > 4 else found
    return {**middle(found), "inner_low": round(inner[0], 4), "inner_high": round(inner[-1], 4)}


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    return {
        "cores": len(os.sched_getaffinity(0)), "processor": model, "python": platform.python_version(),
        "kernel": platform.release(), "load_before": os.getloadavg()[0], "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip


def keep(name: str, result: dict[str, Any]) -> None:
    """Print the result and write it to ``benchmarks/results``."""
    text = json.dumps({"machine": machine(), **result}, indent=1)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", "utf-8")
    print(text)
