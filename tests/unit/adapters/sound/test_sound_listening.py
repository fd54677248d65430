"""Decoding, resampling and the windows of a recording, with a network that says what a test wants."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from pai.adapters.sound.decoding import RATE, Sound, opened_sound
from pai.adapters.sound.listening import Listener, Said, listen
from pai.adapters.sound.spectrogram import log_mel
from pai.core.perception.values import Wish
from pai.foundation.errors import Invalid
from recordings import wav_that_says

TIME = 1000
"""The token of 0.00 seconds."""


@contextmanager
def file(data: bytes) -> Iterator[int]:
    fd = os.memfd_create("sound")
    os.write(fd, data)
    try:
        yield fd
    finally:
        os.close(fd)


def tone(hertz: float, seconds: float, rate: int) -> Any:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_a_tone_keeps_its_pitch_and_strength_at_every_rate(rate: int) -> None:
    sound = tone(440, 4, rate)
    with file(wav_that_says(len(sound), (sound * 30000).astype("<i2").tobytes(), rate=rate)) as fd:
        opened = opened_sound(fd)
        assert opened.seconds == 4
        heard = opened.stretch(1.0, 2)
    assert len(heard) == 2 * RATE
    assert np.abs(heard - tone(440, 4, RATE)[RATE : 3 * RATE] * (30000 / 32768)).max() < 0.02


def test_what_lies_before_and_behind_a_recording_is_silence() -> None:
    sound = Sound(1.0, RATE, lambda first, count: np.ones((RATE, 1), np.float32)[max(first, 0) : first + count])
    heard = sound.stretch(0.5, 2)
    assert heard[100] > 0.9
    assert not heard[RATE:].any()


def test_channels_are_heard_together() -> None:
    both = np.stack([np.full(RATE, 8000), np.full(RATE, -8000)], axis=1).astype("<i2")
    with file(wav_that_says(RATE, both.tobytes(), channels=2)) as fd:
        assert not opened_sound(fd).stretch(0, 1).any()


def test_the_spectrogram_has_its_strength_where_the_tone_is() -> None:
    bands = log_mel(tone(1000, 1, RATE), 80)
    assert bands.shape == (80, 100)
    # 1,000 Hz are 15 of Slaney's mels, 8,000 Hz are 45.2: the band in the 81 steps is 15 / 45.2 * 81 - 1.
    assert abs(int(bands.mean(axis=1).argmax()) - 26) <= 1


def listener(said: Sequence[Sequence[int]]) -> Listener:
    answers = iter(said)
    return Listener(
        80, lambda *_: Said(tuple(next(answers)), -0.2, 0.0), lambda _: "en", lambda tokens: " ".join(map(str, tokens)), 900, TIME
    )  # fmt: skip


def at(seconds: float) -> int:
    return TIME + round(seconds / 0.02)


def noise(seconds: float) -> Sound:
    samples = np.random.default_rng(1).normal(0, 0.1, (round(seconds * RATE), 1)).astype(np.float32)
    return Sound(seconds, RATE, lambda first, count: samples[first : first + count])


def test_a_sentence_that_does_not_end_is_listened_to_again_from_its_beginning() -> None:
    told = listener([[at(0), 1, at(10), at(10), 2, at(25), at(25), 3], [at(0), 3, at(8)]])
    heard = listen(noise(33), told, 0.0, 120.0, Wish())
    assert [(one.start, one.end, one.text) for one in heard.segments] == [
        (0.0, 10.0, "1"),
        (10.0, 25.0, "2"),
        (25.0, 33.0, "3"),
    ]
    assert heard.until == heard.total == 33


def test_silence_is_not_given_to_the_network() -> None:
    still = Sound(70.0, RATE, lambda first, count: np.zeros((max(0, min(count, 70 * RATE - first)), 1), np.float32))
    assert listen(still, listener([]), 0.0, 120.0, Wish()).segments == ()


@pytest.mark.parametrize(
    "tokens",
    [[], [at(0)], [at(0), at(0)], [at(0), at(0), at(0)], [1], [at(29), at(3), 1, at(1)], [at(0), 1, at(0), at(0)]],
)
def test_whatever_the_network_says_it_goes_on_to_the_end(tokens: list[int]) -> None:
    heard = listen(noise(61), listener([tokens] * 400), 0.0, 200.0, Wish())
    assert heard.until == heard.total == 61
    assert all(0 <= one.start <= one.end <= 61 for one in heard.segments)


def test_a_text_that_goes_round_in_circles_is_listened_for_again() -> None:
    told = listener([[at(0), *[7] * 200, at(5)], [at(0), 8, at(5)]])
    assert [one.text for one in listen(noise(5), told, 0.0, 60.0, Wish()).segments] == ["8"]


def test_a_header_that_lies_is_held_to_the_file() -> None:
    with file(wav_that_says(10**9, bytes(2 * RATE))) as fd:
        assert opened_sound(fd).seconds == 1.0
    with file(wav_that_says(0)) as fd, pytest.raises(Invalid, match="0 seconds"):
        opened_sound(fd)
