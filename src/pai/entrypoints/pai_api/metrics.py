"""Metrics in Prometheus's text format, version 0.0.4: written here, for it is a few lines (docs/decisions/0016)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse

from pai.core.policy.values import Permission
from pai.core.ports.metrics import Metric, Reading, Sample
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.foundation.actor import Actor

router = APIRouter()
MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@guarded(router, "GET", "/metrics", Permission.METRICS, response_class=PlainTextResponse)
async def metrics(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.METRICS))]
) -> PlainTextResponse:
    """Tell how the installation does, in Prometheus's text format."""
    return PlainTextResponse(exposed(await services_of(request).metrics.read(actor)), media_type=MEDIA_TYPE)


def exposed(readings: Sequence[Reading]) -> str:
    """Return readings as text."""
    return "".join(line + "\n" for reading in readings for line in _lines(reading))


def _lines(reading: Reading) -> Iterator[str]:
    metric = reading.metric
    yield f"# HELP {metric.name} {_escaped(metric.about)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in reading.samples:
        if sample.counts:
            yield from _spread(metric, sample)
        else:
            yield f"{metric.name}{_labels(metric.labels, sample.labels)} {_number(sample.value)}"


def _spread(metric: Metric, sample: Sample) -> Iterator[str]:
    bounds = [*(_number(bound) for bound in metric.buckets), "+Inf"]
    for bound, count in zip(bounds, sample.counts, strict=True):
        yield f"{metric.name}_bucket{_labels((*metric.labels, 'le'), (*sample.labels, bound))} {count}"
    labels = _labels(metric.labels, sample.labels)
    yield f"{metric.name}_sum{labels} {_number(sample.value)}"
    yield f"{metric.name}_count{labels} {sample.counts[-1]}"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
