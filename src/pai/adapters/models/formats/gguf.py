"""GGUF (versions 2 and 3, little-endian): metadata, then a list of tensors, then their data, each at its alignment.

Every number that a native loader multiplies, allocates or adds by is bounded here first. Source: ``docs/gguf.md`` of the
ggml project, and the rules of its own loader, which this one is never looser than.
"""

from __future__ import annotations

import math
import re
from struct import Struct, unpack
from typing import Final

from pai.adapters.models.formats import gguf_metadata
from pai.adapters.models.formats.gguf_metadata import Metadata
from pai.adapters.models.formats.headers import GgufHeader, Tensor
from pai.adapters.models.formats.reader import MAX_TENSORS, Reader, decoded
from pai.adapters.models.formats.refusals import bad, truncated, unsafe

_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")
_SMALLEST_TENSOR: Final = 8 + 1 + 4 + 8 + 4 + 8
_SMALLEST_PAIR: Final = 8 + 1 + 4 + 1
_MOST_PAIRS: Final = 10_000
_LONGEST_NAME: Final = 63  # GGML_MAX_NAME with its NUL is 64
_MOST_DIMENSIONS: Final = 4
_MOST_BLOCKS: Final = 512  # LLAMA_MAX_LAYERS
_LARGEST_ALIGNMENT: Final = 1 << 16
_LARGEST_WIDTH: Final = 1 << 24
_ARCHITECTURE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}", re.ASCII)

TYPES: Final[dict[int, tuple[str, int, int]]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}  # fmt: skip
"""ggml's types: number -> name, weights per block, bytes per block."""


def read(fd: int) -> GgufHeader:
    """Return the header of a GGUF file. Raises Invalid with the reason."""
    reader = Reader(fd)
    version, tensors, pairs = _beginning(reader)
    metadata = gguf_metadata.read(reader, pairs)
    alignment = _alignment(metadata)
    infos = _infos(reader, tensors)
    found, end = _placed(infos, reader, alignment)
    if reader.size - end >= alignment:
        raise bad("the file goes on behind its last tensor")
    vocabulary = gguf_metadata.vocabulary(metadata)
    return _header(version, metadata, found, (vocabulary, gguf_metadata.marks(fd, metadata)))


def _beginning(reader: Reader) -> tuple[int, int, int]:
    if reader.size < 24:
        raise truncated("the file is too short for a GGUF header")
    if reader.take(4) != b"GGUF":
        raise bad("this is not a GGUF file: it does not begin as one")
    version = reader.number(_U32)
    if version not in (2, 3):
        raise bad("this GGUF file has a version or a byte order that is not supported (2 and 3, little-endian)")
    tensors, pairs = reader.number(_U64), reader.number(_U64)
    reader.expect(pairs, _MOST_PAIRS, _SMALLEST_PAIR, "entries of metadata")
    reader.expect(tensors, MAX_TENSORS, _SMALLEST_TENSOR, "tensors")
    return version, tensors, pairs


def _alignment(metadata: Metadata) -> int:
    if "general.alignment" not in metadata.types:
        return 32
    found = metadata.whole("general.alignment")
    if metadata.types["general.alignment"] != gguf_metadata.UINT32:
        raise bad("the alignment has a wrong type")
    if not 8 <= found <= _LARGEST_ALIGNMENT or found & (found - 1):
        raise bad(f"the alignment is no power of two of 8 to {_LARGEST_ALIGNMENT}")
    return found


def _infos(reader: Reader, count: int) -> list[Tensor]:
    """Return the tensors as listed; their offsets still count from the beginning of the data."""
    found: list[Tensor] = []
    names: set[str] = set()
    for number in range(count):
        length = reader.number(_U64)
        if not 1 <= length <= _LONGEST_NAME:
            raise bad(f"the name of tensor {number} is empty or longer than {_LONGEST_NAME} bytes")
        name = decoded(reader.take(length), f"the name of tensor {number}")
        if name in names:
            raise bad(f"tensor {number} has the name of another")
        names.add(name)
        dimensions = reader.number(_U32)
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise bad(f"tensor {number} has no dimension or more than {_MOST_DIMENSIONS}")
        shape = unpack(f"<{dimensions}Q", reader.take(8 * dimensions))
        kind = TYPES.get(reader.number(_U32))
        if kind is None:
            raise bad(f"tensor {number} is of a type that is not known")
        found.append(Tensor(name, shape, kind[0], reader.number(_U64), _bytes(number, shape, kind)))
    return found


