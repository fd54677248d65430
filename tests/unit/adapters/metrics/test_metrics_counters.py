"""Counters keep what they are told, of a bounded number of things."""

from __future__ import annotations

import pytest

from pai.adapters.metrics.counters import MOST_SERIES, Counters
from pai.core.ports.metrics import FIRST_TOKEN, LOADS, RUNNING, Kind, Metric, Reading, Sample
from pai.entrypoints.pai_api.metrics import exposed

SPREAD = Metric("spread", "Waits.", Kind.HISTOGRAM, ("model",), (0.5, 1.0))


def test_a_distribution_rises_to_how_many_there_are() -> None:
    counters = Counters()
    for value in (0.5, 0.25, 0.75, 7.0):
        counters.observe(SPREAD, value, "m")
    assert counters.read() == [Reading(SPREAD, (Sample(("m",), 8.5, (2, 3, 4)),))]


def test_what_comes_beyond_the_bound_is_counted_together() -> None:
    counters = Counters()
    for n in range(MOST_SERIES + 50):
        counters.count(LOADS, f"m{n}")
        counters.observe(FIRST_TOKEN, 0.1, f"m{n}")
    counters.count(LOADS, "m0")
    for reading in counters.read():
        labels = {sample.labels for sample in reading.samples}
        assert len(labels) == MOST_SERIES + 1
        assert ("other",) in labels


def test_a_counter_never_falls_and_takes_its_own_labels_only() -> None:
    counters = Counters()
    counters.count(LOADS, "m", by=-5)
    assert counters.read()[0].samples == (Sample(("m",), 0),)
    for wrong in ((LOADS, "m", "n"), (LOADS,), (RUNNING, "m")):
        with pytest.raises(TypeError):
            counters.count(*wrong)


def test_the_text_is_prometheus() -> None:
    odd = Reading(LOADS, (Sample(('a"b\\c\nd',), 2),))
    spread = Reading(SPREAD, (Sample(("m",), 8.5, (2, 3, 4)),))
    assert exposed([odd, spread]) == (
        "# HELP pai_model_loads_total Times a model was loaded.\n"
        "# TYPE pai_model_loads_total counter\n"
        'pai_model_loads_total{model="a\\"b\\\\c\\nd"} 2\n'
        "# HELP spread Waits.\n"
        "# TYPE spread histogram\n"
        'spread_bucket{model="m",le="0.5"} 2\n'
        'spread_bucket{model="m",le="1"} 3\n'
        'spread_bucket{model="m",le="+Inf"} 4\n'
        'spread_sum{model="m"} 8.5\n'
        'spread_count{model="m"} 4\n'
    )
