"""Makes the fictional sample documents that ship with PAI: ``python tests/samples/make_samples.py [FOLDER]``.

Everybody and everything in them is invented. The output is committed; run this only to change it.
"""

from __future__ import annotations

import csv
import datetime as dt
import sys
from pathlib import Path

from samples_text import (
    CONTRACT,
    FICTIONAL,
    INVOICES,
    LETTERS,
    PAYMENTS,
    RETENTION_POLICY,
    SILVA_LETTER,
    SUPPLIERS,
    VISITOR_POLICY,
)

DEFAULT = Path(__file__).resolve().parents[2] / "src" / "pai" / "samples" / "documents"
_EPOCH = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)
Section = tuple[str, list[str]]


def make_pdf(path: Path, title: str, sections: list[Section]) -> None:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

    styles = getSampleStyleSheet()
    story: list[object] = [Paragraph(title, styles["Title"]), Paragraph(FICTIONAL, styles["Italic"]), Spacer(1, 12)]
    for heading, paragraphs in sections:
        if heading == "---":
            story.append(PageBreak())
            continue
        story.append(Paragraph(heading, styles["Heading2"]))
        for text in paragraphs:
            story += [Paragraph(text, styles["BodyText"]), Spacer(1, 6)]
    SimpleDocTemplate(str(path), title=title, author="Fictional sample", invariant=1).build(story)


def make_docx(path: Path, title: str, facts: list[tuple[str, str]], sections: list[Section]) -> None:
    from docx import Document

    document = Document()
    document.core_properties.title = title
    document.core_properties.author = "Fictional sample"
    document.core_properties.created = document.core_properties.modified = _EPOCH
    document.add_heading(title, 0)
    document.add_paragraph(FICTIONAL)
    table = document.add_table(rows=0, cols=2)
    for name, value in facts:
        cells = table.add_row().cells
        cells[0].text, cells[1].text = f"{name}:", value
    for heading, paragraphs in sections:
        document.add_heading(heading, 1)
        for text in paragraphs:
            document.add_paragraph(text)
    document.save(str(path))


def make_xlsx(path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.properties.creator = "Fictional sample"
    book.properties.created = book.properties.modified = _EPOCH.replace(tzinfo=None)
    sheet = book.active
    assert sheet is not None
    sheet.title = "Invoices"
    sheet.append([f"Lindenhof Clinic, incoming invoices 2031. {FICTIONAL}"])
    sheet.append(["Invoice", "Supplier", "Description", "Amount EUR", "Issued", "Due", "Status"])
    for number, supplier, what, amount, issued, due, status in INVOICES:
        row = [number, supplier, what, amount, dt.date.fromisoformat(issued), dt.date.fromisoformat(due), status]
        sheet.append(row)
        sheet.cell(sheet.max_row, 4).number_format = "0.00"
    other = book.create_sheet("Suppliers")
    other.append(["Supplier", "Contact", "City", "Payment terms"])
    for entry in SUPPLIERS:
        other.append(list(entry))
    book.save(path)


def make_csv(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Payment", "Patient", "Treatment", "Amount EUR", "Paid on", "Method", "Note"])
        writer.writerows(PAYMENTS)


def make_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, title, facts, sections in LETTERS:
        if name.endswith(".docx"):
            make_docx(folder / name, title, facts, sections)
        else:
            lines = [("", [f"<b>{key}:</b> {value}" for key, value in facts])]
            make_pdf(folder / name, title, [*lines, *sections])
    make_pdf(folder / "cleaning-contract.pdf", "Facility services contract", CONTRACT)
    (folder / "letter-silva.md").write_text(SILVA_LETTER, "utf-8")
    (folder / "retention-policy.html").write_text(RETENTION_POLICY, "utf-8")
    (folder / "visitor-policy.md").write_text(VISITOR_POLICY, "utf-8")
    make_xlsx(folder / "invoices.xlsx")
    make_csv(folder / "payments.csv")


if __name__ == "__main__":
    make_all(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
