"""Files that are meant to hurt, read in the real worker behind its walls; and workers that were taken over."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import scanned_pages as scans
from engine_models import RECORD
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.senses_client import SandboxedSenses
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Model, ModelFile
from pai.core.perception.values import Page, Wish
from pai.foundation.errors import Invalid, PaiError, TooLarge
from pai.foundation.time import utc_now

sys.path.insert(0, str(Path(__file__).parents[1] / "hostile"))
from make_pictures import PICTURES

WEIGHTS = Path(__file__).resolve().parents[2] / ".cache" / "models" / "ppocr-v6-small"
GOOD = scans.as_bytes(scans.page(("Nothing is wrong with this line",)))


OTHERWISE = {"empty.png": "empty", "a-document.png": "truncated", "another-kind.tiff": ""}
"""What is refused with another reason here, or read."""


class Opened:
    """Files of the cache, as verified ones are handed over."""

    async def model(self, name: str, task: str, usual: str) -> Model:
        return Model(name, task, "x", "onnx", (ModelFile("a", "", 0),), 0, None, RECORD, b"", utc_now())

    @asynccontextmanager
    async def opened(self, model: Model) -> AsyncIterator[list[int]]:
        fds = [os.open(WEIGHTS / name, os.O_RDONLY) for name in ("detection.onnx", "recognition.onnx")]
        yield fds
        for fd in fds:
            os.close(fd)


@pytest.fixture
async def senses(tmp_path: Path) -> AsyncIterator[SandboxedSenses]:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    yield SandboxedSenses(launcher, Opened(), max_bytes=64 << 20, max_pages=20)
    launcher.close()


async def read(senses: SandboxedSenses, data: bytes) -> list[Page]:
    return [page async for page in senses.read("default-ocr", [data])]


@pytest.mark.model
@pytest.mark.slow
async def test_each_hostile_picture_is_refused_or_read_and_the_next_one_is_read(senses: SandboxedSenses) -> None:
    for name, (make, usual) in PICTURES.items():
        code, began = OTHERWISE.get(name, usual), time.monotonic()
        if code:
            with pytest.raises(PaiError) as refused:
                await read(senses, make())
            assert refused.value.code == code, name
        else:
            assert len(await read(senses, make())) == 1, name
        assert time.monotonic() - began < 60, name
    (page,) = await read(senses, GOOD)
    assert [line.text for line in page.lines] == ["Nothing is wrong with this line"]


@pytest.mark.model
@pytest.mark.slow
async def test_bombs_of_pages_are_bounded(senses: SandboxedSenses) -> None:
    with pytest.raises(TooLarge) as refused:
        await read(senses, scans.scan(*[scans.page(("x",))] * 21))
    assert refused.value.code == "too_many_pages"
    with pytest.raises(TooLarge):
        await read(senses, bytes(65 << 20))
    pages = await read(
        senses,
        scans.as_bytes(
            scans.page(("This is the first of two pages",)),
            "TIFF",
            save_all=True,
            append_images=[scans.page(("This is the second of two pages",))],
        ),
    )
    assert [[line.text for line in page.lines] for page in pages] == [
        ["This is the first of two pages"],
        ["This is the second of two pages"],
    ]


class Taken:
    """Stands where fresh workers are asked, and says what a worker says that its input has taken over."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def ask(self, _request: object, _fds: object) -> bytes | None:
        found = self.answers.pop(0)
        return found if found is None or isinstance(found, bytes) else msgspec.json.encode(found)


def page(**changed: Any) -> dict[str, Any]:
    return {"number": 1, "of": 1, "width": 10, "height": 10, "turned": 0, "lines": [], **changed}


LINE = {"text": "x", "confidence": 1.0, "box": [[0, 0]] * 4}


@pytest.mark.parametrize(
    "answer",
    [
        None, b"\x80\x04pickle", b"{}", {"pages": []}, {"pages": [page(number=2)]}, {"pages": [page(of=10**9, number=1)]},
        {"pages": [page(turned=45)]}, {"pages": [page(lines=[{**LINE, "confidence": 7}])]}, {"pages": [page(lines=[{**LINE, "box": []}])]},
        {"pages": [page(lines=[{**LINE, "text": "x" * 5000}])]}, {"pages": [page(lines=[LINE] * 3000)]}, {"pages": [page()], "more": 1},
    ],
)  # fmt: skip
async def test_a_worker_that_was_taken_over_can_say_pages_or_an_error_and_nothing_else(
    senses: SandboxedSenses, answer: Any
) -> None:
    senses._readers = Taken(answer)  # type: ignore[assignment]
    with pytest.raises(Invalid):
        await read(senses, GOOD)


@pytest.mark.parametrize(
    "heard",
    [
        {"until": 0.0, "total": 9.0}, {"until": 10.0, "total": 9.0}, {"until": 1.0, "total": 1e12}, {"language": "x" * 50},
        {"segments": [{"start": 5, "end": 1, "text": "", "logprob": 0, "silence": 0}]},
        {"segments": [{"start": 0, "end": 1, "text": "x" * 5000, "logprob": 0, "silence": 0}]},
    ],
)  # fmt: skip
async def test_a_recording_cannot_make_it_listen_for_ever(senses: SandboxedSenses, heard: dict[str, Any]) -> None:
    usual = {"segments": [], "until": 9.0, "total": 9.0, "language": "en"}
    senses._hearers = Taken(*[{"heard": {**usual, **heard}}] * 3)  # type: ignore[assignment]
    with pytest.raises(Invalid):
        async with asyncio.timeout(10):
            async for _ in senses.hear("default-transcription", [b"RIFF"], Wish()):
                pass
