"""Recordings of real speech with what is said in them, and sound that is none."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np

from scanned_pages import errors

FOLDER = Path(__file__).parent / "samples" / "sound"
RATE = 16_000
_NUMBERS = {"mr": "mister", "colour": "color"}


def sentences() -> dict[str, str]:
    """What is said in each recording, by its name."""
    lines = (FOLDER / "TRANSCRIPT.txt").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line.startswith("austen-"))


def samples(name: str) -> Any:
    import soundfile

    found, rate = soundfile.read(FOLDER / f"{name}.flac", dtype="float32")
    assert rate == RATE
    return found


def wav(sound: Any, rate: int = RATE, width: int = 16) -> bytes:
    """PCM of one channel, or of as many as there are columns."""
    import soundfile

    made = io.BytesIO()
    soundfile.write(made, sound, rate, format="WAV", subtype=f"PCM_{width}")
    return made.getvalue()


def coded(sound: Any, form: str, rate: int = RATE) -> bytes:
    import soundfile

    made = io.BytesIO()
    soundfile.write(made, sound, rate, format=form)
    return made.getvalue()


def silence(seconds: float) -> Any:
    return np.zeros(round(seconds * RATE), np.float32)


def wav_that_says(
    frames: int, data: bytes = b"", channels: int = 1, rate: int = RATE, bits: int = 16, kind: int = 1
) -> bytes:
    """A WAV file whose header says what it likes."""
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * block % 2**32, block % 2**16, bits)
    size = frames * block
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + size, 2**32 - 1))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + b"data"
        + struct.pack("<I", min(size, 2**32 - 1))
        + data
    )


def words(text: str) -> list[str]:
    plain = "".join(c if c.isalnum() or c in " '" else " " if c == "-" else "" for c in text.lower())
    return [_NUMBERS.get(word, word) for word in plain.split()]


def word_errors(truth: str, heard: str) -> tuple[int, int]:
    """Words to put in, take out or change, and how many were said. Words are letters of an alphabet of their own."""
    wanted, got = words(truth), words(heard)
    letters = {word: chr(0x100 + n) for n, word in enumerate({*wanted, *got})}
    return errors("".join(letters[w] for w in wanted), "".join(letters[w] for w in got)), len(wanted)
