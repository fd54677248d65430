"""The key and value pairs of a GGUF file. Only small values are kept; lists of tokens are measured and passed over."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from struct import Struct, unpack
from typing import Final

from pai.adapters.models.formats.reader import Reader, decoded
from pai.adapters.models.formats.refusals import bad, truncated

UINT32: Final = 4
ARRAY: Final = 9
_BOOL: Final = 7
_STRING: Final = 8
_FLOATS: Final = (6, 12)
_FORMS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_SIZES: Final = {kind: Struct("<" + form).size for kind, form in _FORMS.items()}
_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")
_KEY: Final = re.compile(rb"[!-~]{1,256}")
_LONGEST_TEXT: Final = 64 << 20  # some files carry a whole tokeniser as one text
_LONGEST_KEPT: Final = 1 << 20
_LONGEST_ITEM: Final = 1 << 16
_MOST_ITEMS: Final = 1 << 24
_MOST_KEPT: Final = 1024
_NO_TOKEN: Final = (1 << 32) - 1
_TOKENS: Final = "tokenizer.ggml.tokens"
_KINDS: Final = "tokenizer.ggml.token_type"
_PER_TOKEN: Final = {"tokenizer.ggml.scores": (6,), _KINDS: (5, UINT32)}
_MARKING: Final = (2, 3)  # LLAMA_TOKEN_TYPE_UNKNOWN, LLAMA_TOKEN_TYPE_CONTROL
_MOST_MARKS: Final = 10_000
_AT_ONCE: Final = 1 << 16
_WANTED_TEXTS: Final = frozenset(
    {"general.architecture", "general.name", "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.chat_template"}
)
_SUFFIX_OF_WANTED: Final = ".rope.scaling.type"


@dataclass(slots=True)
class Metadata:
    """``types`` has every key; ``items`` the kind and length of every list, ``places`` where its items begin; the others what was
    kept."""

    types: dict[str, int] = field(default_factory=dict)
    items: dict[str, tuple[int, int]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """Return a text; empty when there is none. Raises Invalid for another type."""
        if self.types.get(key, _STRING) != _STRING:
            raise bad("a text in the metadata has a wrong type")
        return self.texts.get(key, "")

    def whole(self, key: str) -> int:
        """Return a whole number of 0 or more; 0 when there is none. Raises Invalid for another type."""
        if key not in self.types:
            return 0
        if self.types[key] == ARRAY:
            raise bad("a number in the metadata has a wrong type")
        (found,) = self.wholes(key)
        return found

    def wholes(self, key: str) -> tuple[int, ...]:
        """Return a whole number or a list of them. Raises Invalid for another type or one below zero."""
        if key not in self.types:
            return ()
        kind = self.items[key][0] if self.types[key] == ARRAY else self.types[key]
        found = self.numbers.get(key)
        if found is None or kind in _FLOATS or kind == _BOOL or any(value < 0 for value in found):
            raise bad("a number in the metadata has a wrong type or is below zero")
        return tuple(int(value) for value in found)

    def real(self, key: str) -> float:
        """Return a number that need not be whole; 0 when there is none. Raises Invalid for another type."""
        if key not in self.types:
            return 0.0
        found = self.numbers.get(key, ())
        if len(found) != 1 or not math.isfinite(found[0]):
            raise bad("a number in the metadata has a wrong type or is not finite")
        return float(found[0])


def read(reader: Reader, pairs: int) -> Metadata:
    """Return the metadata, ``pairs`` entries from here on. Raises Invalid with the reason."""
    found = Metadata()
    for number in range(pairs):
        length = reader.number(_U64)
        key = reader.take(length) if 1 <= length <= 256 else b""
        if not _KEY.fullmatch(key):
            raise bad(f"key {number} of the metadata is empty, longer than 256 bytes or not printable ASCII")
        name = key.decode("ascii")
        if name in found.types:
            raise bad(f"key {number} of the metadata is there twice")
        kind = found.types[name] = reader.number(_U32)
        if kind == _STRING:
            _text(reader, found, name)
        elif kind == ARRAY:
            _list(reader, found, name)
        elif kind in _FORMS:
            found.numbers[name] = _values(reader, kind, 1)
        else:
            raise bad(f"the value of key {number} has a type that does not exist")
    return found


def vocabulary(metadata: Metadata) -> int:
    """Return the number of tokens; 0 without a tokeniser. Raises Invalid when lists about tokens do not agree with it."""
    kind, tokens = metadata.items.get(_TOKENS, (_STRING, 0))
    if kind != _STRING:
        raise bad("the tokens are no list of texts")
    for key, kinds in _PER_TOKEN.items():
        if key in metadata.types and (key not in metadata.items or metadata.items[key][0] not in kinds):
            raise bad("a list about tokens has a wrong type")
        if key in metadata.items and metadata.items[key][1] != tokens:
            raise bad("a list about tokens is not as long as the list of tokens")
    if tokens:
        for key in metadata.types:
            special = key.startswith("tokenizer.ggml.") and key.endswith("_token_id")
            if special and tokens <= metadata.whole(key) < _NO_TOKEN:
                raise bad("a special token lies outside the list of tokens")
    return tokens


def marks(fd: int, metadata: Metadata) -> tuple[str, ...]:
    """Return the tokens that only templates may write: those of the kinds "control" and "unknown", which the engine finds in any text.

    ``metadata`` is of the same file. Raises Invalid when there are more than any model has.
    """
    if not {_TOKENS, _KINDS} <= metadata.items.keys():
        return ()
    reader, count = Reader(fd), metadata.items[_KINDS][1]
    reader.seek(metadata.places[_KINDS])
    wanted: list[int] = []
    for start in range(0, count, _AT_ONCE):
        some = min(_AT_ONCE, count - start)
        wanted += [start + n for n, kind in enumerate(unpack(f"<{some}i", reader.take(4 * some))) if kind in _MARKING]
        if len(wanted) > _MOST_MARKS:
            raise bad(f"the vocabulary has more than {_MOST_MARKS} tokens that only templates may write")
    reader = Reader(fd)
    reader.seek(metadata.places[_TOKENS])
    found, after = [], 0
    for number in wanted:
        reader.skip_texts(number - after, _LONGEST_ITEM)
        length, after = reader.number(_U64), number + 1
        if length > _LONGEST_ITEM:
            raise bad(f"a text in a list is longer than {_LONGEST_ITEM} bytes")
        found.append(reader.take(length).decode("utf-8", "replace"))
    return tuple(found)


def _text(reader: Reader, found: Metadata, name: str) -> None:
    length = reader.number(_U64)
    if length > reader.left:
        raise truncated("the file ends inside a text of its metadata")
    if length > _LONGEST_TEXT:
        raise bad(f"a text in the metadata is longer than {_LONGEST_TEXT >> 20} MB")
    if name in _WANTED_TEXTS or name.endswith(_SUFFIX_OF_WANTED):
        if length > _LONGEST_KEPT:
            raise bad(f"a name or template in the metadata is longer than {_LONGEST_KEPT >> 20} MB")
        found.texts[name] = decoded(reader.take(length), "a text of the metadata")
    else:
        reader.skip(length)


def _list(reader: Reader, found: Metadata, name: str) -> None:
    kind, count = reader.number(_U32), reader.number(_U64)
    if kind != _STRING and kind not in _FORMS:
        raise bad("a list in the metadata holds lists, or a type that does not exist")
    reader.expect(count, _MOST_ITEMS, _SIZES.get(kind, 8), "items in a list of the metadata")
    found.items[name] = (kind, count)
    found.places[name] = reader.position
    if kind == _STRING:
        reader.skip_texts(count, _LONGEST_ITEM)
    elif count <= _MOST_KEPT:
        found.numbers[name] = _values(reader, kind, count)
    else:
        reader.skip(count * _SIZES[kind])


def _values(reader: Reader, kind: int, count: int) -> tuple[float, ...]:
    found = unpack(f"<{count}{_FORMS[kind]}", reader.take(count * _SIZES[kind]))
    if kind == _BOOL and any(value > 1 for value in found):
        raise bad("a truth value in the metadata is neither 0 nor 1")
    return found
