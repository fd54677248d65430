"""Reading the requests of a batch out of a file, in bounded pieces, and telling what is wrong with which line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pai.core.files.values import BatchLine, WrongLine
from pai.foundation.ids import new_id

MOST_LINES: Final = 50_000
MOST_LINE_BYTES: Final = 4 << 20
MOST_WRONG: Final = 50
"""Wrong lines that are told; reading ends with the last of them."""
_PIECE_LINES: Final = 500
_PIECE_CHARACTERS: Final = 4 << 20
_CUSTOM_ID: Final = re.compile(r"[^\x00-\x1f\x7f]{1,512}\Z")


class _Wrong(Exception):
    """A line that cannot be asked."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


@dataclass(slots=True)
class BatchReading:
    """Requests that are read for an endpoint. ``wrong`` fills while ``pieces`` is taken."""

    endpoint: str
    wrong: list[WrongLine] = field(default_factory=list)
    total: int = 0
    _names: set[str] = field(default_factory=set)

    def pieces(self, data: Iterable[bytes]) -> Iterator[list[BatchLine]]:
        """Yield the requests a few at a time. Once a line was wrong, none are: such a file is refused whole."""
        held: list[BatchLine] = []
        size = 0
        for number, raw in enumerate(self._split(data), 1):
            try:
                found = self._line(raw) if raw is not None else None
            except _Wrong as wrong:
                held = []
                self.wrong.append(WrongLine(number, wrong.code, wrong.why))
                if len(self.wrong) >= MOST_WRONG or wrong.code == "too_many_lines":
                    return
                continue
            if found is None or self.wrong:
                continue
            held.append(found)
            size += len(found.body)
            if len(held) >= _PIECE_LINES or size >= _PIECE_CHARACTERS:
                yield held
                held, size = [], 0
        if not self.total and not self.wrong:
            self.wrong.append(WrongLine(0, "empty_file", "the file holds no request"))
        if held:
            yield held

    def _split(self, data: Iterable[bytes]) -> Iterator[bytes | None]:
        """Yield the lines, None for one that is longer than it may be: it is never held whole."""
        held, over = bytearray(), False
        for piece in data:
            *whole, rest = piece.split(b"\n")
            for end in whole:
                held += end
                yield self._bounded(held, over=over)
                held, over = bytearray(), False
            held += rest
            if len(held) > MOST_LINE_BYTES:
                held, over = bytearray(), True
        if held or over:
            yield self._bounded(held, over=over)

    def _bounded(self, held: bytearray, *, over: bool) -> bytes:
        # A line that is too long is told by its own marker: a byte that no JSON begins with.
        return b"\xff" if over or len(held) > MOST_LINE_BYTES else bytes(held)

    def _line(self, raw: bytes) -> BatchLine | None:
        if not raw.strip():
            return None
        if raw == b"\xff":
            raise _Wrong("line_too_long", f"a line has at most {MOST_LINE_BYTES >> 20} MB of JSON")
        if self.total >= MOST_LINES:
            raise _Wrong("too_many_lines", f"a batch has at most {MOST_LINES} requests")
        told, body = _decoded(raw)
        if told.get("method") != "POST":
            raise _Wrong("invalid_method", "the method is POST")
        if told.get("url") != self.endpoint:
            raise _Wrong("invalid_url", f"the url is the batch's endpoint, {self.endpoint}")
        name = told.get("custom_id")
        if not isinstance(name, str) or not _CUSTOM_ID.match(name) or not _is_text(name):
            raise _Wrong("invalid_custom_id", "custom_id is a text of 1 to 512 printable characters")
        if name in self._names:
            raise _Wrong("duplicate_custom_id", "this custom_id was used before")
        if told["body"].get("stream"):
            raise _Wrong("stream_not_supported", "a batch cannot stream")
        self._names.add(name)
        self.total += 1
        return BatchLine(self.total - 1, name, body, new_id("req"))


def _decoded(raw: bytes) -> tuple[Mapping[str, Any], str]:
    """Return a line's object, and its body as JSON again: what JSON cannot say strictly is refused here, not when its turn comes."""
    try:
        told = json.loads(raw.decode())
        body = told.get("body") if isinstance(told, dict) else None
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        raise _Wrong("invalid_json_line", "the line is no JSON object in UTF-8") from None
    if not isinstance(told, dict):
        raise _Wrong("invalid_json_line", "the line is no JSON object in UTF-8")
    if not isinstance(body, dict):
        raise _Wrong("missing_body", "the body is a JSON object")
    return told, text


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
