"""In which order lines are read, and which belong together."""

from __future__ import annotations

import math

from pai.core.perception.layout import in_order, paragraphs
from pai.core.perception.values import Line, Page


def line(text: str, x: float, y: float, width: float = 300, height: float = 20, lean: float = 0.0) -> Line:
    cos, sin = math.cos(lean), math.sin(lean)
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    # Turned about the page's origin, as a scanner turns a page.
    turned = [((x + a) * cos - (y + b) * sin, (x + a) * sin + (y + b) * cos) for a, b in corners]
    return Line(text, 1.0, (turned[0], turned[1], turned[2], turned[3]))


def page(*lines: Line) -> Page:
    return Page(1, 1, 800, 1000, 0, lines)


def texts(found: Page) -> str:
    return " ".join(one.text for one in in_order(found))


def test_columns_of_text_are_read_one_after_another_below_their_title() -> None:
    rows = [line(f"{side}{n}", x, 100 + 30 * n) for n in (2, 0, 1) for side, x in (("b", 420), ("a", 20))]
    assert texts(page(*rows, line("title", 20, 20, 700, 40))) == "title a0 a1 a2 b0 b1 b2"


def test_cells_of_a_table_are_read_row_by_row() -> None:
    cells = [line(f"{n}{name}", x, 100 + 30 * n, 60) for name, x in (("c", 500), ("a", 20), ("b", 260)) for n in (1, 0)]
    assert texts(page(*cells)) == "0a 0b 0c 1a 1b 1c"


def test_a_leaning_page_is_read_as_if_it_stood_straight() -> None:
    for lean in (-0.15, 0.15):
        rows = [
            line(f"{n}{side}", x, 100 + 40 * n, 100, lean=lean)
            for n in (1, 2, 0)
            for side, x in (("b", 600), ("a", 20))
        ]
        assert texts(page(*rows)) == "0a 0b 1a 1b 2a 2b"


def test_more_white_begins_a_paragraph() -> None:
    found = page(line("one", 20, 0), line("goes on", 20, 26), line("two", 20, 100), line("also", 20, 126))
    assert paragraphs(found) == ["one\ngoes on", "two\nalso"]


def test_an_empty_page_and_thousands_of_lines_are_no_trouble() -> None:
    assert paragraphs(page()) == []
    many = [line(str(n), 20, 25 * n) for n in range(2000)]
    assert texts(page(*many[::-1])) == " ".join(str(n) for n in range(2000))


def test_lines_that_all_lie_on_each_other_are_all_there() -> None:
    assert len(in_order(page(*(line(str(n), 20, 20) for n in range(50))))) == 50
