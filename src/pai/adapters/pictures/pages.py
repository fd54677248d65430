"""Pages of a picture or a PDF as pixels, one at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pai.adapters.pictures.decoding import frames_of, plain_picture
from pai.foundation.errors import Invalid, TooLarge

_DPI: Final = 200
_MOST_PIXELS: Final = 12_000_000
"""Of one page: A4 at 300 dpi has 8.7 million."""
_LONGEST_SIDE: Final = 4000
_MARK: Final = b"%PDF-"


@dataclass(frozen=True, slots=True)
class Pages:
    """How many pages there are, and a function that makes one of them, counted from 1, an image in RGB."""

    count: int
    picture: Callable[[int], Any]


@contextmanager
def opened_pages(fd: int, most: int) -> Iterator[Pages]:
    """Open what lies behind a descriptor. Raises Invalid (``bad_picture``, ``encrypted``, ``truncated``) and TooLarge
    (``picture_too_large``; ``too_many_pages``, more than ``most``)."""
    if _MARK in os.pread(fd, 1024, 0):
        yield from _of_pdf(fd, most)
        return
    yield Pages(_bounded(frames_of(fd), most), lambda number: plain_picture(fd, _LONGEST_SIDE, frame=number - 1))


def _of_pdf(fd: int, most: int) -> Iterator[Pages]:
    import pypdfium2

    try:
        with os.fdopen(os.dup(fd), "rb") as file:
            file.seek(0)
            document = pypdfium2.PdfDocument(file.read())
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise Invalid(
                "the PDF is protected by a password", code="encrypted", hint="save a copy without it"
            ) from None
        raise _truncated() from None
    try:
        yield Pages(_bounded(len(document), most), lambda number: _rendered(document, number))
    except pypdfium2.PdfiumError:
        raise _truncated() from None
    finally:
        document.close()


def _rendered(document: Any, number: int) -> Any:
    from PIL import Image

    page = document[number - 1]
    try:
        width, height = page.get_size()
        area = max(width * height, 1.0)
        scale = min(_DPI / 72, math.sqrt(_MOST_PIXELS / area), _LONGEST_SIDE / max(width, height, 1.0))
        pixels = page.render(scale=scale, may_draw_forms=False, rev_byteorder=True, prefer_bgrx=False).to_numpy()
        bands = {1: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[2] if pixels.ndim == 3 else 1]
        return Image.fromarray(pixels, bands).convert("RGB")
    finally:
        page.close()


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise TooLarge(f"there are {count} pages, more than {most}", code="too_many_pages", hint="split the file")
    if count < 1:
        raise _truncated()
    return count


def _truncated() -> Invalid:
    return Invalid("the PDF is damaged or cut short", code="truncated", hint="copy it again from its source")
