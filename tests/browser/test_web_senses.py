"""Pictures and recordings in a real browser with the real models: boxes where the text stands, sentences that play, captions saved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageDraw

import recordings as rec
import scanned_pages as scans
from browser.chromium import MISSING, Chromium
from browser.test_web_main_job import log_in
from installation import Installation

pytestmark = [
    pytest.mark.browser, pytest.mark.slow, pytest.mark.model,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]  # fmt: skip
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "models"


@pytest.fixture(scope="module")
def pai(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("senses"))
    shutil.copytree(initialised, made.home, symlinks=True)
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def chromium(pai: Installation, tmp_path: Path) -> Iterator[Chromium]:
    browser = Chromium(tmp_path, pai.ca)
    browser.start()
    yield browser
    browser.stop()


def nothing_leaks(browser: Chromium, pai: Installation) -> None:
    assert not [one for one in browser.complaints() if "Content Security Policy" in one or "Error" in one]
    strange = [
        one for one in browser.requested() if not one.startswith((pai.url, f"blob:{pai.url}", "data:", "chrome"))
    ]
    assert not strange, strange
    assert not browser.js("return document.documentElement.scrollWidth > innerWidth")


def test_without_models_the_pages_say_what_is_missing(chromium: Chromium, pai: Installation) -> None:
    log_in(chromium, pai)
    for where, model in (("pictures", "pai models add ppocr-v6-small"), ("recordings", "pai models add whisper-base")):
        chromium.open(f"{pai.url}/{where}")
        chromium.wait_for(".empty")
        assert model in chromium.text(".empty")
        assert not chromium.see("[data-drop]")
    assert "make speech" in chromium.text(".empty")
    chromium.picture("recordings-missing")


@pytest.mark.parametrize(("width", "height", "theme"), [(1280, 900, "light"), (390, 844, "dark")])
def test_a_picture_is_read_where_its_text_stands(
    chromium: Chromium, pai: Installation, tmp_path: Path, width: int, height: int, theme: str
) -> None:
    if not (pai.home / "models" / "ppocr-v6-small").exists():
        pai.ok("models", "add", "ppocr-v6-small", "--from", str(CACHE))
    lying = tmp_path / "lying.png"
    lying.write_bytes(scans.as_bytes(scans.page().rotate(90, expand=True)))
    chromium.screen(width, height, theme)
    log_in(chromium, pai)
    chromium.open(f"{pai.url}/pictures")
    chromium.type("[data-file]", str(lying))
    chromium.wait(lambda: "read by ppocr" in chromium.text("[data-facts]"), "the text", 60)
    assert (
        scans.rate(" ".join(scans.LETTER), chromium.js("return document.querySelector('[data-text]').textContent"))
        < 0.02
    )
    assert chromium.js("return document.querySelectorAll('.scan polygon').length") == len(scans.LETTER)
    # Upright pixels under the boxes: every box holds ink, which a page drawn askew or at another size would not.
    assert chromium.js(INK) == len(scans.LETTER)
    chromium.js("document.querySelector('.scan-line').focus()")
    assert chromium.js("return document.querySelectorAll('polygon.pointed').length") == 1
    chromium.picture(f"pictures-{width}-{theme}")
    nothing_leaks(chromium, pai)
    chromium.js("document.querySelector('.scan').scrollIntoView()")
    chromium.picture(f"pictures-boxes-{width}-{theme}")

    pdf = tmp_path / "two.pdf"
    second = scans.page(("Invoice 4711", "The gutter cost 1,250 euros."))
    ImageDraw.Draw(second).line((60, 300, 900, 300), "black")
    pdf.write_bytes(scans.scan(scans.page(), second))
    chromium.type("[data-file]", str(pdf))
    chromium.wait(lambda: "2 pages" in chromium.text("[data-facts]"), "both pages", 60)
    assert chromium.js("return document.querySelectorAll('.scan text').length") == len(scans.LETTER) + 2
    chromium.js("document.querySelector('.scan').scrollIntoView()")
    chromium.picture(f"pictures-pdf-{width}-{theme}")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    chromium.type("[data-file]", str(bad))
    chromium.wait(lambda: chromium.see("[data-error]"), "the refusal")
    assert "PNG" in chromium.text("[data-error]")
    nothing_leaks(chromium, pai)


INK = """
const canvas = document.querySelector('.scan-pixels');
const pixels = canvas.getContext('2d');
return [...document.querySelectorAll('.scan polygon')].filter((box) => {
  const points = box.getAttribute('points').split(' ').map((one) => one.split(',').map(Number));
  const [left, top] = [Math.min(...points.map((p) => p[0])), Math.min(...points.map((p) => p[1]))];
  const [right, bottom] = [Math.max(...points.map((p) => p[0])), Math.max(...points.map((p) => p[1]))];
  const { data } = pixels.getImageData(left, top, right - left, bottom - top);
  let dark = 0;
  for (let n = 0; n < data.length; n += 4) dark += data[n] < 100;
  return dark > data.length / 4 * 0.04;
}).length;
"""


@pytest.mark.extra
@pytest.mark.parametrize(("width", "height", "theme"), [(1280, 900, "dark"), (390, 844, "light")])
def test_a_recording_is_written_down_beside_its_player(
    chromium: Chromium, pai: Installation, tmp_path: Path, width: int, height: int, theme: str
) -> None:
    pytest.importorskip("ctranslate2", reason="the extra `speech` is not installed")
    if not (pai.home / "models" / "whisper-tiny-en").exists():
        pai.ok("models", "add", "whisper-tiny-en", "--from", str(CACHE))
    chromium.screen(width, height, theme)
    log_in(chromium, pai)
    chromium.open(f"{pai.url}/recordings")
    chromium.type("[data-file]", str(rec.FOLDER / "austen-1.flac"))
    chromium.wait(lambda: "written down by" in chromium.text("[data-facts]"), "the transcript", 120)
    said = chromium.js("return document.querySelector('[data-text]').textContent")
    assert scans.rate(rec.sentences()["austen-1"].lower(), said.lower()) < 0.15
    chromium.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    chromium.click("[data-save=vtt]")
    chromium.wait(lambda: (tmp_path / "austen-1.vtt").exists(), "the captions")
    served = httpx_captions(pai, rec.FOLDER / "austen-1.flac")
    assert (tmp_path / "austen-1.vtt").read_text() == served, "captions of the page are those of the API"
    chromium.click(".sentence")
    chromium.wait(
        lambda: chromium.js("return document.querySelectorAll('.sentence[aria-current]').length") == 1, "the mark"
    )
    nothing_leaks(chromium, pai)
    chromium.picture(f"recordings-{width}-{theme}")


def httpx_captions(pai: Installation, path: Path) -> str:
    with pai.web(pai.key("perception")) as web:
        fields = {"model": "default-transcription", "response_format": "vtt"}
        answer = web.post("/v1/audio/transcriptions", data=fields, files={"file": (path.name, path.read_bytes())})
    assert answer.status_code == 200, answer.text
    return answer.text
