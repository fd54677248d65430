"""The main job in a real browser: log in, make a collection, upload, ask, open the citation, chat, log out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from docx import Document
from reportlab.pdfgen.canvas import Canvas

from browser.chromium import MISSING, Chromium
from installation import ADMIN, PASSWORD, Installation
from pai.foundation.time import utc_now

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
QUOTE = "Mara Voss keeps the only key to the archive in the blue cabinet."


@pytest.fixture
def chromium(served: Installation, tmp_path: Path) -> Iterator[Chromium]:
    browser = Chromium(tmp_path, served.ca)
    browser.start()
    yield browser
    browser.stop()


def log_in(browser: Chromium, served: Installation) -> None:
    browser.open(f"{served.url}/")
    browser.wait_for("input[name=email]")
    browser.type("input[name=email]", ADMIN)
    browser.type("input[name=password]", PASSWORD)
    browser.click("form button.primary")
    browser.wait_for("[data-composer]")


def save_receipt(browser: Chromium, folder: Path, button: str) -> Any:
    """Click, and return what was saved."""
    folder.mkdir()
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.click(button)
    browser.wait(lambda: bool(list(folder.glob("pai-receipt-*.json"))), "the receipt's file")
    return json.loads(next(folder.glob("pai-receipt-*.json")).read_text("utf-8"))


def sample_files(folder: Path) -> list[Path]:
    pdf, docx, broken = folder / "archive.pdf", folder / "visit.docx", folder / "broken.pdf"
    canvas = Canvas(str(pdf), invariant=1)
    canvas.drawString(72, 720, "House rules")
    canvas.drawString(72, 700, QUOTE)
    canvas.drawString(72, 680, "Visitors sign the green book at the door.")
    canvas.save()
    document = Document()
    document.add_heading("Visit of 14 March", 1)
    document.add_paragraph("The patient came with a cough. The next visit is on 2 April at nine.")
    document.save(str(docx))
    broken.write_bytes(b"%PDF-1.7\nnothing follows")
    return [pdf, docx, broken]


@pytest.mark.parametrize(("width", "height", "theme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_main_job(
    chromium: Chromium, served: Installation, tmp_path: Path, width: int, height: int, theme: str
) -> None:
    browser, name = chromium, f"Browser job {width}"
    browser.screen(width, height, theme)
    log_in(browser, served)

    browser.open(f"{served.url}/collections")
    browser.click("[data-open=new-collection]")
    browser.type("#new-collection input[name=name]", name)
    browser.click("#new-collection button.primary")
    browser.wait(lambda: browser.text("h1") == name, "the collection's page")

    collection = browser.url.rpartition("/")[2]
    files = sample_files(tmp_path)
    browser.type("[data-files]", "\n".join(str(path) for path in files))
    browser.wait(lambda: browser.text("[data-upload-summary]") == "2 added, 1 refused.", "the end of the upload", 60)
    assert browser.text("[data-uploads-title]") == "Done"
    assert browser.text(".upload.refused .upload-name") == "broken.pdf"
    assert len(browser.text(".upload.refused .upload-why")) > 10
    browser.picture(f"upload-{width}-{theme}")
    browser.wait(
        lambda: browser.text("[data-count]") == "2 documents", "the list of documents, without loading the page"
    )
    assert not browser.see("[data-none]")
    assert "archive.pdf" in browser.text("table.list")
    assert "visit.docx" in browser.text("table.list")
    assert "broken.pdf" not in browser.text("table.list")
    shown = browser.text("table.list")
    browser.open(browser.url)
    browser.wait_for("table.list")
    assert browser.text("table.list") == shown, "rows made in the browser look like those of the server"

    browser.click("table.list a.file")
    browser.wait_for(".sheet")
    assert browser.text("h1") == "archive.pdf"
    assert QUOTE in browser.text(".sheet")
    browser.picture(f"document-{width}-{theme}")
    browser.click(".crumbs a:last-child")
    browser.wait_for("table.list")

    browser.click(".page-head a.primary")
    browser.wait_for("#what")
    browser.type("#what", "Who keeps the key to the archive?")
    browser.press("enter")
    browser.wait_for(".prose .cite", 60)
    browser.wait_for(".source")
    assert "archive.pdf" in browser.text(".source")
    browser.click(".prose .cite")
    browser.wait_for(".passage mark")
    assert "archive" in browser.text(".passage mark")
    assert browser.text(".passage mark").strip() in QUOTE
    browser.picture(f"passage-{width}-{theme}")
    browser.press("escape")
    browser.wait(lambda: not browser.see(".passage"), "the passage to close")
    assert browser.js("return document.activeElement.className") == "cite"
    browser.picture(f"answer-{width}-{theme}")
    saved = save_receipt(browser, tmp_path / "from-ask", "[data-receipt] button")
    assert saved["format"] == "pai-receipt"
    assert f"event {saved['event']['index']}" in browser.text("[data-receipt]")
    assert QUOTE not in json.dumps(saved)

    browser.open(f"{served.url}/chat")
    browser.wait_for("[data-composer]")
    browser.type("#say", "Say **hello** to <b>everyone</b>")
    browser.press("enter")
    browser.wait_for(".turn.assistant .by", 60)
    assert browser.text(".turn.user .said") == "Say **hello** to <b>everyone</b>"
    assert browser.js("return document.querySelectorAll('.turn b').length") == 0
    browser.wait(lambda: "/chat/cnv_" in browser.url, "the conversation's address")
    browser.wait_for(".turn.assistant .receipt button")
    browser.picture(f"chat-{width}-{theme}")
    assert save_receipt(browser, tmp_path / "from-chat", ".turn.assistant .receipt button")["openings"]["answer"]
    browser.open(browser.url)
    browser.wait_for(".turn.assistant .prose")
    assert "AI generated" in browser.text(".turn.assistant .by")
    assert not browser.js("return document.documentElement.scrollWidth > innerWidth")

    browser.open(f"{served.url}/collections")
    browser.picture(f"collections-{width}-{theme}")
    browser.click(f"a.tile:has(.tile-name)[href$='{collection}']")
    browser.wait_for("table.list")
    browser.click("section.box button.danger")
    browser.wait_for("dialog[open] button.danger")
    assert browser.text("dialog[open] button.danger") == "Delete the collection"
    browser.picture(f"delete-{width}-{theme}")
    browser.click("dialog[open] button.danger")
    browser.wait(lambda: browser.url.endswith("/collections"), "the list of collections")
    assert name not in browser.text("main")

    browser.open(f"{served.url}/account")
    browser.wait_for(".page-head button")
    browser.picture(f"account-{width}-{theme}")
    browser.click(".page-head button")
    browser.wait_for("input[name=password]")
    assert browser.url.endswith("/login")
    browser.open(f"{served.url}/collections")
    browser.wait_for("input[name=password]")
    assert not browser.see(".shell")

    own = (served.url, f"blob:{served.url}", "data:", "chrome:", "about:")
    outside = [url for url in browser.requested() if not url.startswith(own)]
    assert outside == []
    # The one thing the console may say is that the page behind a log-out answered 401.
    assert [line for line in browser.complaints() if "status of 401" not in line] == []


def test_the_certificate_is_checked(served: Installation, tmp_path: Path) -> None:
    """Positive control: a browser that was given another CA refuses the page."""
    other = tmp_path / "other.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Another CA")])
    day = timedelta(days=1)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 7, utc_now() - day, utc_now() + day)
    other.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    browser = Chromium(tmp_path, other)
    browser.start()
    try:
        browser.open(f"{served.url}/login")
        assert "ERR_CERT_AUTHORITY_INVALID" in browser.js("return document.documentElement.innerHTML")
        assert not browser.see("input[name=password]")
    finally:
        browser.stop()


def test_stop_keeps_what_was_said_and_frees_the_composer(chromium: Chromium, served: Installation) -> None:
    log_in(chromium, served)
    chromium.type("#say", "word " * 3000)
    chromium.press("enter")
    chromium.wait(lambda: chromium.see("[data-stop]") or chromium.see(".turn.assistant .by"), "the answer to begin")
    if chromium.see("[data-stop]"):
        chromium.press("escape")
    chromium.wait_for(".turn.assistant .by")
    chromium.wait_for("[data-go]")


def test_keyboard_reaches_the_content_first(chromium: Chromium, served: Installation) -> None:
    log_in(chromium, served)
    chromium.open(f"{served.url}/collections")
    chromium.press("tab")
    assert chromium.js("return document.activeElement.className") == "skip"
    chromium.press("enter")
    assert chromium.js("return document.activeElement.id") == "main"
