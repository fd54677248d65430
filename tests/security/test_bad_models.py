"""Broken and hostile model files are refused before any engine sees them, each with the code that tells why."""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hostile"))

from make_models import corpus

from model_files import PAIRS, gguf_file, opened
from pai.adapters.models.formats import validate
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.foundation.errors import Invalid

CORPUS = corpus()
MB = 1 << 20


def refusal(kind: str, files: Mapping[str, bytes]) -> Invalid:
    held = opened(**{name.replace(".", "__"): data for name, data in files.items()})
    with held as fds, pytest.raises(Invalid) as caught:
        validate(kind, fds)
    return caught.value


@pytest.mark.parametrize("name", CORPUS)
def test_each_is_refused_with_its_code(name: str) -> None:
    kind, code, make = CORPUS[name]
    files = make()
    start = time.monotonic()
    error = refusal(kind, files)
    assert error.code == code, error.message
    assert error.message
    assert error.hint
    assert time.monotonic() - start < 1


def test_no_refusal_costs_much_memory() -> None:
    worst = (0, "")
    for name, (kind, _, make) in CORPUS.items():
        with opened(**{part.replace(".", "__"): data for part, data in make().items()}) as fds:
            tracemalloc.start()
            with pytest.raises(Invalid):
                validate(kind, fds)
            worst = max(worst, (tracemalloc.get_traced_memory()[1], name))
            tracemalloc.stop()
    assert worst[0] < 64 * MB, worst


def test_messages_do_not_repeat_what_the_file_holds() -> None:
    error = refusal("gguf", {"m": gguf_file([*PAIRS, ("secret-word", "u8", 1)] * 2)})
    assert "secret-word" not in error.message + error.hint


@pytest.mark.slow
@pytest.mark.parametrize("count", ["tensors", "pairs", "tokens"])
def test_the_largest_counts_cost_no_more(count: str) -> None:
    """Files at the very limits, every item as small as it can be."""
    many = 50_000
    data = {
        "tensors": lambda: gguf_file(tensors=[(f"{n:05}", (4,), "F32") for n in range(many)]),
        "pairs": lambda: gguf_file([*PAIRS, *((f"k{n}", "[u32]", [n] * 100) for n in range(9_900))]),
        "tokens": lambda: gguf_file([*PAIRS, ("t", "[s]", [b""] * 1_000_000)]),
    }[count]()
    with opened(m=data) as fds:
        tracemalloc.start()
        start = time.monotonic()
        header = validate("gguf", fds)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert header.tensors
    assert peak < 64 * MB
    assert time.monotonic() - start < 20  # traced; a tenth of it untraced


def test_only_regular_files_are_read() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(Invalid) as caught:
            validate("gguf", {"m": reader})
        assert caught.value.code == "bad_model_file"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_file_that_is_cut_while_it_is_read_is_refused() -> None:
    with opened(m=gguf_file()) as fds:
        from pai.adapters.models.formats.reader import Reader

        reader = Reader(fds["m"])
        os.ftruncate(fds["m"], 2)
        with pytest.raises(Invalid) as caught:
            reader.take(24)
        assert caught.value.code == "truncated_model_file"


def test_formats_that_can_run_code_are_not_read() -> None:
    with opened(m=b"\x80\x04\x95") as fds, pytest.raises(Invalid) as caught:
        validate("pickle", fds)
    assert caught.value.code == "unknown_model_format"


async def test_hostile_files_are_refused_behind_the_walls(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    check = ModelCheck(launcher)
    chosen = [
        "gguf/cve-2024-23605-n-kv.gguf",
        "onnx/cve-2024-27318-weights-in-parent-of-a-folder.onnx",
        "openvino/xxe.xml",
    ]
    try:
        for name in chosen:
            kind, code, make = CORPUS[name]
            with opened(**{part.replace(".", "__"): data for part, data in make().items()}) as fds:
                check.prepare()
                with pytest.raises(Invalid) as caught:
                    await check.check(kind, fds)
            assert caught.value.code == code
    finally:
        await check.close()
        launcher.close()
