"""Scans and photos with the real model, inside the walls, by command, API and collection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import scanned_pages as scans
from installation import ADMIN, Installation

pytestmark = [pytest.mark.model, pytest.mark.slow]
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "models"
MODEL = "ppocr-v6-small"


@pytest.fixture(scope="module")
def pai(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Iterator[Installation]:
    """An installation whose chat is the echo engine, to which the model that reads was added while it ran."""
    import shutil

    made = Installation(tmp_path_factory.mktemp("ocr"))
    shutil.copytree(initialised, made.home, symlinks=True)
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="module")
def key(pai: Installation) -> str:
    return pai.key("perception,knowledge,audit")


@pytest.fixture(scope="module")
def web(pai: Installation, key: str) -> Iterator[httpx.Client]:
    with pai.web(key) as found:
        yield found


@pytest.mark.parametrize("name", ["detection.onnx", "recognition.onnx"])
def test_other_weights_than_those_of_the_catalogue_are_refused(pai: Installation, tmp_path: Path, name: str) -> None:
    folder = tmp_path / MODEL
    folder.mkdir()
    for file in (CACHE / MODEL).iterdir():
        data = bytearray(file.read_bytes())
        if file.name == name:
            data[len(data) // 2] ^= 1
        (folder / file.name).write_bytes(data)
    refused = pai.run("models", "add", MODEL, "--from", str(tmp_path))
    assert refused.code == 1
    assert "catalogue" in refused.err
    assert not (pai.home / "models" / MODEL).exists()


def test_without_a_model_it_is_said_how_to_add_one_and_then_it_is_there(pai: Installation, key: str) -> None:
    scan = pai.folder / "letter.pdf"
    scan.write_bytes(scans.scan(scans.page()))
    refused = pai.run("ocr", str(scan), PAI_API_KEY=key)
    assert refused.code == 1
    assert "pai models add ppocr-v6-small" in refused.err
    added = pai.ok("models", "add", MODEL, "--from", str(CACHE))
    assert added["aliases"] == ["default-ocr"]
    assert added["licence"].startswith("Apache-2.0")
    told = pai.ok("ocr", str(scan), PAI_API_KEY=key)
    assert told["model"] == MODEL
    assert told["label"] == "confidential"
    assert scans.rate(" ".join(scans.LETTER), told["text"]) < 0.01
    assert pai.run("models", "add", MODEL, "--from", str(CACHE)).code == 1, "it is here already"


def test_lines_come_with_boxes_and_confidence_in_reading_order(web: httpx.Client) -> None:
    left = tuple(f"The left column tells of matter {n}," for n in range(1, 8))
    right = tuple(f"while the right one goes on with {n}." for n in range(8, 15))
    picture = scans.columns(left, right, "Minutes of the meeting in both columns of this page")
    told = read(web, scans.as_bytes(picture), "minutes.png")
    (page,) = told["pages"]
    assert (page["width"], page["height"], page["turned"]) == (1400, 900, 0)
    found = [line["text"] for line in page["lines"]]
    assert (
        scans.rate(" ".join(("Minutes of the meeting in both columns of this page", *left, *right)), " ".join(found))
        < 0.02
    )
    for line in page["lines"]:
        (ax, ay), (bx, _), (_, cy), _ = line["box"]
        assert 0 <= ax < bx <= 1410
        assert 0 <= ay < cy <= 910
        assert 0.5 <= line["confidence"] <= 1


@pytest.mark.parametrize("turn", [90, 180, 270, 4, -9])
def test_a_page_is_read_however_it_lies(web: httpx.Client, turn: int) -> None:
    lying = scans.page().rotate(turn, expand=True, fillcolor="white", resample=3)
    told = read(web, scans.as_bytes(lying, "JPEG", quality=85), "lying.jpg")
    assert told["pages"][0]["turned"] == (turn if turn in (90, 180, 270) else 0)
    assert scans.rate(" ".join(scans.LETTER), told["text"]) < 0.02


def test_a_photo_is_read_as_its_camera_says_it_was_held(web: httpx.Client) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    photo = scans.as_bytes(scans.page().rotate(90, expand=True), "JPEG", exif=exif)
    told = read(web, photo, "photo.jpg")
    assert told["pages"][0]["turned"] == 0
    assert scans.rate(" ".join(scans.LETTER), told["text"]) < 0.02


def test_scanned_and_mixed_documents_and_photos_are_cited_with_their_page(pai: Installation, key: str) -> None:
    folder = pai.folder / "scans"
    folder.mkdir()
    second = scans.page(
        ("Invoice 4711 of Kestrel Roofing", "The repair of the north gutter cost 1,250 euros.", "Due on 30 June 2031.")
    )
    (folder / "letter.pdf").write_bytes(scans.scan(scans.page(), second))
    (folder / "photo.jpg").write_bytes(
        scans.as_bytes(
            scans.page(("The spare key of the archive lies", "in the blue cabinet on the second floor.")),
            "JPEG",
            quality=80,
        )
    )
    (folder / "mixed.pdf").write_bytes(_mixed())
    environment = {"PAI_API_KEY": key}
    pai.ok("collection", "create", "scans", "--label", "restricted", **environment)
    told = pai.ok("ingest", "scans", str(folder), **environment)
    assert {Path(one["path"]).name: one["pages"] for one in told["accepted"]} == {
        "letter.pdf": 2,
        "photo.jpg": 1,
        "mixed.pdf": 2,
    }
    for question, quoted, document, page in (
        ("What did the repair of the north gutter cost?", "1,250 euros", "letter.pdf", 2),
        ("Where does the spare key of the archive lie?", "blue cabinet", "photo.jpg", 1),
        ("Which tank is inspected in October?", "tank seven", "mixed.pdf", 2),
    ):
        answer = pai.ok("ask", "scans", question, **environment)
        assert any(
            quoted.lower() in one["quote"].lower() and (one["document"], one["page"]) == (document, page)
            for one in answer["sources"]
        ), answer
    events = pai.ok("audit", "tail", "--limit", "60")["events"]
    ingested = [one for one in events if one["name"] == "knowledge:document:ingest"]
    assert [one["model"]["name"] for one in ingested] == [MODEL] * 3
    assert {one["label"] for one in ingested} == {"restricted"}
    assert "gutter" not in json.dumps(events)


def _mixed() -> bytes:
    """A page of text, then a page that is a picture."""
    import io

    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    made = io.BytesIO()
    canvas = Canvas(made, pagesize=(620, 310))
    canvas.drawString(40, 250, "Plan of inspections. The first page is text.")
    canvas.showPage()
    picture = scans.page(("In October the inspectors look at tank seven,", "which was welded in March."))
    canvas.drawImage(ImageReader(picture), 0, 0, 620, 310)
    canvas.showPage()
    canvas.save()
    return made.getvalue()


def test_a_key_without_the_scope_or_under_the_label_reads_nothing(pai: Installation, web: httpx.Client) -> None:
    picture = scans.as_bytes(scans.page(("Nobody else's business",)))
    with pai.web(pai.key("inference,knowledge")) as other:
        refused = send(other, picture, "a.png")
        assert refused.status_code == 403
        assert "perception" in refused.json()["error"]["hint"]
    assert send(web, picture, "a.png", label="secret").status_code == 400
    assert read(web, picture, "a.png", label="restricted")["label"] == "restricted"
    made = pai.ok("key", "create", "--owner", ADMIN, "--name", "low", "--scopes", "perception", "--ceiling", "internal")
    with pai.web(made["key"]) as below:
        assert send(below, picture, "a.png", label="internal").status_code == 200
        for label in ("confidential", "restricted", ""):
            refused = send(below, picture, "a.png", **({"label": label} if label else {}))
            assert refused.status_code == 403, f"{label}: {refused.text}"
    strange = httpx.post(f"{pai.url}/pai/v1/ocr", files={"file": ("a.png", picture)}, verify=False)
    assert strange.status_code == 401


def test_an_auditor_has_nothing_read(pai: Installation) -> None:
    pai.ok("user", "add", "auditor@pai.test", "--role", "auditor", "--password-file", str(pai.password_file))
    made = pai.ok(
        "key", "create", "--owner", "auditor@pai.test", "--name", "a", "--scopes", "perception",
        "--owner-password-file", str(pai.password_file),
    )  # fmt: skip
    with pai.web(made["key"]) as web:
        assert send(web, scans.as_bytes(scans.page(("x",))), "a.png").status_code == 403


def test_nothing_is_kept_of_what_is_read(pai: Installation, web: httpx.Client) -> None:
    before = sorted(str(path) for path in pai.home.rglob("*") if path.is_file() and "audit" not in path.parts)
    read(web, scans.as_bytes(scans.page(("Xylophone quartz vexes jumbled fog",))), "once.png")
    after = sorted(str(path) for path in pai.home.rglob("*") if path.is_file() and "audit" not in path.parts)
    assert before == after
    assert b"Xylophone" not in b"".join(
        path.read_bytes() for path in pai.home.rglob("*") if path.is_file() and path.stat().st_size < 5 << 20
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"), (b"<svg onload='alert(1)'></svg>", "bad_picture"), (b"%PDF-1.7\nno more than that", "truncated"),
        (scans.as_bytes(scans.page(("whole",)))[:900], "bad_picture"), (b"\x89PNG\r\n\x1a\n", "bad_picture"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_with_a_reason(web: httpx.Client, data: bytes, code: str) -> None:
    refused = send(web, data, "a.png")
    assert refused.status_code in (400, 415)
    assert refused.json()["error"]["code"] == code


def test_a_chat_with_the_model_that_reads_is_refused(pai: Installation) -> None:
    with pai.web(pai.key("inference")) as web:
        refused = web.post(
            "/v1/chat/completions", json={"model": "default-ocr", "messages": [{"role": "user", "content": "hi"}]}
        )
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "missing_capability"


def send(web: httpx.Client, data: bytes, name: str, **fields: str) -> httpx.Response:
    return web.post("/pai/v1/ocr", data=fields, files={"file": (name, data)})


def read(web: httpx.Client, data: bytes, name: str, **fields: str) -> Any:
    answer = send(web, data, name, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()
