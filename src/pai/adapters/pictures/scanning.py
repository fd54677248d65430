"""The pages of a document read one after the other, as values of the core."""

from __future__ import annotations

from collections.abc import Sequence

from pai.adapters.pictures.pages import opened_pages
from pai.adapters.pictures.reading import Reader, read_page
from pai.core.perception.values import Line, Page
from pai.foundation.errors import Invalid


def read_document(fd: int, wanted: Sequence[int], most: int, limit: int, reader: Reader) -> list[Page]:
    """Read the pages ``wanted``, or the first ``most`` when none are named. Raises as ``opened_pages``, for more than ``limit`` pages."""
    with opened_pages(fd, limit) as pages:
        numbers = [*wanted] or [*range(1, min(most, pages.count) + 1)]
        if any(not 1 <= number <= pages.count for number in numbers):
            raise Invalid(f"there is no such page among {pages.count}", code="no_such_page")
        found = []
        for number in numbers:
            page = read_page(pages.picture(number), reader)
            lines = tuple(
                Line(one.text, round(min(one.confidence, 1.0), 4), one.box.corners)
                for one in page.lines
            )  # fmt: skip
            found.append(Page(number, pages.count, page.width, page.height, page.turned, lines))
        return found
