"""What is measured, by name, and who is told. Labels come from closed sets (dialects, routes, models of the register, outcomes), never from
what a client said: a metric must not tell of content, and must not grow without end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class Kind(StrEnum):
    """How a metric goes: up only, up and down, or as a distribution."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. ``buckets`` are the upper bounds of a distribution, rising."""

    name: str
    about: str
    kind: Kind
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A metric's value for these labels. Of a distribution, ``value`` is the sum and ``counts`` holds how many values lie at or below each
    bound, the last one how many there are."""

    labels: tuple[str, ...]
    value: float
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """All samples of a metric."""

    metric: Metric
    samples: tuple[Sample, ...]


_WAITS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_PACES: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
REQUESTS: Final = Metric(
    "pai_http_requests_total", "Answers begun, by dialect, route and class of status.", Kind.COUNTER,
    ("dialect", "route", "status"),
)  # fmt: skip
FIRST_TOKEN: Final = Metric(
    "pai_first_token_seconds", "From a request to the first token of its answer, waiting for a turn included.", Kind.HISTOGRAM,
    ("model",), _WAITS,
)  # fmt: skip
EACH_TOKEN: Final = Metric(
    "pai_output_token_seconds", "Seconds per token of an answer after its first, one value per answer.", Kind.HISTOGRAM,
    ("model",), _PACES,
)  # fmt: skip
PROMPT_TOKENS: Final = Metric("pai_prompt_tokens_total", "Tokens read.", Kind.COUNTER, ("model",))
CACHED_TOKENS: Final = Metric("pai_cached_tokens_total", "Tokens read that a cache held.", Kind.COUNTER, ("model",))
GENERATED_TOKENS: Final = Metric("pai_generated_tokens_total", "Tokens written.", Kind.COUNTER, ("model",))
LOADS: Final = Metric("pai_model_loads_total", "Times a model was loaded.", Kind.COUNTER, ("model",))
EVICTIONS: Final = Metric("pai_model_evictions_total", "Times a model made room for another.", Kind.COUNTER, ("model",))
DEATHS: Final = Metric(
    "pai_worker_deaths_total", "Workers that ended by themselves; the next request starts another.", Kind.COUNTER, ("model",)
)  # fmt: skip
RUNNING: Final = Metric("pai_requests_running", "Requests that a model is at work on.", Kind.GAUGE, ("model",))
WAITING: Final = Metric("pai_requests_waiting", "Requests that wait for a model.", Kind.GAUGE, ("model",))
MODEL_MEMORY: Final = Metric(
    "pai_model_memory_bytes", "Memory of a loaded model: as estimated, and as measured of its worker (pss, or rss where the kernel "
    "shows no more).", Kind.GAUGE, ("model", "kind"),
)  # fmt: skip
PROCESS_MEMORY: Final = Metric(
    "pai_process_memory_bytes", "Memory of PAI's own processes, measured.", Kind.GAUGE, ("process", "kind")
)
DOCUMENTS: Final = Metric("pai_ingest_documents_total", "Files worked off, by outcome.", Kind.COUNTER, ("outcome",))
PAGES: Final = Metric("pai_ingest_pages_total", "Pages of documents taken in.", Kind.COUNTER)
AUDIT_ENTRIES: Final = Metric("pai_audit_entries", "Events in the audit log.", Kind.GAUGE)


class Meter(Protocol):
    """Is told what happens. Takes every value: measuring must not fail what is measured."""

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        ...

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a value to a distribution."""
        ...


class Silent:
    """A meter that keeps nothing."""

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Keep nothing."""

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Keep nothing."""


SILENT: Final[Meter] = Silent()
