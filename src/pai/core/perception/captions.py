"""Transcripts as text and as captions: SubRip, and WebVTT (W3C, WebVTT: The Web Video Text Tracks Format)."""

from __future__ import annotations

from collections.abc import Sequence

from pai.core.perception.values import Segment


def plain(segments: Sequence[Segment]) -> str:
    """Return what was said as one text."""
    return " ".join(one.text for one in segments)


def srt(segments: Sequence[Segment]) -> str:
    """Return SubRip captions."""
    return "".join(
        f"{n}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n{_line(one.text)}\n\n"
        for n, one in enumerate(segments, 1)
    )


def vtt(segments: Sequence[Segment]) -> str:
    """Return WebVTT captions. What the format would take for markup is escaped."""
    cues = (
        f"{_time(one.start, '.')} --> {_time(one.end, '.')}\n"
        f"{_line(one.text).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}\n\n"
        for one in segments
    )
    return "WEBVTT\n\n" + "".join(cues)


def _time(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    return f"{thousandths // 3_600_000:02}:{thousandths // 60_000 % 60:02}:{thousandths // 1000 % 60:02}{point}{thousandths % 1000:03}"


def _line(text: str) -> str:
    """Return a text as one line: an empty one would end the caption."""
    return " ".join(text.split())
