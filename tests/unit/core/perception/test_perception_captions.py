"""Transcripts as text and captions."""

from __future__ import annotations

from pai.core.perception.captions import plain, srt, vtt
from pai.core.perception.values import Segment

SAID = (Segment(0.0, 1.5, "One", -0.1, 0.0), Segment(3723.4567, 3725.0, "two\n\n--> <b>&", -0.1, 0.0))


def test_srt_counts_and_tells_times_to_the_thousandth() -> None:
    assert srt(SAID) == "1\n00:00:00,000 --> 00:00:01,500\nOne\n\n2\n01:02:03,457 --> 01:02:05,000\ntwo --> <b>&\n\n"


def test_what_was_said_cannot_be_markup_of_captions() -> None:
    written = vtt(SAID)
    assert written.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne\n\n")
    assert "two --&gt; &lt;b&gt;&amp;\n" in written
    assert written.count(" --> ") == 2


def test_nothing_said_is_an_empty_text() -> None:
    assert (plain(()), srt(()), vtt(())) == ("", "", "WEBVTT\n\n")
