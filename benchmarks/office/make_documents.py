"""Makes the documents of the office sets: ``python benchmarks/office/make_documents.py FOLDER [later | visitor | errand]``.

Everybody and everything in them is invented. Genres that people keep: letters with a medication table, a form, minutes, a contract,
price lists, appointments, a letter in German, a policy.
"""

from __future__ import annotations

import csv
import datetime as dt
import sys
from pathlib import Path

import errand_text as errand
import later_text as later
import visitor_care as care
import visitor_home as home
import visitor_law as law
from office_text import APPOINTMENTS, BRIEF, CONTRACT, EXPENSES, MINUTES, PRICES, REPORT, SOLBERG

_EPOCH = dt.datetime(2031, 1, 1)  # noqa: DTZ001  workbooks keep times without a zone


def make_pdf(path: Path, title: str, content: list[tuple[str, object]]) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

    styles = getSampleStyleSheet()
    story: list[object] = []
    for kind, text in content:
        if kind == "page":
            story.append(PageBreak())
        elif kind == "table":
            story += [Table([list(row) for row in text]), Spacer(1, 12)]
        else:
            story += [Paragraph(str(text), styles[kind]), Spacer(1, 8)]
    SimpleDocTemplate(str(path), pagesize=A4, title=title, author="Fictional", invariant=1).build(story)


def make_word(path: Path, content: list[tuple[str, object]]) -> None:
    from docx import Document

    document = Document()
    document.core_properties.created = document.core_properties.modified = _EPOCH
    for kind, text in content:
        if kind == "form":
            table = document.add_table(rows=0, cols=2)
            for name, value in text:  # type: ignore[attr-defined]
                cells = table.add_row().cells
                cells[0].text, cells[1].text = name, value
        elif kind.startswith("h"):
            document.add_heading(str(text), int(kind[1:]))
        else:
            document.add_paragraph(str(text), style="List Bullet" if kind == "item" else None)
    document.save(str(path))


def make_workbook(path: Path, sheets: dict[str, list[tuple[object, ...]]]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.created = book.properties.modified = _EPOCH
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
            for cell in sheet[sheet.max_row]:
                cell.number_format = "0.00" if isinstance(cell.value, float) else cell.number_format
    book.save(path)


def make_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def make_all(folder: Path) -> None:
    make_pdf(folder / "discharge-solberg.pdf", "Discharge letter", SOLBERG)
    make_word(folder / "report-aziz.docx", REPORT)
    make_word(folder / "laundry-contract.docx", CONTRACT)
    make_workbook(folder / "price-list.xlsx", PRICES)
    make_csv(folder / "appointments.csv", APPOINTMENTS)
    (folder / "minutes-april.md").write_text(MINUTES, "utf-8")
    (folder / "brief-hausverwaltung.txt").write_text(BRIEF, "utf-8")
    (folder / "expenses.html").write_text(EXPENSES, "utf-8")


def make_later(folder: Path) -> None:
    """Written after the rules, to see what they are worth elsewhere."""
    make_word(folder / "employment-contract.docx", later.EMPLOYMENT)
    make_pdf(folder / "garage-invoice.pdf", "Invoice", later.GARAGE)
    make_workbook(folder / "equipment.xlsx", later.EQUIPMENT)
    make_csv(folder / "courses.csv", later.COURSES)
    (folder / "school-trip.md").write_text(later.TRIP, "utf-8")
    (folder / "arztbrief.txt").write_text(later.ARZTBRIEF, "utf-8")


def make_visitor(folder: Path) -> None:
    """Three small worlds in one folder, written by someone who had not seen the rules."""
    make_word(folder / "letter-pym.docx", care.PYM)
    make_pdf(folder / "letter-quill.pdf", "Letter", care.QUILL)
    (folder / "mail-two-clients.txt").write_text(care.MAIL, "utf-8")
    (folder / "noticeboard.txt").write_text(care.NOTICEBOARD, "utf-8")
    make_workbook(folder / "medication-and-clients.xlsx", care.MEDICATION)
    (folder / "client-handbook.md").write_text(care.HANDBOOK, "utf-8")
    make_csv(folder / "supply-orders.csv", care.SUPPLIES)

    make_word(folder / "lease-farrow.docx", law.LEASE)
    make_pdf(folder / "rent-reminders.pdf", "Reminders", law.REMINDERS)
    (folder / "mahnung-kessler.txt").write_text(law.MAHNUNG, "utf-8")
    make_word(folder / "verguetung-halden.docx", law.FEES)
    make_workbook(folder / "invoices-2031.xlsx", law.INVOICES)
    (folder / "deadlines.txt").write_text(law.DEADLINES, "utf-8")
    (folder / "office-meeting.html").write_text(law.MINUTES, "utf-8")

    make_pdf(folder / "household-insurance.pdf", "Policy", home.POLICY)
    make_word(folder / "school-letter.docx", home.SCHOOL)
    make_csv(folder / "club-members.csv", home.MEMBERS)
    make_word(folder / "club-statutes.docx", home.STATUTES)
    (folder / "tolvanna-trip.md").write_text(home.TRIP, "utf-8")
    (folder / "washing-machine.txt").write_text(home.WARRANTY, "utf-8")
    (folder / "electricity-bill.html").write_text(home.BILL, "utf-8")


def make_errand(folder: Path) -> None:
    """A workshop, a choir and a cabin, for questions of days, debts, counts and steps."""
    make_workbook(folder / "repairs.xlsx", errand.REPAIRS)
    make_word(folder / "workshop-handbook.docx", errand.HANDBOOK)
    make_csv(folder / "rehearsals.csv", errand.REHEARSALS)
    (folder / "choir.md").write_text(errand.CHOIR, "utf-8")
    (folder / "cabin.txt").write_text(errand.CABIN, "utf-8")
    make_csv(folder / "stays.csv", errand.STAYS)
    make_pdf(folder / "cabin-insurance.pdf", "Policy", errand.INSURER)


_SETS = {"": make_all, "later": make_later, "visitor": make_visitor, "errand": make_errand}

if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    _SETS[" ".join(sys.argv[2:])](target)
