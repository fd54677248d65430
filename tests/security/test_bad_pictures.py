"""Pictures that are meant to hurt, decoded in the real worker behind its walls."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from pai.adapters.pictures.decoding import LONGEST_SIDE, MOST_BYTES
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.picture_client import SandboxedPictures
from pai.bootstrap.telemetry import child_environment
from pai.foundation.errors import Invalid, PaiError, TooLarge

sys.path.insert(0, str(Path(__file__).parents[1] / "hostile"))
from make_pictures import PICTURES, picture

GOOD = picture("PNG")


@pytest.fixture
async def pictures(tmp_path: Path) -> AsyncIterator[SandboxedPictures]:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    yield SandboxedPictures(launcher)
    launcher.close()


def opened(data: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(data))
    found.load()
    return found


@pytest.mark.parametrize("name", PICTURES)
async def test_each_is_refused_with_its_code_or_made_anew(name: str, pictures: SandboxedPictures) -> None:
    make, code = PICTURES[name]
    data, began = make(), time.monotonic()
    if code:
        with pytest.raises(PaiError) as refused:
            await pictures.clean(data)
        assert refused.value.code == code
        assert isinstance(refused.value, TooLarge if code == "picture_too_large" else Invalid)
    else:
        made = opened(await pictures.clean(data))
        assert (made.format, made.mode) == ("PNG", "RGB")
        assert max(made.size) <= 64
    assert time.monotonic() - began < 60


@pytest.mark.slow
async def test_the_next_one_is_decoded(pictures: SandboxedPictures) -> None:
    for name in ("cut.png", "bomb.png", "notes-without-end.png"):
        with pytest.raises(PaiError):
            await pictures.clean(PICTURES[name][0]())
        assert opened(await pictures.clean(GOOD)).size == (40, 30)


async def test_what_is_too_large_is_not_even_opened(pictures: SandboxedPictures) -> None:
    with pytest.raises(TooLarge) as refused:
        await pictures.clean(GOOD + bytes(50 << 20))
    assert refused.value.code == "picture_too_large"
    assert len(await pictures.clean(GOOD + bytes(MOST_BYTES - len(GOOD)))) > 0


async def test_nothing_but_pixels_goes_further(pictures: SandboxedPictures) -> None:
    secret = b"Maud-Terwilliger-47.3769N-8.5417E"
    tags = Image.Exif()
    tags[0x010E], tags[0x0112] = secret.decode(), 6  # a description, and "turn a quarter"
    told = io.BytesIO()
    half = Image.new("RGB", (40, 20), "blue")
    half.paste("red", (0, 0, 20, 20))
    half.save(told, "JPEG", exif=tags, comment=secret, icc_profile=secret * 5)
    assert secret in told.getvalue()
    made = await pictures.clean(told.getvalue())
    assert secret not in made
    found = opened(made)
    assert (found.size, found.info) == ((20, 40), {})
    top, bottom = found.getpixel((10, 5)), found.getpixel((10, 35))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 200 > 50 > top[2]
    assert bottom[2] > 200 > 50 > bottom[0]


async def test_large_ones_become_smaller_and_clear_ones_white(pictures: SandboxedPictures) -> None:
    assert opened(await pictures.clean(picture("JPEG", size=(6000, 4000)))).size == (
        LONGEST_SIDE,
        LONGEST_SIDE * 2 // 3,
    )
    clear = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(clear, "PNG")
    assert opened(await pictures.clean(clear.getvalue())).getpixel((5, 5)) == (255, 255, 255)


async def test_one_that_takes_too_long_ends_its_process(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    try:
        with pytest.raises(Invalid, match="took too long"):
            await SandboxedPictures(launcher, seconds=0.01).clean(GOOD)
        for worker in launcher.workers:
            await asyncio.wait_for(worker.died.wait(), 10)
    finally:
        launcher.close()
