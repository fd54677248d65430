"""Sound of unknown origin becomes one channel at 16 kHz, a stretch at a time: nothing of a long recording but that is in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pai.adapters.sound.wav import opened_wav
from pai.foundation.errors import Invalid, TooLarge, Unsupported

RATE: Final = 16_000
LONGEST: Final = 12 * 3600.0
"""Seconds of one recording."""
_EDGE: Final = 1
"""Seconds read before and after a stretch: resampling disturbs its ends."""
_MARKS: Final = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa", b"FORM", b"caff")
_KINDS: Final = "WAV, FLAC, Ogg (Vorbis, Opus) or MP3"


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: its length in seconds, its frames a second, and what gives frames [n, channels] from a place."""

    seconds: float
    rate: int
    frames_from: Callable[[int, int], Any]

    def stretch(self, start: float, seconds: int) -> Any:
        """Return ``seconds`` from ``start`` on as float32 at 16 kHz, one channel, with silence behind the end."""
        first = round(start * self.rate) - _EDGE * self.rate
        wanted = (seconds + 2 * _EDGE) * self.rate
        before = max(0, -first)
        frames = self.frames_from(first + before, wanted - before)
        mono = np.zeros(wanted, np.float32)
        mono[before : before + len(frames)] = frames.mean(axis=1)
        made = _resampled(mono, (seconds + 2 * _EDGE) * RATE)
        return made[_EDGE * RATE : (_EDGE + seconds) * RATE]


def opened_sound(fd: int) -> Sound:
    """Open what lies behind a descriptor. Raises Invalid (``bad_sound``, ``no_sound``), Unsupported (``unsupported_sound``), TooLarge
    (``sound_too_long``)."""
    head = os.pread(fd, 12, 0)
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        wav = opened_wav(fd)
        return _bounded(Sound(wav.frames / wav.rate, wav.rate, wav.frames_from))
    if not head.startswith(_MARKS):
        raise Unsupported(f"the sound is none of {_KINDS}", code="unsupported_sound", hint=f"save it as {_KINDS}")
    return _bounded(_by_library(fd))


def _by_library(fd: int) -> Sound:
    import soundfile

    try:
        os.lseek(fd, 0, os.SEEK_SET)  # whoever filled the file has moved the offset that descriptors share
        file = soundfile.SoundFile(os.dup(fd))
        rate, length = int(file.samplerate), int(file.frames)

        def frames_from(first: int, count: int) -> Any:
            try:
                file.seek(min(first, length))
                return file.read(count, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError):
                raise _bad() from None

        return Sound(length / rate, rate, frames_from)
    except (soundfile.LibsndfileError, RuntimeError, ZeroDivisionError):
        raise _bad() from None


def _bounded(sound: Sound) -> Sound:
    if sound.seconds <= 0:
        raise Invalid(
            "the recording is empty: it lasts 0 seconds", code="no_sound", hint="check that it was saved whole"
        )
    if sound.seconds > LONGEST:
        raise TooLarge(
            f"the recording is longer than {LONGEST / 3600:.0f} hours", code="sound_too_long", hint="cut it into parts"
        )  # fmt: skip
    return sound


def _resampled(samples: Any, count: int) -> Any:
    """Return as many samples over the same time, without what the new rate cannot hold (the discrete Fourier transform cut or padded)."""
    if len(samples) == count:
        return samples
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(count // 2 + 1, spectrum.dtype)
    most = min(len(kept), len(spectrum))
    kept[:most] = spectrum[:most]
    return (np.fft.irfft(kept, count) * (count / len(samples))).astype(np.float32)


def _bad() -> Invalid:
    return Invalid("the sound is damaged or breaks off", code="bad_sound", hint=f"save it anew, as {_KINDS}")
