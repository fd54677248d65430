"""A picture of unknown origin becomes pixels, and those a plain picture again.

Nothing of the file itself goes further: engines' own decoders see only what was written here, and what cameras write beside the pixels
(places, times, serial numbers) is gone.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from typing import Any, Final

from pai.foundation.errors import Invalid, TooLarge

MOST_BYTES: Final = 20 << 20
MOST_PIXELS: Final = 40_000_000
"""Of one picture, when decoded: a camera's largest; 160 MB at four bytes each."""
MOST_SIDE: Final = 1 << 15
LONGEST_SIDE: Final = 1536
"""Of what is handed on. Vision models look at less than that."""
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
SCANS: Final = (*_FORMATS, "TIFF")
"""What scanners write besides; looked at only where text is read."""
_KINDS: Final = "PNG, JPEG, WebP or GIF"


def clean_picture(fd: int) -> bytes:
    """Return the picture behind a descriptor as a PNG of at most ``LONGEST_SIDE``: the first frame, upright, in RGB, on white.

    Raises TooLarge (``picture_too_large``) and Invalid (``bad_picture``).
    """
    made = io.BytesIO()
    plain_picture(fd, LONGEST_SIDE, formats=_FORMATS).save(made, "PNG", compress_level=1)
    return made.getvalue()


def plain_picture(fd: int, longest: int, *, frame: int = 0, formats: tuple[str, ...] = SCANS) -> Any:
    """Return a frame of the picture behind a descriptor as an image of pixels alone, upright, in RGB, on white, at most ``longest`` on a
    side. Raises TooLarge (``picture_too_large``) and Invalid (``bad_picture``)."""
    with _opened(fd, formats) as found:
        if frame:
            found.seek(frame)
        _bounded(found.size)
        # Reads as few pixels as will do, where the format can (JPEG).
        found.draft("RGB", (longest, longest))
        found.load()
        return _plain(found, longest)


def frames_of(fd: int) -> int:
    """Return how many pages a picture has: the frames of a TIFF; of all others, only the first is looked at. Raises as above."""
    with _opened(fd, SCANS) as found:
        _bounded(found.size)
        return int(getattr(found, "n_frames", 1)) if found.format == "TIFF" else 1


@contextlib.contextmanager
def _opened(fd: int, formats: tuple[str, ...]) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    size = os.fstat(fd).st_size
    if size > MOST_BYTES:
        raise TooLarge(f"a picture has at most {MOST_BYTES >> 20} MB", code="picture_too_large", hint="make it smaller")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # some formats look at it before they allocate
    with warnings.catch_warnings(), os.fdopen(os.dup(fd), "rb") as file:
        warnings.simplefilter("ignore")
        file.seek(0)
        try:
            with Image.open(file, formats=formats) as found:
                yield found
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


def _plain(opened: Any, longest: int) -> Any:
    from PIL import Image, ImageOps

    found = ImageOps.exif_transpose(opened)
    if found.mode.startswith("I;16"):  # a scanner's greys of 16 bits
        found = found.point(lambda value: value / 256).convert("L")
    if found.mode not in ("RGB", "L"):
        clear = found.convert("RGBA")
        found = Image.new("RGBA", clear.size, "white")
        found.alpha_composite(clear)
    plain = found.convert("RGB")
    plain.thumbnail((longest, longest))
    # A picture made of pixels alone: whatever else the library may keep of the file stays behind.
    return Image.frombytes("RGB", plain.size, plain.tobytes())


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad_picture", hint=f"send {_KINDS}, whole")


def _too_many() -> TooLarge:
    return TooLarge(
        f"a picture has at most {MOST_PIXELS // 1_000_000} million pixels, {MOST_SIDE} on a side", code="picture_too_large",
        hint="make it smaller",
    )  # fmt: skip
