"""Pictures that decoders have fallen over, each named after what it tries. ``python make_pictures.py FOLDER`` writes them.

The second of each pair is the code that it is refused with; empty: it is decoded, and nothing of what it hides goes further.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, *more: bytes, depth: int = 8, colour: int = 0) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    made = io.BytesIO()
    colour: Any = {
        "RGB": (200, 30, 30),
        "RGBA": (200, 30, 30, 128),
        "CMYK": (0, 200, 200, 20),
        "L": 90,
        "P": 3,
        "I;16": 40_000,
        "1": 1,
    }[mode]
    Image.new(mode, size, colour).save(made, kind, **options)
    return made.getvalue()


def _bomb() -> bytes:
    """60,000 x 60,000 pixels of one bit in half a megabyte: 10 GB as colours."""
    rows = zlib.compressobj(9)
    line = bytes(1 + 60_000 // 8)
    packed = b"".join(rows.compress(line * 100) for _ in range(600)) + rows.flush()
    return png(60_000, 60_000, packed, depth=1)


def _lying() -> bytes:
    """Says it is small; its rows go on for a hundred megabytes."""
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(1 << 20)) for _ in range(100)) + rows.flush()
    return png(16, 16, packed)


def _texts() -> bytes:
    """Notes beside the pixels that unpack to 500 MB from 500 KB."""
    note = zlib.compress(bytes(50 << 20), 9)
    return png(16, 16, zlib.compress(bytes(17 * 16)), *[_chunk(b"zTXt", b"k\0\0" + note)] * 10)


def _frames() -> bytes:
    """A film of 2,000 frames."""
    made = io.BytesIO()
    frames = [Image.new("P", (64, 64), n % 250) for n in range(2000)]
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:])
    return made.getvalue()


def _flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    for at in range(len(data) // 2, len(data) // 2 + 200):
        changed[at] ^= 0xA5
    return bytes(changed)


def _noise(kind: str) -> bytes:
    """A picture that has no short form, so that cutting it cuts pixels."""
    made = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(made, kind)
    return made.getvalue()


PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.png": (lambda: b"", "bad_picture"),
    "nothing-but-a-name.png": (lambda: b"\x89PNG\r\n\x1a\n", "bad_picture"),
    "a-document.png": (lambda: b"%PDF-1.7\n%%EOF", "bad_picture"),
    "a-script.svg": (
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "bad_picture",
    ),
    "postscript.eps": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "bad_picture",
    ),
    "another-kind.tiff": (lambda: picture("TIFF"), "bad_picture"),
    "another-kind.bmp": (lambda: picture("BMP"), "bad_picture"),
    "another-kind.ico": (lambda: picture("ICO"), "bad_picture"),
    "no-pixels.png": (lambda: png(0, 10, zlib.compress(b"")), "bad_picture"),
    "bomb.png": (_bomb, "picture_too_large"),
    "more-than-any-side.png": (lambda: png(1 << 31, 1, zlib.compress(bytes(100))), "picture_too_large"),
    "a-thin-line.png": (lambda: png(40_000, 1, zlib.compress(bytes(40_001))), "picture_too_large"),
    "claims-65535-squared.gif": (
        lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(3) + b";",
        "bad_picture",
    ),
    "notes-without-end.png": (_texts, "bad_picture"),
    "cut.png": (lambda: _noise("PNG")[:-20_000], "bad_picture"),
    "cut.jpeg": (lambda: _noise("JPEG")[:-9_000], "bad_picture"),
    "cut.webp": (lambda: _noise("WEBP")[:-5_000], "bad_picture"),
    "flipped.png": (lambda: _flipped(_noise("PNG")), "bad_picture"),
    "rows-without-end.png": (_lying, ""),
    "film.gif": (_frames, ""),
    "grey16.png": (lambda: picture("PNG", "I;16"), ""),
    "one-bit.png": (lambda: picture("PNG", "1"), ""),
    "palette.gif": (lambda: picture("GIF", "P"), ""),
    "see-through.webp": (lambda: picture("WEBP", "RGBA"), ""),
    "four-inks.jpeg": (lambda: picture("JPEG", "CMYK"), ""),
}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, (make, _) in PICTURES.items():
        (target / name).write_bytes(make())
