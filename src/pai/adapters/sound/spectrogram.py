"""The picture of sound that Whisper reads: 80 mel bands, 100 columns a second (Radford et al., arXiv:2212.04356, section 2.2)."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

from pai.adapters.sound.decoding import RATE

WINDOW_SECONDS: Final = 30
_POINTS: Final = 400
_STEP: Final = 160
_LINEAR_TO: Final = 1000.0
"""Up to here, in Hz, mels are Hz times 3/200 (Slaney, Auditory Toolbox, 1998); above, 27 of them to a factor of 6.4."""


def log_mel(samples: Any, bands: int) -> Any:
    """Return float32 [bands, 100 columns a second] of samples at 16 kHz."""
    padded = np.pad(samples, _POINTS // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_POINTS) / _POINTS)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _POINTS)[::_STEP][: len(samples) // _STEP]
    power = np.abs(np.fft.rfft(frames * window.astype(np.float32), axis=1)) ** 2
    logs = np.log10(np.maximum(_filters(bands) @ power.T, 1e-10))
    return ((np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


@functools.cache
def _filters(bands: int) -> Any:
    """Return triangles of equal area, evenly spaced in mels, as [bands, frequencies]."""
    frequencies = np.fft.rfftfreq(_POINTS, 1 / RATE)
    step, knee = np.log(6.4) / 27.0, _LINEAR_TO * 3.0 / 200.0
    top = knee + np.log(RATE / 2 / _LINEAR_TO) / step
    mels = np.linspace(0.0, top, bands + 2)
    edges = np.where(mels >= knee, _LINEAR_TO * np.exp(step * (mels - knee)), mels * 200.0 / 3.0)
    rise = (frequencies[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - frequencies[None]) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
