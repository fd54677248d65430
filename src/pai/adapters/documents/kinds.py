"""What kind of file this is: the extension says what it claims to be, the first bytes what it is. Both must agree."""

from __future__ import annotations

from enum import StrEnum

from pai.foundation.errors import Invalid, Unsupported


class Kind(StrEnum):
    """Formats that PAI reads, by media type."""

    TEXT = "text/plain"
    MARKDOWN = "text/markdown"
    HTML = "text/html"
    CSV = "text/csv"
    PDF = "application/pdf"
    WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


EXTENSIONS = {
    "txt": Kind.TEXT, "text": Kind.TEXT, "md": Kind.MARKDOWN, "markdown": Kind.MARKDOWN, "html": Kind.HTML,
    "htm": Kind.HTML,
    "csv": Kind.CSV, "tsv": Kind.CSV, "pdf": Kind.PDF, "docx": Kind.WORD, "xlsx": Kind.WORKBOOK,
}  # fmt: skip
TEXT_KINDS = frozenset({Kind.TEXT, Kind.MARKDOWN, Kind.HTML, Kind.CSV})

ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PDF_MARK = b"%PDF-"
_PDF_WINDOW = 1024  # ISO 32000: readers accept the mark within the first 1024 bytes
_BINARIES = {
    b"MZ": "a Windows program", b"\x7fELF": "a Linux program", b"\xca\xfe\xba\xbe": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7-Zip archive", b"SQLite format 3": "a database",
    OLE: "an old Office file",
    b"BZh": "a bzip2 archive", b"\xfd7zXZ": "an xz archive",
}  # fmt: skip


def kind_of(name: str, head: bytes) -> Kind:
    """Return the kind of a file from its name and its first bytes (at least 1024 of them, if there are so many).

    Raises Unsupported (``unsupported``) for other extensions, Invalid ``wrong_extension`` when content and name
    disagree, ``truncated`` for what is called a PDF and is nothing else that is known, ``encrypted`` for
    password-protected Office files.
    """
    extension = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    kind = EXTENSIONS.get(extension)
    if kind is None:
        known = ", ".join(sorted(EXTENSIONS))
        raise Unsupported(f"files of the type {extension[:20]!r} are not read", hint=f"PAI reads: {known}")
    if kind is Kind.PDF:
        if head.startswith((b"MZ", b"\x7fELF", *ZIP)) or (PDF_MARK not in head[:_PDF_WINDOW] and _binary(head)):
            raise _mismatch(extension, head)
        if PDF_MARK not in head[:_PDF_WINDOW]:
            raise Invalid(
                "the PDF is damaged: the mark that every PDF begins with is missing", code="truncated",
                hint="open it in a PDF viewer; if that fails too, copy it again from its source",
            )  # fmt: skip
    elif kind in {Kind.WORD, Kind.WORKBOOK}:
        if head.startswith(OLE):
            # An OOXML file with a password is an OLE container; so is an old .doc/.xls that was renamed.
            raise Invalid(
                "the file is protected by a password, or an old Office file with a new name", code="encrypted",
                hint="open it in an office program, remove the password and save it as .docx or .xlsx",
            )  # fmt: skip
        if not head.startswith(ZIP):
            raise _mismatch(extension, head)
    elif head.startswith((PDF_MARK, *ZIP)) or _binary(head):
        raise _mismatch(extension, head)
    return kind


def _binary(head: bytes) -> str:
    return next(
        (what for mark, what in _BINARIES.items() if head.startswith(mark) and (mark != b"MZ" or b"\0" in head)), ""
    )


def _mismatch(extension: str, head: bytes) -> Invalid:
    found = "a PDF" if PDF_MARK in head[:_PDF_WINDOW] else "a zip archive" if head.startswith(ZIP) else _binary(head)
    tail = f" but {found}" if found else ""
    return Invalid(
        f"the content is not what the extension .{extension} says{tail}", code="wrong_extension",
        hint="give the file the extension of its real format",
    )  # fmt: skip
