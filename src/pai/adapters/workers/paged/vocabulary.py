"""Tokens of a model: text to ids, ids to bytes, and bytes to text as they come."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from functools import cache
from typing import Any


@cache
def _bytes_of_letters() -> dict[str, int]:
    """Return the letters that byte-level tokenisers write bytes as (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


class Vocabulary:
    """A byte-level BPE tokeniser with its special tokens, from the bytes of a ``tokenizer.json``."""

    def __init__(self, data: bytes) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_buffer(data)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.model._resize_cache(0)  # noqa: SLF001  it keeps the words that people typed; there is no public way
        added = self._tokenizer.get_added_tokens_decoder()
        self.special = frozenset(token for token, told in added.items() if told.special)
        self._plain = {token: told.content.encode() for token, told in added.items()}
        letters = _bytes_of_letters()
        self.tokens: list[bytes] = []
        for token in range(self._tokenizer.get_vocab_size()):
            text = self._tokenizer.id_to_token(token) or ""
            self.tokens.append(self._plain.get(token) or bytes(letters.get(letter, 63) for letter in text))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; the marks of turns in it become their tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

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