def _bytes(number: int, shape: tuple[int, ...], kind: tuple[str, int, int]) -> int:
    _, block, block_bytes = kind
    elements = math.prod(shape)
    if not 1 <= elements < 1 << 62 or max(shape) >= 1 << 62:
        raise bad(f"the dimensions of tensor {number} are zero or their product overflows")
    if shape[0] % block:
        raise bad(f"a row of tensor {number} is no whole number of its type's blocks")
    size = elements // block * block_bytes
    if size >= 1 << 62:
        raise bad(f"the size of tensor {number} overflows")
    return size


def _placed(infos: list[Tensor], reader: Reader, alignment: int) -> tuple[tuple[Tensor, ...], int]:
    """Return the tensors with offsets in the file, and where the last one ends. They follow each other without gap or overlap."""
    data = -(-reader.position // alignment) * alignment
    expected, end, found = 0, data if infos else reader.position, []
    for number, info in enumerate(infos):
        if info.offset != expected:
            raise bad(f"the data of tensor {number} overlaps, leaves a gap or is not aligned")
        end = data + info.offset + info.size
        if end > reader.size:
            raise truncated(f"the data of tensor {number} lies outside the file")
        expected = -(-(info.offset + info.size) // alignment) * alignment
        found.append(Tensor(info.name, info.shape, info.type, data + info.offset, info.size))
    return tuple(found), end


def _header(
    version: int, metadata: Metadata, tensors: tuple[Tensor, ...], tokens: tuple[int, tuple[str, ...]]
) -> GgufHeader:
    architecture = metadata.text("general.architecture")
    if not _ARCHITECTURE.fullmatch(architecture):
        raise bad("the architecture is not named, or by no word")
    if metadata.whole("split.count") > 1:
        raise unsafe(
            "the model is split over several files, which its loader would look for by name; merge it into one"
        )
    vocabulary, marks = tokens

    def number(key: str, most: int = _LARGEST_WIDTH) -> int:
        found = metadata.whole(f"{architecture}.{key}")
        if found > most:
            raise bad("a size in the metadata is larger than any model has")
        return found

    blocks = number("block_count", _MOST_BLOCKS)
    embedding = number("embedding_length")
    heads = _per_block(metadata, f"{architecture}.attention.head_count", blocks)
    kv_heads = _per_block(metadata, f"{architecture}.attention.head_count_kv", blocks) or heads
    forward = max(metadata.wholes(f"{architecture}.feed_forward_length"), default=0)
    width = embedding // heads[0] if heads and heads[0] else 0
    return GgufHeader(
        format="gguf", tensors=tensors, weight_bytes=sum(tensor.size for tensor in tensors), version=version,
        architecture=architecture, name=metadata.text("general.name"), context_length=number("context_length", 1 << 30),
        blocks=blocks, embedding_length=embedding, feed_forward_length=forward,
        heads=heads, kv_heads=kv_heads, key_length=number("attention.key_length") or width,
        value_length=number("attention.value_length") or width, sliding_window=number("attention.sliding_window", 1 << 30),
        experts=number("expert_count"), rope_dimensions=number("rope.dimension_count"),
        rope_base=metadata.real(f"{architecture}.rope.freq_base"), rope_scaling=metadata.text(f"{architecture}.rope.scaling.type"),
        vocabulary=vocabulary or number("vocab_size", 1 << 30), tokenizer=metadata.text("tokenizer.ggml.model"),
        pretokenizer=metadata.text("tokenizer.ggml.pre"), chat_template=metadata.text("tokenizer.chat_template"),
        marks=marks,
        file_type=metadata.whole("general.file_type") if "general.file_type" in metadata.types else None,
    )  # fmt: skip


def _per_block(metadata: Metadata, key: str, blocks: int) -> tuple[int, ...]:
    """Return one number per block, given once or as a list of at least as many as there are blocks."""
    found = metadata.wholes(key)
    if any(value > 1 << 16 for value in found):
        raise bad("a number of heads in the metadata is larger than any model has")
    if len(found) == 1 and metadata.types[key] != gguf_metadata.ARRAY:
        return found * blocks
    if found and len(found) != blocks:
        raise bad("the metadata lists heads for another number of blocks than there are")
    return found
