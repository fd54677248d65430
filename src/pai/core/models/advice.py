"""Which models and contexts fit into a machine: how much memory each takes, and what helps when it does not fit.

The sums are those of llama.cpp on a CPU, as PAI runs it: weights stay mapped; matrices of some types are copied into
another order beside them; keys and values of the context as 16-bit numbers; buffers for one batch. The constants were
measured (docs/decisions/0015-memory-estimate.md); a test compares the sum with real workers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pai.core.models.values import Accelerator, Candidate, LanguageShape, Machine, Model, shared_context

MB: Final = 1 << 20
BATCH: Final = 256
"""Tokens of a prompt computed at once (``workers/llama.py``)."""
CONTEXTS: Final = (2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)
_PROGRAM: Final = 34 * MB
_PER_TOKEN_OF_VOCABULARY: Final = 480
_CACHE_NUMBER: Final = 2  # bytes, float16
_REPACKED: Final[Mapping[str, frozenset[str]]] = {
    "AVX2": frozenset({"Q4_0", "Q4_K", "IQ4_NL"}),
    "AVX-512": frozenset({"Q2_K"}),
    "AMX-INT8": frozenset({"Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"}),
    "DOTPROD": frozenset({"Q4_0", "Q4_K", "IQ4_NL", "Q5_K", "Q6_K", "Q8_0"}),
}
"""Element types that the engine copies into another order, by what the processor can do. Measured for AVX2 and AVX-512."""
_QUANTISATIONS: Final = (("Q8_0", 8.5), ("Q6_K", 6.6), ("Q5_K_M", 5.7), ("Q4_K_M", 4.9), ("Q3_K_M", 3.9), ("Q2_K", 3.4))
"""Name, and bits per weight as files of common models come out."""
_OF_FILE_TYPE: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip
_NOT_PLAIN: Final = frozenset(
    {"mamba", "mamba2", "rwkv6", "rwkv7", "jamba", "deepseek2", "falcon-h1", "granitehybrid", "plamo2"}
)
"""Architectures that keep a state, or a compressed cache, where others keep keys and values."""
_FACTORS: Final[Mapping[str, tuple[float, int]]] = {
    "openvino": (2.4, 500 * MB), "transformers": (2.1, 600 * MB), "echo": (0.0, 150 * MB),
}  # fmt: skip
_BYTES_PER_TOKEN: Final = 1 << 15
"""Keys and values of one token, for models of up to some billions of weights."""
_GRAPHICS_PROGRAM: Final = 600 * MB
_SHARED: Final = "shared"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a loaded model takes, in bytes. ``copied`` weights are there twice; the mapped half may leave memory again."""

    weights: int
    copied: int
    cache: int
    buffers: int
    program: int

    @property
    def total(self) -> int:
        """What is resident while memory is plentiful."""
        return self.weights + self.copied + self.cache + self.buffers + self.program

    @property
    def least(self) -> int:
        """What has to stay resident for full speed."""
        return self.total - self.copied


@dataclass(frozen=True, slots=True)
class Split:
    """Blocks of a model in a graphics processor's memory, the others in RAM. Bytes of each side, caches included."""

    accelerator: str
    blocks: int
    of: int
    graphics: int
    ram: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """A model on this machine. ``fits`` is ``yes``, ``tight`` (parts are read from disk again when memory is short), ``no`` or
    ``unknown``; ``longest_context`` fits (0: none); ``load_seconds`` None when the disk was not measured."""

    name: str
    installed: bool
    quantisation: str
    memory: Memory | None
    fits: str
    contexts: Mapping[int, str]
    longest_context: int
    load_seconds: float | None
    splits: tuple[Split, ...]
    advice: tuple[str, ...]


