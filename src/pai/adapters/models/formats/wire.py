"""Protobuf's wire format, read forward over a file and told field by field; nothing is built from it.

A message is its fields up to an end; a field of fields is entered or passed over. What a native parser would merge,
ignore or take twice is refused, so that both cannot come to mean different things by the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pai.adapters.models.formats.reader import WINDOW, Reader, decoded
from pai.adapters.models.formats.refusals import bad, truncated

_MOST_FIELDS: Final = 4_000_000
_LONGEST_TEXT: Final = 4096
_VARINT, _BYTES = 0, 2
_GOES_ON: Final = bytes(range(128, 256))
_WIDTHS: Final = {1: 8, 5: 4}
_MOST_TEXT_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may be: its name, its wire type, and whether it may come more than once (then numbers may be packed)."""

    name: str
    wire: int
    repeated: bool = False


Fields = Mapping[int, Kind]


class Wire:
    """Reads messages of one file. Fields and texts of all messages together are bounded, and so are time and memory."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._fields = 0
        self._text = 0

    def fields(self, known: Fields, end: int) -> Iterator[tuple[str, int, int]]:
        """Yield name, number and end of each field up to ``end``; the number is -1 for what is none, or is packed.

        The caller reads the inside of a field, or leaves it. Raises Invalid for a field that is unknown, of another wire
        type, there twice, or longer than its message.
        """
        reader, seen = self.reader, set[int]()
        while (at := reader.position) < end:
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise bad("the file has more parts than any model needs")
            tag = reader.varint()
            number, wire = tag >> 3, tag & 7
            kind = known.get(number)
            if kind is None:
                raise bad("a part of the file has a field that its format does not know")
            if kind.wire != wire and not (kind.repeated and wire == _BYTES):  # else packed
                raise bad("a field has another type than its format says")
            if not kind.repeated:
                if number in seen:
                    raise bad("a field is there twice")
                seen.add(number)
            value = reader.varint() if wire in (_VARINT, _BYTES) else _WIDTHS[wire]
            stop = reader.position + (0 if wire == _VARINT else value)
            if stop > end:
                raise self._beyond(stop)
            yield kind.name, value if wire == _VARINT else -1, stop
            reader.seek(stop)
        if at != end:
            raise self._beyond(at)

    def count(self, stop: int, width: int) -> int:
        """Return how many numbers are packed up to ``stop``: of ``width`` bytes each, or of variable length (0)."""
        length = stop - self.reader.position
        if width:
            if length % width:
                raise bad("a list of numbers ends inside one")
            return length // width
        found, last = 0, b"\0"
        while (left := stop - self.reader.position) > 0:
            last = self.reader.take(min(left, WINDOW))
            found += len(last.translate(None, _GOES_ON))
        if last[-1] > 127:
            raise bad("a list of numbers ends inside one")
        return found

    def text(self, stop: int, what: str) -> str:
        """Return the text of a field that ends at ``stop``. Raises Invalid when it is long, or no UTF-8."""
        length = stop - self.reader.position
        self._text += length
        if length > _LONGEST_TEXT or self._text > _MOST_TEXT_BYTES:
            raise bad(f"{what} is too long, or all names together are")
        return decoded(self.reader.take(length), what)

    def _beyond(self, stop: int) -> Exception:
        if stop > self.reader.size:
            return truncated("the file ends before what its parts speak of")
        return bad("a part of the file is longer than what holds it")
