"""Documents parsed in real sandboxed processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pai import samples
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.parser_client import SandboxedParser, _decode
from pai.bootstrap.telemetry import child_environment
from pai.foundation.errors import Invalid, TooLarge, Unavailable, Unsupported

MB = 1 << 20
MADE: list[SandboxedParser] = []
SAMPLES = Path(samples.__file__).parent / "documents"


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[LocalLauncher]:
    made = LocalLauncher(tmp_path / "w", child_environment())
    yield made
    while MADE:
        await MADE.pop().close()
    made.close()


def parser_on(launcher: LocalLauncher | None, **options: float) -> SandboxedParser:
    MADE.append(SandboxedParser(launcher, **{"seconds": 20, "max_bytes": MB, "max_pages": 50, **options}))  # type: ignore[arg-type]
    return MADE[-1]


async def test_documents_are_parsed_each_in_its_own_process(launcher: LocalLauncher) -> None:
    parser = parser_on(launcher)
    for number in range(2):
        found = await parser.parse([b"# Head", f"ing {number}\n\nText.".encode()], name="a.md", size=3)
        assert [block.text for block in found.blocks] == [f"Heading {number}", "Text."]
    await parser.close()
    async with asyncio.timeout(5):
        while launcher.workers:  # an end is told a moment after it was asked for
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
async def test_every_format_is_read_behind_the_walls(launcher: LocalLauncher, path: Path) -> None:
    """A library that reads a file of the system when it is imported would fail here, on machines that have that file."""
    data = path.read_bytes()
    found = await parser_on(launcher).parse([data], name=path.name, size=len(data))
    assert len(found.blocks) >= 5


async def test_refusals_cross_with_their_code(launcher: LocalLauncher) -> None:
    parser = parser_on(launcher)
    with pytest.raises(Invalid) as empty:
        await parser.parse([], name="a.txt", size=0)
    assert empty.value.code == "empty"
    with pytest.raises((Unsupported, Invalid)):
        await parser.parse([b"\x7fELF" + bytes(100)], name="a.exe", size=104)


async def test_the_bytes_decide_the_size_not_what_was_said(launcher: LocalLauncher) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(MB // 4)

    with pytest.raises(TooLarge):
        await parser_on(launcher).parse(endless(), name="a.txt", size=1)
    with pytest.raises(TooLarge):
        await parser_on(launcher).parse([], name="a.txt", size=2 * MB)


async def test_a_parser_that_takes_too_long_is_ended(launcher: LocalLauncher, tmp_path: Path) -> None:
    parser = parser_on(launcher, seconds=0.001)
    with pytest.raises(Invalid) as caught:
        await parser.parse([b"x\n" * 200_000], name="a.csv", size=3)
    assert caught.value.code == "timed_out"


async def test_a_parser_that_dies_is_told_and_replaced(launcher: LocalLauncher, tmp_path: Path) -> None:
    parser = parser_on(launcher)
    worker, channel = await parser._workers._take()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and worker.id in (entry / "cmdline").read_text():
            os.kill(int(entry.name), signal.SIGSTOP)  # it cannot answer before it is ended
            pid = int(entry.name)

    async def stopped() -> tuple[object, object]:
        os.kill(pid, signal.SIGKILL)
        return worker, channel

    parser._workers._take = stopped  # type: ignore[method-assign,assignment]
    with pytest.raises(Invalid) as caught:
        await parser.parse([b"text"], name="a.txt", size=4)
    assert caught.value.code == "parser_died"
    del parser._workers._take  # type: ignore[method-assign]
    assert (await parser.parse([b"text"], name="a.txt", size=4)).blocks


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"document": 1}', b'{"document": {"media_type": 1, "pages": 1, "blocks": []}}', b'{"x": 1}'],
)
def test_what_a_parser_says_is_data_of_one_shape(body: bytes) -> None:
    with pytest.raises(Invalid):
        _decode(body)


async def test_without_a_server_nothing_is_parsed() -> None:
    with pytest.raises(Unavailable) as caught:
        await parser_on(None).parse([b"x"], name="a.txt", size=1)
    assert caught.value.code == "not_serving"
