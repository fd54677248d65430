"""RIFF/WAVE (Microsoft's Multimedia Programming Interface 1.0, and WAVEFORMATEXTENSIBLE): uncompressed sound, read at any place."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pai.foundation.errors import Invalid

_PCM: Final = 1
_FLOAT: Final = 3
_EXTENSIBLE: Final = 0xFFFE
_MOST_CHUNKS: Final = 1000
_MOST_CHANNELS: Final = 32
_RATES: Final = range(1000, 384_001)
_UNKNOWN: Final = 0xFFFFFFFF
"""The size of what was written as it came, whose end nobody knew."""


@dataclass(frozen=True, slots=True)
class Wav:
    """Where samples lie: from ``start`` on, ``frames`` of ``channels`` values of ``width`` bytes each, ``rate`` a second."""

    fd: int
    start: int
    frames: int
    channels: int
    width: int
    rate: int
    is_float: bool

    def frames_from(self, first: int, count: int) -> Any:
        """Return up to ``count`` frames as float32 [frames, channels] of -1 to 1."""
        size = self.channels * self.width
        count = max(0, min(count, self.frames - first))
        data = os.pread(self.fd, count * size, self.start + first * size)
        data = data[: len(data) - len(data) % size]
        return self._floats(data).reshape(-1, self.channels)

    def _floats(self, data: bytes) -> Any:
        if self.is_float:
            # What is no number, or far too loud, would spoil all that is computed from it.
            found = np.nan_to_num(np.frombuffer(data, f"<f{self.width}").astype(np.float32), posinf=0.0, neginf=0.0)
            return np.clip(found, -1.0, 1.0)
        if self.width == 1:
            return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
        if self.width == 3:
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            return wide.reshape(-1).view("<i4").astype(np.float32) / 2147483648.0
        return np.frombuffer(data, f"<i{self.width}").astype(np.float32) / float(1 << (8 * self.width - 1))


def opened_wav(fd: int) -> Wav:
    """Return where the samples of a WAV file lie. Raises Invalid (``bad_sound``) for one that contradicts itself or is compressed."""
    size = os.fstat(fd).st_size
    at, layout = 12, None
    for _ in range(_MOST_CHUNKS):
        head = os.pread(fd, 8, at)
        if len(head) < 8:
            break
        name, length = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"fmt ":
            layout = _layout(os.pread(fd, min(length, 40), at + 8))
        elif name == b"data":
            if layout is None:
                raise _bad("its samples come before what they are")
            kind, channels, rate, width = layout
            there = size - at - 8
            held = there if length in (0, _UNKNOWN) else min(length, there)
            return Wav(fd, at + 8, held // (channels * width), channels, width, rate, kind == _FLOAT)
        at += 8 + length + (length & 1)
    raise _bad("it holds no samples")


def _layout(told: bytes) -> tuple[int, int, int, int]:
    if len(told) < 16:
        raise _bad("it breaks off")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", told[:16])
    if kind == _EXTENSIBLE and len(told) >= 26:
        kind = struct.unpack("<H", told[24:26])[0]
    if (kind, bits) not in {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}:
        raise _bad("it is compressed, or of an unknown kind")
    if not 1 <= channels <= _MOST_CHANNELS or rate not in _RATES:
        raise _bad(f"{channels} channels at {rate} Hz are not read")
    return kind, channels, rate, bits // 8


def _bad(why: str) -> Invalid:
    return Invalid(
        f"the WAV file cannot be read: {why}", code="bad_sound", hint="save it anew, as WAV with 16 bits or as FLAC"
    )