def shape_of(header: Mapping[str, Any]) -> LanguageShape:
    """Return the shape of a language model from the header of its GGUF file (as the model check tells it)."""
    tensors = header["tensors"]
    names = {tensor["name"] for tensor in tensors}
    matrices: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for tensor in tensors:
        name, shape = tensor["name"], tensor["shape"]
        if name.startswith("blk."):
            number = name.split(".")[1]
            blocks[number] = blocks.get(number, 0) + tensor["size"]
        looked_up = name == "token_embd.weight" and "output.weight" in names
        if len(shape) > 1 and shape[1] % 8 == 0 and not looked_up:
            matrices[tensor["type"]] = matrices.get(tensor["type"], 0) + tensor["size"]
    per_head = header["key_length"] + header["value_length"]
    return LanguageShape(
        architecture=header["architecture"],
        quantisation=_OF_FILE_TYPE.get(header["file_type"] or 0, "other")
        if header["file_type"] is not None
        else "other",
        parameters=sum(_product(tensor["shape"]) for tensor in tensors),
        context_length=header["context_length"],
        blocks=header["blocks"],
        embedding_length=header["embedding_length"],
        feed_forward_length=header["feed_forward_length"],
        vocabulary=header["vocabulary"],
        cache_numbers=sum(heads * per_head for heads in header["kv_heads"]),
        weight_bytes=header["weight_bytes"],
        block_bytes=max(blocks.values(), default=0),
        matrices=matrices,
        bounded=bool(header["sliding_window"]) or header["architecture"] in _NOT_PLAIN,
    )


def memory_of(shape: LanguageShape, instructions: Collection[str], context_length: int, parallel: int) -> Memory:
    """Return what a model takes at ``context_length`` tokens for each of ``parallel`` answers."""
    pool = shared_context(context_length, parallel)
    types = frozenset[str]().union(*(_REPACKED[name] for name in instructions if name in _REPACKED))
    return Memory(
        weights=shape.weight_bytes,
        copied=sum(size for kind, size in shape.matrices.items() if kind in types),
        cache=shape.cache_numbers * _CACHE_NUMBER * pool,
        buffers=BATCH * (4 * (2 * shape.feed_forward_length + 8 * shape.embedding_length) + 2 * pool)
        + parallel * shape.vocabulary * 4,
        program=_PROGRAM + shape.vocabulary * _PER_TOKEN_OF_VOCABULARY,
    )


def estimate(
    instructions: Collection[str], model: Model, header: Mapping[str, Any] | None, context_length: int, parallel: int
) -> int:
    """Return the bytes that a loaded model takes with its engine. Only GGUF headers tell enough for a sum; for other forms it is
    a factor of the files' size (as mapped, and as the engine lays them out), the contexts, and what the engine itself takes."""
    if header is not None and model.engine == "llama.cpp":
        beside = 2 * sum(file.size for file in model.files[1:])  # what a model sees by, and its buffers
        return memory_of(shape_of(header), instructions, context_length, parallel).total + beside
    factor, engine = _FACTORS.get(model.engine, (3.0, 150 * MB))
    pool = shared_context(context_length, parallel) if model.task == "chat" else 0
    return int(model.size * factor) + engine + pool * _BYTES_PER_TOKEN


