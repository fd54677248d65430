"""Words in a stretch of sound: windows of 30 seconds, each begun where the last whole sentence of the one before ended.

After Whisper's own way of transcribing (Radford et al., arXiv:2212.04356, section 4.5). The network comes as functions, so that this
room knows samples and tokens only. Windows in which nothing is louder than a whisper of noise are not given to it: it would make words up.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pai.adapters.sound.decoding import RATE, Sound
from pai.adapters.sound.spectrogram import WINDOW_SECONDS, log_mel
from pai.core.perception.values import Heard, Segment, Wish

_TICK: Final = 0.02
"""Seconds from one time token to the next."""
_QUIET: Final = 10 ** (-60 / 20)
"""Of full scale: the loudest tenth of a second of a window without speech."""
_NOTHING_SAID: Final = 0.6
_UNSURE: Final = -1.0
_REPEATS: Final = 2.4
"""How many times shorter a text becomes by compression when it goes round in circles."""
_TEMPERATURES: Final = (0.0, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Said:
    """Tokens of one window; the mean natural log-probability of a token, and how likely it is that nothing was said."""

    tokens: tuple[int, ...]
    logprob: float
    silence: float


@dataclass(frozen=True, slots=True)
class Listener:
    """A network: ``listen(features, language, translate, temperature)``; ``first_time`` is the token of 0.00 seconds, those from
    ``special`` up to it stand for no text; ``language(features)`` is what is spoken."""

    bands: int
    listen: Callable[[Any, str, bool, float], Said]
    language: Callable[[Any], str]
    text: Callable[[Sequence[int]], str]
    special: int
    first_time: int


def listen(sound: Sound, listener: Listener, start: float, seconds: float, wish: Wish) -> Heard:
    """Return what is said from ``start`` on, for at least ``seconds`` if the recording goes on so long, and where to go on."""
    at, segments, language = start, list[Segment](), wish.language
    while at < min(start + seconds, sound.seconds):
        samples = sound.stretch(at, WINDOW_SECONDS)
        if _loudest(samples) < _QUIET:
            at += WINDOW_SECONDS
            continue
        features = log_mel(samples, listener.bands)
        language = language or listener.language(features)
        said = _said(listener, features, language, wish)
        if not (said.silence > _NOTHING_SAID and said.logprob < _UNSURE):
            left = min(WINDOW_SECONDS, sound.seconds - at)
            pieces, ended = _cut(said.tokens, listener, left)
            segments += _segments(pieces, said, listener, at, min(at + left, sound.seconds))
            at += ended if ended > _TICK else WINDOW_SECONDS
        else:
            at += WINDOW_SECONDS
    return Heard(tuple(segments), min(at, sound.seconds), sound.seconds, language)


def _said(listener: Listener, features: Any, language: str, wish: Wish) -> Said:
    """Return what is said; a text that goes round in circles, or that the network doubts, is listened for again, less strictly."""
    for temperature in (wish.temperature, *(other for other in _TEMPERATURES if other > wish.temperature)):
        said = listener.listen(features, language, wish.translate, temperature)
        text = listener.text([token for token in said.tokens if token < listener.special])
        raw = text.encode()
        circling = len(raw) / max(1, len(zlib.compress(raw))) > _REPEATS
        if said.silence > _NOTHING_SAID or not (circling or said.logprob < _UNSURE):
            break
    return said


def _cut(
    tokens: Sequence[int], listener: Listener, left: float
) -> tuple[list[tuple[float, float, tuple[int, ...]]], float]:
    """Return (start, end, tokens) within the window, and where it ends: behind the last whole piece, or the window itself."""
    begun: float | None = 0.0
    pieces, current, last = [], list[int](), 0.0
    for token in tokens:
        if token < listener.first_time:
            if token < listener.special:
                current.append(token)
            continue
        last = min((token - listener.first_time) * _TICK, left)
        if current:
            pieces.append((begun or 0.0, max(last, begun or 0.0), tuple(current)))
            current = []
        begun = last
    if not current:
        # All of it stands between times. It ended there, unless the window did right behind another beginning.
        again = len(tokens) > 1 and tokens[-2] >= listener.first_time
        return pieces, last if again and pieces else left
    if pieces and begun:
        return pieces, begun  # what was begun and did not end is listened to again, whole
    return [*pieces, (begun or 0.0, left, tuple(current))], left


def _segments(
    pieces: Sequence[tuple[float, float, tuple[int, ...]]], said: Said, listener: Listener, at: float, most: float
) -> list[Segment]:
    found = []
    for start, end, tokens in pieces:
        text = listener.text(tokens).strip()
        if text:
            found.append(
                Segment(
                    round(min(at + start, most), 2), round(min(at + end, most), 2), text, round(said.logprob, 4),
                    round(min(max(said.silence, 0.0), 1.0), 4),
                )
            )  # fmt: skip
    return found


def _loudest(samples: Any) -> float:
    """Return the root mean square of the loudest tenth of a second."""
    tenths = samples[: len(samples) // (RATE // 10) * (RATE // 10)].reshape(-1, RATE // 10)
    return float(np.sqrt((tenths.astype(np.float64) ** 2).mean(axis=1)).max(initial=0.0))
