"""CTranslate2's ``model.bin``: a specification's name, then variables one after the other, then aliases; little-endian.

Its own loader reads as many bytes of a variable as the file says into a buffer made for the shape that the file says:
here both have to agree. Source: ``python/ctranslate2/specs/model_spec.py`` of the project, binary versions 4 to 6.
"""

from __future__ import annotations

import math
import re
from struct import Struct, unpack
from typing import Final

from pai.adapters.models.formats.headers import Ctranslate2Header, Tensor
from pai.adapters.models.formats.reader import MAX_TENSORS, Reader
from pai.adapters.models.formats.refusals import bad, truncated

_U8: Final = Struct("<B")
_U16: Final = Struct("<H")
_U32: Final = Struct("<I")
_MOST_DIMENSIONS: Final = 8
_LONGEST_NAME: Final = 512
_SMALLEST_VARIABLE: Final = 2 + 2 + 1 + 1 + 4
_SMALLEST_ALIAS: Final = 2 * (2 + 2)
_NAME: Final = re.compile(rb"[A-Za-z0-9_./-]+")
TYPES: Final = (("float32", 4), ("int8", 1), ("int16", 2), ("int32", 4), ("float16", 2), ("bfloat16", 2))
"""Element types by number: name, bytes."""


def read(fd: int) -> Ctranslate2Header:
    """Return the header of a ``model.bin``. Raises Invalid with the reason."""
    reader = Reader(fd)
    if reader.size < 4:
        raise truncated("the file is too short for a CTranslate2 model")
    version = reader.number(_U32)
    if version not in (4, 5, 6):
        raise bad("this is no CTranslate2 model, or of a version that is not supported (4 to 6)")
    specification = _name(reader, "the specification's name")
    revision = reader.number(_U32)
    count = reader.number(_U32)
    reader.expect(count, MAX_TENSORS, _SMALLEST_VARIABLE, "variables")
    tensors: dict[str, Tensor] = {}
    for number in range(count):
        tensor = _variable(reader, number)
        if tensor.name in tensors:
            raise bad(f"variable {number} has the name of another")
        tensors[tensor.name] = tensor
    aliases = _aliases(reader, tensors)
    if reader.left:
        raise bad("the file goes on behind its last alias")
    found = tuple(tensors.values())
    return Ctranslate2Header(
        format="ctranslate2", tensors=found, weight_bytes=sum(tensor.size for tensor in found), version=version,
        specification=specification, revision=revision, aliases=aliases,
    )  # fmt: skip


def _name(reader: Reader, what: str) -> str:
    length = reader.number(_U16)
    if not 2 <= length <= _LONGEST_NAME:
        raise bad(f"{what} is empty or longer than {_LONGEST_NAME} bytes")
    text = reader.take(length)
    if text[-1:] != b"\0" or not _NAME.fullmatch(text[:-1]):
        raise bad(f"{what} does not end as a name does, or holds other characters")
    return text[:-1].decode("ascii")


def _variable(reader: Reader, number: int) -> Tensor:
    name = _name(reader, f"the name of variable {number}")
    dimensions = reader.number(_U8)
    if dimensions > _MOST_DIMENSIONS:
        raise bad(f"variable {number} has more than {_MOST_DIMENSIONS} dimensions")
    shape = unpack(f"<{dimensions}I", reader.take(4 * dimensions))
    kind = reader.number(_U8)
    if kind >= len(TYPES):
        raise bad(f"variable {number} is of a type that is not known")
    size = reader.number(_U32)
    word, width = TYPES[kind]
    if math.prod(shape) * width != size:
        raise bad(f"variable {number} has another size than its type and dimensions say")
    if size > reader.left:
        raise truncated(f"variable {number} lies outside the file")
    offset = reader.position
    reader.skip(size)
    return Tensor(name, shape, word, offset, size)


def _aliases(reader: Reader, tensors: dict[str, Tensor]) -> int:
    count = reader.number(_U32)
    reader.expect(count, MAX_TENSORS, _SMALLEST_ALIAS, "aliases")
    names: set[str] = set()
    for number in range(count):
        alias, target = _name(reader, f"alias {number}"), _name(reader, f"the target of alias {number}")
        if alias in names or alias in tensors:
            raise bad(f"alias {number} has the name of another")
        if target not in tensors:
            raise bad(f"alias {number} stands for nothing")
        names.add(alias)
    return count
