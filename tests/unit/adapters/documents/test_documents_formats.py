"""Each format keeps what answers need: headings, pages, rows with their columns, and nothing hidden."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import re
from importlib import resources
from pathlib import Path

import pytest

from pai.adapters.documents import Limits, parse
from pai.core.knowledge.chunking import chunk
from pai.core.knowledge.values import Block, ParsedDocument

SAMPLES = Path(str(resources.files("pai.samples") / "documents"))


def parsed(name: str, data: bytes | str) -> ParsedDocument:
    fd = os.memfd_create("document")
    try:
        os.write(fd, data.encode() if isinstance(data, str) else data)
        os.lseek(fd, 0, os.SEEK_END)
        return parse(fd, name, Limits())
    finally:
        os.close(fd)


def shown(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in document.blocks]


def test_text_paragraphs_pages_and_wrapped_lines() -> None:
    wrapped = (
        "This line was broken by an editor at a column of its own choosing, and\nit goes on here.\n\nNext.\fPage two."
    )
    document = parsed("a.TXT", wrapped)
    assert document.pages == 2
    first, second, third = document.blocks
    assert first.text.endswith("choosing, and it goes on here.")
    assert (second.text, third.text, third.page) == ("Next.", "Page two.", 2)


def test_utf16_with_a_mark_is_read() -> None:
    assert parsed("a.txt", "Grüße aus Århus".encode("utf-16")).blocks[0].text == "Grüße aus Århus"


def test_markdown() -> None:
    text = "---\nkey: value\n---\n# Top\n\nSome *words* and `code`.\n\n- one\n- two\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n<b>raw</b>\n"
    document = parsed("a.md", text)
    assert document.title == "Top"
    assert shown(document) == [
        ("paragraph", "key: value"), ("heading", "Top"), ("paragraph", "Some words and code."), ("list", "one"), ("list", "two"),
        ("row", "A: 1; B: 2"), ("paragraph", "raw"),
    ]  # fmt: skip


def test_html_drops_what_is_not_shown() -> None:
    page = (
        "<title>T</title><body><h2>Head</h2>loose <b>text</b><p>para<br>two</p><script>x()</script><p hidden>no</p><!-- no -->"
        "<ul><li>one<li>two</ul><table><tr><th>A<th>B<tr><td>1<td>2</table></body>"
    )
    assert shown(parsed("a.html", page)) == [
        ("heading", "Head"), ("paragraph", "loose text"), ("paragraph", "para two"), ("list", "one"), ("list", "two"),
        ("row", "A: 1; B: 2"),
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_delimiters(delimiter: str) -> None:
    lines = [["Name", "City", "Sum"], ["Ann", "Bergen", "1.50"], ["Bob", "Aarhus", "2.50"]]
    document = parsed("a.csv", "\n".join(delimiter.join(line) for line in lines))
    assert document.blocks[0].cells == (("Name", "Ann"), ("City", "Bergen"), ("Sum", "1.50"))


def test_a_table_without_header_gets_numbered_columns() -> None:
    assert parsed("a.csv", "1,2\n3,4\n").blocks[0].cells == (("Column 1", "1"), ("Column 2", "2"))


def test_workbook_sheets_are_pages_and_values_read_as_shown() -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Invoices of the year"])
    sheet.append(["Number", "Sum", "Share", "Due", "Paid"])
    sheet.append([7, 1250.5, 0.125, dt.date(2031, 1, 2), True])
    sheet["B3"].number_format, sheet["C3"].number_format = "#,##0.00", "0.0%"
    book.create_sheet("Second").append(["only", "header"])
    out = io.BytesIO()
    book.save(out)
    document = parsed("a.xlsx", out.getvalue())
    assert document.pages == 2
    row = next(block for block in document.blocks if block.kind == "row")
    assert row.cells == (
        ("Number", "7"),
        ("Sum", "1250.50"),
        ("Share", "12.5%"),
        ("Due", "2031-01-02"),
        ("Paid", "yes"),
    )


def test_word_headings_forms_and_tables() -> None:
    from docx import Document

    document = Document()
    document.add_heading("Letter", 0)
    document.add_heading("Plan", 2)
    document.add_paragraph("Rest.", style="List Bullet")
    for lines in ([("Name:", "Ann"), ("Born:", "1980")], [("Drug", "Dose"), ("Aspirin", "100 mg")]):
        table = document.add_table(rows=0, cols=2)
        for left, right in lines:
            cells = table.add_row().cells
            cells[0].text, cells[1].text = left, right
    out = io.BytesIO()
    document.save(out)
    assert parsed("a.docx", out.getvalue()).blocks == (
        Block("heading", "Letter", 1, 1), Block("heading", "Plan", 1, 2), Block("list", "Rest."),
        Block("row", "Name: Ann", cells=(("Name", "Ann"),)), Block("row", "Born: 1980", cells=(("Born", "1980"),)),
        Block("row", "Drug: Aspirin; Dose: 100 mg", cells=(("Drug", "Aspirin"), ("Dose", "100 mg"))),
    )  # fmt: skip


def test_pdf_headings_by_size_paragraphs_and_pages() -> None:
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    page = canvas.Canvas(out)
    page.setFont("Helvetica-Bold", 16)
    page.drawString(72, 750, "Big title")
    page.setFont("Helvetica", 11)
    for n, line in enumerate(
        ["The first line of a paragraph that was", "wrapped here to a second.", "", "Another one."]
    ):
        page.drawString(72, 720 - 14 * n, line)
    page.showPage()
    page.drawString(72, 700, "Page two.")
    page.save()
    document = parsed("a.pdf", out.getvalue())
    assert document.pages == 2
    assert [(b.kind, b.page) for b in document.blocks] == [
        ("heading", 1),
        ("paragraph", 1),
        ("paragraph", 1),
        ("paragraph", 2),
    ]
    assert document.blocks[1].text == "The first line of a paragraph that was wrapped here to a second."


def test_samples_are_read_and_hold_the_answers_to_their_questions() -> None:
    asked = json.loads((resources.files("pai.samples") / "questions.json").read_text("utf-8"))
    texts = {}
    for path in SAMPLES.iterdir():
        document = parsed(path.name, path.read_bytes())
        assert "fictional" in " ".join(block.text for block in document.blocks)
        texts[path.name] = " ".join(piece.text for piece in chunk(document, "doc", name=path.name))
    assert len(texts) == 9
    for name, questions in asked.items():
        if name != "note":
            for question in questions["answerable"]:
                found = re.search("|".join(question["accept"]), texts[question["document"]], re.IGNORECASE)
                assert found, question


def test_a_table_of_a_pdf_is_read_as_rows() -> None:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

    style = getSampleStyleSheet()["Normal"]
    rows = [("Medicine", "Dose", "When"), ("Furosemide", "40 mg", "in the morning"), ("Metformin", "", "with dinner")]
    text = "Words that run on over the whole line of a page, as a paragraph of a letter does, are no table at all. " * 3
    out = io.BytesIO()
    SimpleDocTemplate(out).build([Paragraph(text, style), Table([list(row) for row in rows]), Paragraph(text, style)])
    blocks = parsed("a.pdf", out.getvalue()).blocks
    assert [block.kind for block in blocks] == ["paragraph", "row", "row", "paragraph"]
    assert blocks[1].text == "Medicine: Furosemide; Dose: 40 mg; When: in the morning"
    assert blocks[2].cells == (("Medicine", "Metformin"), ("When", "with dinner"))
