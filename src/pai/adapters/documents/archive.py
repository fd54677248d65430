"""Office files are zip archives of XML: both are checked before any office library sees them."""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.foundation.errors import Invalid, TooLarge

_MAIN_PARTS = {Kind.WORD: "word/document.xml", Kind.WORKBOOK: "xl/workbook.xml"}
_XML_NAMES = (".xml", ".rels", ".vml")
_ENCRYPTED = 0x1
_PROLOGUE = 1 << 16


class _RootReached(Exception):
    """The prologue is over."""


class _PrologueOnly:
    """A parser target that stops at the first element: a document type can stand only before it (XML 1.0, section
    2.8)."""

    def start(self, _tag: str, _attributes: dict[str, str]) -> None:
        """End the reading."""
        raise _RootReached


def checked_archive(file: BinaryIO, kind: Kind, limits: Limits) -> None:
    """Raise Invalid (``truncated``, ``encrypted``, ``zip_bomb``, ``xml_entities``, ``wrong_extension``) or TooLarge.

    Sizes in the directory of a zip can lie; ``zipfile`` reads no more than they say, so their sum is a true bound.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_sizes(entries, limits)
            if any(entry.flag_bits & _ENCRYPTED for entry in entries):
                raise Invalid("the archive is encrypted", code="encrypted", hint="save the file without a password")
            if _MAIN_PARTS[kind] not in archive.namelist():
                raise Invalid(
                    "the content is a zip archive, but not an office file of this extension", code="wrong_extension",
                    hint="give the file the extension of its real format",
                )  # fmt: skip
            for entry in entries:
                _check_part(archive, entry)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, OSError, ValueError):
        raise Invalid(
            "the file is damaged or cut short", code="truncated", hint="copy it again from its source"
        ) from None


def _check_sizes(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise Invalid(f"the archive has more than {limits.entries} parts", code="zip_bomb", hint="split the file")
    unzipped = sum(entry.file_size for entry in entries)
    zipped = max(1, sum(entry.compress_size for entry in entries))
    if unzipped > limits.unzipped or (unzipped > limits.ratio_floor and unzipped > limits.ratio * zipped):
        raise Invalid(
            f"the archive would unpack to {unzipped >> 20} MB, {unzipped // zipped} times its size", code="zip_bomb",
            hint="save the file again in an office program, or split it",
        )  # fmt: skip
    if max((entry.file_size for entry in entries), default=0) > limits.unzipped:
        raise TooLarge("a part of the archive is too large", hint="split the file")


def _check_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    with archive.open(entry) as part:
        head = part.read(_PROLOGUE)
        if not _is_xml(entry.filename, head):
            return
        parser = DefusedXMLParser(target=_PrologueOnly(), forbid_dtd=True)
        try:
            while head:
                parser.feed(head)
                head = part.read(_PROLOGUE)
            parser.close()
        except _RootReached:
            return
        except DefusedXmlException:
            raise Invalid(
                "the file defines XML entities, as attacks do and office programs never do", code="xml_entities",
                hint="do not open this file; ask where it came from",
            ) from None  # fmt: skip
        except ParseError:
            raise Invalid("a part of the file is not well-formed", code="truncated", hint="copy it again") from None


def _is_xml(name: str, head: bytes) -> bool:
    # Any part may be declared as XML by the content types, so the first bytes count as well as the name.
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n\0")
    return name.lower().endswith(_XML_NAMES) or start.startswith((b"<", b"\xff\xfe", b"\xfe\xff"))
