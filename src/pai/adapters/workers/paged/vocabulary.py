"""Tokens of a model: text to ids, ids to bytes, and bytes to text as they come."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

_BYTE: Final = re.compile("<0x([0-9A-F]{2})>")


@cache
def _bytes_of_letters() -> dict[str, int]:
    """Return the letters that byte-level tokenisers write bytes as (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


def _written(decoder: Any) -> Callable[[str], bytes]:
    """Return how a token's text becomes bytes, from how the tokeniser itself decodes."""
    told = json.loads(decoder.__getstate__()) if decoder is not None else {}
    kinds = {told.get("type"), *(one.get("type") for one in told.get("decoders", ()))}
    if "ByteLevel" in kinds:
        letters = _bytes_of_letters()
        return lambda text: bytes(letters.get(letter, 63) for letter in text)
    if kinds & {"ByteFallback", "Metaspace"}:
        return _bytes_of_piece
    raise ValueError("this kind of tokeniser is not known")


def _bytes_of_piece(text: str) -> bytes:
    byte = _BYTE.fullmatch(text)
    return bytes([int(byte[1], 16)]) if byte else text.replace("\u2581", " ").encode()


class Vocabulary:
    """A tokeniser that covers all bytes, with its special tokens, from the bytes of a ``tokenizer.json``.

    Two kinds are known: letters that stand for bytes (GPT-2), and texts with bytes as ``<0x0A>`` for what has no token (Llama 2).
    Raises ValueError for others.
    """

    def __init__(self, data: bytes) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_buffer(data)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.model._resize_cache(0)  # noqa: SLF001  it keeps the words that people typed; there is no public way
        added = self._tokenizer.get_added_tokens_decoder()
        self.special = frozenset(token for token, told in added.items() if told.special)
        self.marks = [told.content for told in added.values() if told.special]
        self._plain = {token: told.content.encode() for token, told in added.items()}
        written = _written(self._tokenizer.decoder)
        self.tokens: list[bytes] = []
        for token in range(self._tokenizer.get_vocab_size()):
            self.tokens.append(self._plain.get(token) or written(self._tokenizer.id_to_token(token) or ""))
        start = list(self._tokenizer.encode("").ids)
        self._start = start if len(start) == 1 else []

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; the marks of turns in it become their tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def prompt(self, text: str) -> list[int]:
        """Return the ids of a whole prompt: behind the token that its makers begin every text with, if there is one."""
        found = self.encode(text)
        return found if found[:1] == self._start else [*self._start, *found]

    def bytes_of(self, token: int) -> bytes:
        """Return what a token adds to the text; nothing for the marks of turns."""
        return b"" if token in self.special or token >= len(self.tokens) else self.tokens[token]


class Speech:
    """The text of an answer as its tokens come: whole characters only, and nothing of a stop text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._decoder: Any = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = ""
        """The stop text that was reached."""

    def add(self, data: bytes, *, last: bool = False) -> str:
        """Return what can be said now. What may yet become a stop text is held back until it does not, or until the ``last``."""
        self._held += self._decoder.decode(data, last)
        ends = [(self._held.find(stop), stop) for stop in self._stops if stop in self._held]
        if ends:
            at, self.stopped = min(ends)
            said, self._held = self._held[:at], ""
            return said
        keep = 0 if last else max((_overlap(self._held, stop) for stop in self._stops), default=0)
        said = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return said


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of ``text`` may be the beginning of ``stop``."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-n:])), 0)