def budget(machine: Machine) -> int:
    """Return the bytes that one model may take: what is available and what engines give back, less a reserve of a tenth
    of all memory and at least 1 GB for the system, documents being parsed and a passphrase being checked."""
    return max(0, machine.available + machine.held - max(1024 * MB, machine.memory // 10))


def advise(
    machine: Machine, candidates: Iterable[Candidate], context_length: int, parallel: int
) -> tuple[Assessment, ...]:
    """Return an assessment of each candidate: those that are installed first, each kind by size."""
    ordered = sorted(candidates, key=lambda one: (not one.installed, one.size, one.name))
    room = budget(machine)
    fitting = [
        one.name
        for one in ordered
        if one.shape is not None and memory_of(one.shape, machine.instructions, context_length, parallel).least <= room
    ]
    return tuple(_assess(machine, one, context_length, parallel, fitting) for one in ordered)


def _assess(machine: Machine, one: Candidate, context_length: int, parallel: int, fitting: Sequence[str]) -> Assessment:
    if one.shape is None:
        seconds = _seconds(machine, one.size, 0)
        return Assessment(one.name, one.installed, "", None, "unknown", {}, 0, seconds, (), (one.unknown,))
    shape, room = one.shape, budget(machine)
    wanted = min(context_length, shape.context_length or context_length)
    memory = memory_of(shape, machine.instructions, wanted, parallel)
    fits = _fits(memory, room)
    contexts = {
        length: _fits(memory_of(shape, machine.instructions, length, parallel), room)
        for length in CONTEXTS
        if length <= (shape.context_length or length)
    }
    splits = tuple(split for found in machine.accelerators if (split := split_of(shape, memory, found)) is not None)
    longest = max((length for length, told in contexts.items() if told != "no"), default=0)
    advice = (
        _advice(machine, shape, wanted, parallel, longest, [name for name in fitting if name != one.name])
        if fits != "yes"
        else ()
    )
    if shape.bounded:
        advice = (*advice, "the estimate is an upper bound: this architecture may keep less than its whole context")
    seconds = _seconds(machine, one.size, memory.copied)
    return Assessment(
        one.name, one.installed, shape.quantisation, memory, fits, contexts, longest, seconds, splits, advice
    )


def _fits(memory: Memory, room: int) -> str:
    if memory.total <= room:
        return "yes"
    return "tight" if memory.least <= room else "no"


def _advice(
    machine: Machine, shape: LanguageShape, context_length: int, parallel: int, longest: int, others: Sequence[str]
) -> tuple[str, ...]:
    """Return what helps a model that does not fit well, the cheapest change first."""
    room = budget(machine)
    memory = memory_of(shape, machine.instructions, context_length, parallel)
    told = []
    if memory.least <= room:
        told.append("it runs; when memory is short, weights that were copied are read from disk again at the next load")
    elif 0 < longest < context_length:
        told.append(f"a context of {longest} tokens fits (models.context_length)")
    elif parallel > 1 and memory_of(shape, machine.instructions, context_length, 1).least <= room:
        told.append("with one answer at a time it fits (models.parallel = 1)")
    if memory.least > room:
        rest = memory.least - memory.weights
        for name, bits in _QUANTISATIONS:
            size = int(shape.parameters * bits / 8)
            if size < 0.95 * shape.weight_bytes and size + rest <= room:
                told.append(f"as {name} its weights are about {size / 1e9:.1f} GB and it fits{_worse(bits)}")
                break
        else:
            told.append("no quantisation makes it fit at this context")
        if others:
            told.append(f"a smaller model fits: {others[-1]}")
    return tuple(told)


def _worse(bits: float) -> str:
    return "; below 4 bits answers get noticeably worse" if bits < 4 else ""


def split_of(shape: LanguageShape, memory: Memory, found: Accelerator) -> Split | None:
    """Return how many blocks a graphics processor holds beside their part of the cache; None when its free memory is not
    known, is that of the machine itself, or holds no block."""
    if found.free is None or _SHARED in found.note or not shape.blocks or not shape.block_bytes:
        return None
    per_block = shape.block_bytes + memory.cache // shape.blocks
    blocks = min(shape.blocks, max(0, found.free - _GRAPHICS_PROGRAM - memory.buffers) // per_block)
    if not blocks:
        return None
    graphics = blocks * per_block + memory.buffers + _GRAPHICS_PROGRAM
    return Split(found.name, blocks, shape.blocks, graphics, memory.least - blocks * per_block)


def _seconds(machine: Machine, size: int, copied: int) -> float | None:
    """Return how long a load takes from a cold disk: reading, hashing, copying and a second for the process."""
    if machine.disk is None or not machine.disk.size:
        return None
    per_byte = (machine.disk.seconds + machine.disk.hash_seconds) / machine.disk.size
    return size * per_byte + copied / (1 << 30) + 1.0


def _product(numbers: Sequence[int]) -> int:
    found = 1
    for number in numbers:
        found *= number
    return found
