"""Which models fit, and what is advised when they do not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pai.core.models.advice import MB, Assessment, advise, budget, memory_of, shape_of, split_of
from pai.core.models.values import Accelerator, Candidate, DiskSpeed, LanguageShape, Machine

GB = 1 << 30
SMALL = LanguageShape(
    "qwen2", "Q4_K_M", 630_167_424, 32_768, 24, 896, 4864, 151_936, 6144, 485_452_288, 10_883_840,
    {"Q8_0": 146_105_344, "Q6_K": 42_900_480, "Q5_0": 173_150_208, "Q4_K": 29_417_472},
)  # fmt: skip
LARGE = dataclasses.replace(
    SMALL, parameters=70_000_000_000, blocks=80, embedding_length=8192, feed_forward_length=28_672, cache_numbers=80 * 8 * 256,
    weight_bytes=40 * GB, block_bytes=GB // 2, matrices={"Q4_K": 30 * GB, "Q6_K": 9 * GB}, context_length=131_072,
)  # fmt: skip
MACHINE = Machine("x86_64", "a processor", 8, 8, ("AVX2", "AVX-512"), 32 * GB, 24 * GB, 0, 100 * GB, (), ())


def candidate(name: str, shape: LanguageShape | None, *, installed: bool = True) -> Candidate:
    return Candidate(
        name,
        installed,
        shape.weight_bytes if shape else 7 * GB,
        shape,
        "" if shape else "its header cannot be read: it is cut",
    )


def one(machine: Machine, shape: LanguageShape, context: int = 8192, parallel: int = 1) -> Assessment:
    return advise(machine, [candidate("m", shape)], context, parallel)[0]


def test_the_sum_for_a_real_model() -> None:
    """0.5B at 8192 tokens: 712 MB were resident when it was measured."""
    memory = memory_of(SMALL, MACHINE.instructions, 8192, 1)
    assert memory.weights == SMALL.weight_bytes
    assert memory.copied == 29_417_472
    assert memory.cache == 24 * 2 * 128 * 2 * 8192
    assert memory.total == pytest.approx(712 * MB, rel=0.02)
    assert memory.least == memory.total - memory.copied


def test_what_is_copied_depends_on_the_processor() -> None:
    assert memory_of(SMALL, (), 8192, 1).copied == 0
    assert memory_of(SMALL, ("NEON", "DOTPROD"), 8192, 1).copied == 29_417_472 + 42_900_480 + 146_105_344
    assert memory_of(SMALL, ("AVX2", "AMX-INT8"), 8192, 1).copied > memory_of(SMALL, ("AVX2",), 8192, 1).copied


def test_several_answers_share_twice_one_context() -> None:
    alone, several = (memory_of(SMALL, (), 8192, parallel) for parallel in (1, 8))
    assert several.cache == 2 * alone.cache
    assert memory_of(SMALL, (), 8192, 64).cache == several.cache


def test_a_reserve_is_kept_and_what_engines_hold_comes_back() -> None:
    assert budget(MACHINE) == 24 * GB - 32 * GB // 10
    assert budget(dataclasses.replace(MACHINE, held=2 * GB)) == budget(MACHINE) + 2 * GB
    assert budget(dataclasses.replace(MACHINE, memory=4 * GB, available=GB // 2)) == 0


def test_a_model_with_room_gets_no_advice() -> None:
    found = one(MACHINE, SMALL)
    assert (found.fits, found.longest_context, found.advice) == ("yes", 32_768, ())
    assert set(found.contexts) == {2048, 4096, 8192, 16_384, 32_768}


def test_a_context_beyond_the_models_own_is_cut() -> None:
    assert one(MACHINE, SMALL, 1 << 20).memory == one(MACHINE, SMALL, 32_768).memory


def test_tight_means_that_only_the_mapped_half_of_copied_weights_is_missing() -> None:
    least = memory_of(LARGE, MACHINE.instructions, 8192, 1).least
    machine = dataclasses.replace(MACHINE, memory=64 * GB, available=least + 7 * GB)
    found = one(machine, LARGE)
    assert found.fits == "tight"
    assert "it runs" in found.advice[0]


def test_a_shorter_context_is_the_first_advice() -> None:
    machine = dataclasses.replace(
        MACHINE, memory=64 * GB, available=memory_of(LARGE, MACHINE.instructions, 4096, 1).least + 7 * GB
    )
    found = one(machine, LARGE, 32_768)
    assert (found.fits, found.longest_context) == ("no", 4096)
    assert found.advice[0].startswith("a context of 4096 tokens fits")


def test_one_answer_at_a_time_is_advised_where_it_helps() -> None:
    shape = dataclasses.replace(LARGE, context_length=2048, cache_numbers=LARGE.cache_numbers * 8)
    machine = dataclasses.replace(
        MACHINE, memory=64 * GB, available=memory_of(shape, MACHINE.instructions, 2048, 1).least + 7 * GB
    )
    assert "models.parallel = 1" in one(machine, shape, 2048, 8).advice[0]


def test_a_smaller_quantisation_and_a_smaller_model_are_advised() -> None:
    machine = dataclasses.replace(MACHINE, memory=64 * GB, available=45 * GB)
    found = advise(machine, [candidate("large", LARGE), candidate("small", SMALL, installed=False)], 2048, 1)[0]
    assert found.fits == "no"
    assert any(text.startswith("as Q3_K_M its weights are about 34.1 GB") and "worse" in text for text in found.advice)
    assert "a smaller model fits: small" in found.advice
    tiny = dataclasses.replace(MACHINE, available=3 * GB)
    assert "no quantisation makes it fit at this context" in one(tiny, LARGE).advice


def test_installed_models_come_first_and_unknown_ones_say_why() -> None:
    found = advise(
        MACHINE, [candidate("b", SMALL, installed=False), candidate("c", None), candidate("a", SMALL)], 2048, 1
    )
    assert [assessment.name for assessment in found] == ["a", "c", "b"]
    assert (found[1].fits, found[1].memory) == ("unknown", None)
    assert "cut" in found[1].advice[0]


def test_load_time_is_told_only_when_the_disk_was_measured() -> None:
    assert one(MACHINE, SMALL).load_seconds is None
    disk = DiskSpeed(256 * MB, 1.0, 0.2, True)
    seconds = one(dataclasses.replace(MACHINE, disk=disk), SMALL).load_seconds
    assert seconds == pytest.approx(485_452_288 / (256 * MB) * 1.2 + 1, abs=0.1)


@pytest.mark.parametrize(("free", "blocks"), [(2 * GB, 2), (24 * GB, 45), (80 * GB, 80), (GB // 2, None), (None, None)])
def test_blocks_are_split_between_graphics_memory_and_ram(free: int | None, blocks: int | None) -> None:
    memory = memory_of(LARGE, (), 4096, 1)
    split = split_of(LARGE, memory, Accelerator("a card", "NVIDIA", free, free))
    assert (split.blocks if split else None) == blocks
    if split is not None:
        assert split.graphics <= (free or 0)
        assert split.ram < memory.least


def test_memory_that_is_the_machines_own_is_not_split() -> None:
    memory = memory_of(SMALL, (), 4096, 1)
    assert (
        split_of(
            SMALL, memory, Accelerator("inside", "Intel", 8 * GB, 8 * GB, "its memory is shared with the machine's")
        )
        is None
    )


def header(**changed: Any) -> dict[str, Any]:
    tensors = [
        {"name": "token_embd.weight", "shape": [64, 1000], "type": "Q4_K", "size": 36_000},
        {"name": "output.weight", "shape": [64, 1000], "type": "Q6_K", "size": 52_500},
        {"name": "blk.0.attn_q.weight", "shape": [64, 64], "type": "Q4_K", "size": 2304},
        {"name": "blk.1.attn_q.weight", "shape": [64, 64], "type": "Q4_K", "size": 2304},
        {"name": "blk.1.attn_q.bias", "shape": [64], "type": "F32", "size": 256},
    ]
    plain = {
        "tensors": tensors, "architecture": "llama", "file_type": 15, "context_length": 128, "blocks": 2, "embedding_length": 64,
        "feed_forward_length": 128, "vocabulary": 1000, "kv_heads": [2, 4], "key_length": 16, "value_length": 16,
        "weight_bytes": 93_364, "sliding_window": 0,
    }  # fmt: skip
    return {**plain, **changed}


def test_a_shape_is_taken_from_a_header() -> None:
    shape = shape_of(header())
    assert (shape.quantisation, shape.parameters, shape.cache_numbers) == (
        "Q4_K_M",
        2 * 64_000 + 2 * 4096 + 64,
        (2 + 4) * 32,
    )
    assert shape.matrices == {"Q6_K": 52_500, "Q4_K": 4608}  # tokens are looked up, not multiplied with
    assert (shape.block_bytes, shape.bounded) == (2560, False)


def test_tied_weights_are_multiplied_with_and_odd_architectures_are_bounds() -> None:
    tied = header()
    tied["tensors"] = [tensor for tensor in tied["tensors"] if tensor["name"] != "output.weight"]
    assert shape_of(tied).matrices == {"Q4_K": 36_000 + 4608}
    assert shape_of(header(sliding_window=4096)).bounded
    found = one(MACHINE, shape_of(header(architecture="mamba", file_type=None)), 128)
    assert (found.quantisation, "upper bound" in found.advice[0]) == ("other", True)
