"""Model files checked in real sandboxed processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from model_files import VALID, gguf_file, opened
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck, _decode
from pai.bootstrap.telemetry import child_environment
from pai.foundation.errors import Invalid, Unavailable


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[LocalLauncher]:
    made = LocalLauncher(tmp_path / "w", child_environment())
    yield made
    made.close()


@pytest.mark.parametrize("kind", VALID)
async def test_a_header_of_every_format_crosses(launcher: LocalLauncher, kind: str) -> None:
    with opened(**VALID[kind]) as fds:
        header = await ModelCheck(launcher).check(kind, fds)
    assert header["format"] == kind
    assert header["tensors"][0]["size"] > 0


async def test_refusals_cross_with_their_code_and_end_the_process(launcher: LocalLauncher) -> None:
    check = ModelCheck(launcher)
    check.prepare()
    for _ in range(2):
        with opened(m=gguf_file()[:600]) as fds, pytest.raises(Invalid) as caught:
            await check.check("gguf", fds)
        assert (caught.value.code, caught.value.hint != "") == ("truncated_model_file", True)
    async with asyncio.timeout(5):
        while launcher.workers:  # an end is told a moment after it was asked for
            await asyncio.sleep(0.02)


async def test_a_process_that_dies_is_told(launcher: LocalLauncher) -> None:
    check = ModelCheck(launcher)
    check.prepare()
    assert check._workers._warm is not None
    worker, _ = await check._workers._warm
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and worker.id in (entry / "cmdline").read_text():
            os.kill(int(entry.name), signal.SIGSTOP)  # it cannot answer before it is ended
            asyncio.get_running_loop().call_later(0.2, os.kill, int(entry.name), signal.SIGKILL)
    with opened(m=gguf_file()) as fds, pytest.raises(Invalid) as caught:
        await check.check("gguf", fds)
    assert caught.value.code == "model_check_died"


async def test_a_check_that_takes_too_long_is_ended(launcher: LocalLauncher) -> None:
    tokens = [b""] * 3_000_000
    data = gguf_file([("general.architecture", "s", "llama"), ("t", "[s]", tokens)], tensors=[])
    with opened(m=data) as fds, pytest.raises(Invalid) as caught:
        await ModelCheck(launcher, seconds=0.05).check("gguf", fds)
    assert caught.value.code == "bad_model_file"


async def test_more_files_than_a_frame_carries_are_refused(launcher: LocalLauncher) -> None:
    with pytest.raises(Invalid) as caught:
        await ModelCheck(launcher).check("onnx", {str(n): 0 for n in range(17)})
    assert caught.value.code == "too_many_model_files"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"header": 1}', b'{"header": {}, "x": 1}', b'{"error": {"class": "Denied"}}']
)
def test_what_the_process_says_is_data_of_one_shape(body: bytes) -> None:
    with pytest.raises(Invalid):
        _decode(body)


async def test_without_a_server_nothing_is_checked() -> None:
    with opened(m=gguf_file()) as fds, pytest.raises(Unavailable) as caught:
        await ModelCheck(None).check("gguf", fds)
    assert caught.value.code == "not_serving"
