"""Documents whose text has to be seen: photos, and pages of a PDF that hold a picture of text instead of text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from pai.core.knowledge.ports import DocumentParser
from pai.core.knowledge.values import Block, ParsedDocument
from pai.core.perception.layout import paragraphs
from pai.core.perception.ports import OCR, Senses
from pai.foundation.errors import Invalid, NotFound
from pai.foundation.refs import ModelRef

PICTURES: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "tif": "image/tiff", "tiff": "image/tiff",
}  # fmt: skip
"""Extensions of pictures that are taken in, and their media types."""
_NO_TEXT: Final = "no_text"


@dataclass(frozen=True, slots=True)
class Again:
    """An original that can be read more than once."""

    read: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.read()


@dataclass(frozen=True, slots=True)
class ScanReader:
    """Implements ``DocumentParser``: what ``parser`` finds no text in is looked at. Originals have to be readable twice."""

    parser: DocumentParser
    senses: Senses

    async def parse(self, data: Iterable[bytes], *, name: str, size: int) -> ParsedDocument:
        """Return the document's blocks. Raises as the port says, and as ``Senses.read``."""
        ending = name.rpartition(".")[2].lower()
        if ending in PICTURES:
            return await self._all(data, PICTURES[ending])
        try:
            # What parsed it may have been taken over: it does not say who saw what.
            parsed = dataclasses.replace(await self.parser.parse(data, name=name, size=size), seen_by=None)
        except Invalid as error:
            if error.code != _NO_TEXT or ending != "pdf":
                raise
            return await self._all(data, "application/pdf")
        if ending != "pdf":
            return parsed
        written = {block.page for block in parsed.blocks}
        if not (blank := [page for page in range(1, parsed.pages + 1) if page not in written]):
            return parsed
        try:
            model = await self.senses.model(OCR, "ocr")
        except NotFound:
            return parsed  # there is nothing to look with: what could be read is better than nothing
        return await self._seen(model, data, parsed, blank)

    async def _all(self, data: Iterable[bytes], media_type: str) -> ParsedDocument:
        try:
            model = await self.senses.model(OCR, "ocr")
        except NotFound as error:
            told = "the document holds no text, and no model that reads scans is here"
            raise Invalid(f"{told}: {error.hint}", code=_NO_TEXT, hint=error.hint) from None
        return await self._seen(model, data, ParsedDocument(media_type, 0, ()), ())

    async def _seen(
        self, model: ModelRef, data: Iterable[bytes], parsed: ParsedDocument, only: Sequence[int]
    ) -> ParsedDocument:
        found, pages = list(parsed.blocks), parsed.pages
        async with aclosing(self.senses.read(model.name, data, only=only)) as seen:
            async for page in seen:
                pages = page.of
                found += [Block("paragraph", text, page.number) for text in paragraphs(page)]
        if not found:
            raise Invalid("no text can be seen in it", code=_NO_TEXT, hint="scan it again, sharper or larger")
        found.sort(key=lambda block: block.page)  # stable: within a page the order stays
        return dataclasses.replace(parsed, pages=pages, blocks=tuple(found), seen_by=model)
