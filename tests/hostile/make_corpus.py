"""Makes hostile and broken documents, each named after what it proves: ``python tests/hostile/make_corpus.py FOLDER``.

Nothing is downloaded and nothing big is written: bombs are small until something unpacks them.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)


def pdf(pages: int, text: str = "A page of a hostile corpus.") -> bytes:
    """Return a plain PDF with a correct cross-reference table; pages share one content stream."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, b" ".join(b"%d 0 R" % (n + 5) for n in range(pages))),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, 2)
    offsets = []
    for number, body in enumerate([*objects, *[page] * pages], 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, start))
    return out.getvalue()


def encrypted_pdf() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    page = canvas.Canvas(out, encrypt=StandardEncryption("a password", "another", strength=128))
    page.drawString(72, 720, "secret")
    page.save()
    return out.getvalue()


def archive(parts: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return out.getvalue()


def word(document: str | bytes, **parts: bytes | str) -> bytes:
    relations = (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
        "</Relationships>"
    )
    return archive(
        {"[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": relations, "word/document.xml": document, **parts}
    )


def lying_sizes_docx() -> bytes:
    """A bomb whose directory says that it is small."""
    data = bytearray(word(b"<a>" + b"A" * 40_000_000 + b"</a>"))
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"word/document.xml"))
    struct.pack_into("<I", data, at + 24, 1000)
    return bytes(data)


def huge_cell_xlsx() -> bytes:
    """A cell far beyond what the format allows (32,767 characters); office libraries write no such file, so a part
    is replaced."""
    from openpyxl import Workbook

    letters = random.Random(1)  # a fixed text that does not compress like a bomb, not a secret
    text = "".join(letters.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(300_000))
    out = io.BytesIO()
    book = Workbook()
    book.worksheets[0].append(["Name", "Note"])
    book.worksheets[0].append(["a", "marker"])
    book.save(out)
    with zipfile.ZipFile(out) as file:
        parts: dict[str, bytes | str] = {entry.filename: file.read(entry) for entry in file.infolist()}
    return archive(
        {name: bytes(data).replace(b"marker", text.encode()) for name, data in parts.items() if isinstance(data, bytes)}
    )


def many_rows_csv() -> bytes:
    return b"a,b,c,d\n" + b"1,2,3,4\n" * 600_000


XXE = (
    '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p>'
    "</w:body></w:document>"
)
LAUGHS = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "' + "&a;" * 100 + '">]><l>&b;</l>'
PLAIN = '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body/></w:document>'
WORKBOOK = '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'


def corpus() -> dict[str, tuple[str, Callable[[], bytes]]]:
    """Return file name -> (code it is refused with, its bytes)."""
    return {
        "truncated.pdf": ("truncated", lambda: pdf(3)[:700]),
        "cut-at-the-tail.pdf": ("truncated", lambda: pdf(200)[:-2600]),
        "encrypted.pdf": ("encrypted", encrypted_pdf),
        "20000-pages.pdf": ("too_many_pages", lambda: pdf(20_000)),
        "no-text.pdf": ("no_text", lambda: pdf(1, "")),
        "exe-named.pdf": ("wrong_extension", lambda: b"MZ\x90\x00" + b"\0" * 200 + b"This program cannot be run in DOS mode"),
        "exe-with-pdf-mark.pdf": ("wrong_extension", lambda: b"MZ\x90\x00" + b"\0" * 60 + pdf(1)),
        "without-mark.pdf": ("truncated", lambda: b"scrambled on the way " * 40),
        "docx-named.pdf": ("wrong_extension", lambda: word(PLAIN)),
        "pdf-named.txt": ("wrong_extension", lambda: pdf(1)),
        "pdf-named.docx": ("wrong_extension", lambda: pdf(1)),
        "zip-named.csv": ("wrong_extension", lambda: archive({"a": b"b"})),
        "xlsx-named.docx": ("wrong_extension", lambda: archive({"xl/workbook.xml": WORKBOOK})),
        "plain-zip.docx": ("wrong_extension", lambda: archive({"hello.txt": b"x"})),
        "png-named.html": ("wrong_extension", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64),
        "ole-named.docx": ("encrypted", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
        "zip-bomb.docx": ("zip_bomb", lambda: word(PLAIN, **{"word/bomb.xml": b"A" * 60_000_000})),
        "zip-bomb.xlsx": ("zip_bomb", lambda: archive({"xl/workbook.xml": WORKBOOK, "xl/sharedStrings.xml": b" " * 60_000_000})),
        "many-entries.docx": ("zip_bomb", lambda: word(PLAIN, **{f"word/{n}.bin": b"" for n in range(10_100)})),
        "lying-sizes.docx": ("truncated", lying_sizes_docx),
        "xxe.docx": ("xml_entities", lambda: word(XXE)),
        "xxe-in-relations.docx": ("xml_entities", lambda: word(PLAIN, **{"word/_rels/document.xml.rels": XXE})),
        "xxe-in-odd-part.docx": ("xml_entities", lambda: word(PLAIN, **{"word/theme.bin": XXE})),
        "xxe-utf16.docx": ("xml_entities", lambda: word(XXE.replace("1.0\"?", '1.0" encoding="UTF-16"?').encode("utf-16"))),
        "billion-laughs.xlsx": ("xml_entities", lambda: archive({"xl/workbook.xml": LAUGHS})),
        "broken-xml.docx": ("truncated", lambda: word("<w:document")),
        "missing-parts.xlsx": ("truncated", lambda: archive({"xl/workbook.xml": WORKBOOK})),
        "truncated.docx": ("truncated", lambda: word(PLAIN)[:-40]),
        "flipped-bits.docx": ("truncated", flipped_docx),
        "huge-cell.xlsx": ("too_large", huge_cell_xlsx),
        "many-rows.csv": ("too_large", many_rows_csv),
        "huge-field.csv": ("too_large", lambda: b'a,b\n"' + b"x" * 200_000 + b'",1\n'),
        "unclosed-quote.csv": ("too_large", lambda: b'a,b\n"' + b"1,2\n" * 100_000),
        "empty.txt": ("empty", lambda: b""),
        "only-spaces.md": ("no_text", lambda: b" \n\t\n"),
        "invalid-utf8.txt": ("not_text", lambda: b"caf\xe9 au lait\xff\xfe\n" * 20),
        "nul-bytes.csv": ("not_text", lambda: b"a,b\n1,\x00\n"),
        "deep-nested.html": ("too_deep", lambda: b"<div>" * 200_000 + b"x"),
        "script-only.html": ("no_text", lambda: b"<html><body><script>alert(1)</script><style>p{}</style></body></html>"),
        "program.exe": ("unsupported", lambda: b"MZ\x90\x00"),
        "no-extension": ("unsupported", lambda: b"hello"),
        "macro.docm": ("unsupported", lambda: word(PLAIN)),
    }  # fmt: skip


def flipped_docx() -> bytes:
    data = bytearray(word(PLAIN + "<!--" + "padding " * 50 + "-->"))
    at = data.find(b"word/document.xml") + len("word/document.xml") + 20
    data[at] ^= 0xFF
    return bytes(data)


def write_corpus(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (_, make) in corpus().items():
        path = folder / name
        path.write_bytes(make())
        paths.append(path)
    return paths


if __name__ == "__main__":
    for made in write_corpus(Path(sys.argv[1])):
        print(made)
