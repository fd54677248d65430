"""A picture of unknown origin becomes pixels, and those a plain picture again.

Nothing of the file itself goes further: engines' own decoders see only what was written here, and what cameras write beside the pixels
(places, times, serial numbers) is gone.
"""

from __future__ import annotations

import io
import os
import warnings
from typing import Any, Final

from pai.foundation.errors import Invalid, TooLarge

MOST_BYTES: Final = 20 << 20
MOST_PIXELS: Final = 40_000_000
"""Of one picture, when decoded: a camera's largest; 160 MB at four bytes each."""
MOST_SIDE: Final = 1 << 15
LONGEST_SIDE: Final = 1536
"""Of what is handed on. Vision models look at less than that."""
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_KINDS: Final = "PNG, JPEG, WebP or GIF"


def clean_picture(fd: int) -> bytes:
    """Return the picture behind a descriptor as a PNG of at most ``LONGEST_SIDE``: the first frame, upright, in RGB, on white.

    Raises TooLarge (``picture_too_large``) and Invalid (``bad_picture``).
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    size = os.fstat(fd).st_size
    if size > MOST_BYTES:
        raise TooLarge(f"a picture has at most {MOST_BYTES >> 20} MB", code="picture_too_large", hint="make it smaller")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # some formats look at it before they allocate
    with warnings.catch_warnings(), os.fdopen(os.dup(fd), "rb") as file:
        warnings.simplefilter("ignore")
        file.seek(0)
        try:
            with Image.open(file, formats=_FORMATS) as found:
                _bounded(found.size)
                # Reads as few pixels as will do, where the format can (JPEG).
                found.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                found.load()
                return _written(ImageOps.exif_transpose(found))
        except Image.DecompressionBombError:
            raise _too_many() from None
        except UnidentifiedImageError:
            raise _bad(f"the picture is none of {_KINDS}") from None
        except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError):
            # What the decoder's many readers raise for a file that breaks off or contradicts itself.
            raise _bad("the picture is damaged or breaks off") from None


def _bounded(size: tuple[int, int]) -> None:
    """Before anything is decoded: what the header says decides how much memory decoding takes."""
    width, height = size
    if width < 1 or height < 1:
        raise _bad("the picture has no pixels")
    if max(size) > MOST_SIDE or width * height > MOST_PIXELS:
        raise _too_many()


def _written(found: Any) -> bytes:
    from PIL import Image

    if found.mode not in ("RGB", "L"):
        clear = found.convert("RGBA")
        found = Image.new("RGBA", clear.size, "white")
        found.alpha_composite(clear)
    plain = found.convert("RGB")
    plain.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    # A picture made of pixels alone: whatever else the library may keep of the file stays behind.
    bare = Image.frombytes("RGB", plain.size, plain.tobytes())
    made = io.BytesIO()
    bare.save(made, "PNG", compress_level=1)
    return made.getvalue()


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad_picture", hint=f"send {_KINDS}, whole")


def _too_many() -> TooLarge:
    return TooLarge(
        f"a picture has at most {MOST_PIXELS // 1_000_000} million pixels, {MOST_SIDE} on a side", code="picture_too_large",
        hint="make it smaller",
    )  # fmt: skip
