"""Pages, style sheets and modules are of the version that was started, whatever comes to lie on the disk meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pai.entrypoints.web import assets, templating
from pai.entrypoints.web.routes import routes


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the files that pages are made of, for what is started from here on."""
    for module, name in ((assets, "static"), (templating, "templates")):
        shutil.copytree(module.FOLDER, tmp_path / name)
        monkeypatch.setattr(module, "FOLDER", tmp_path / name)
    assets.assets.cache_clear()
    templating.templates.cache_clear()
    yield tmp_path
    assets.assets.cache_clear()
    templating.templates.cache_clear()


def test_newer_files_on_the_disk_change_nothing_of_a_running_server(checkout: Path) -> None:
    services: Any = SimpleNamespace()  # the public pages ask none of them
    app = FastAPI()
    app.include_router(routes(services))
    before = {path.name: path.read_text("utf-8") for path in checkout.rglob("*.*")}
    assert {"ask.html", "ask.js", "pages.css"} <= set(before)
    for path in checkout.rglob("*.*"):
        path.write_text("{% newer %}", "utf-8")
    (checkout / "templates" / "login.html").unlink()
    with TestClient(app) as client:
        assert "<h1>Log in</h1>" in client.get("/login").text
        for name in before:
            if not name.endswith(".html"):
                assert client.get(f"/static/{name}").text == before[name], name
    for name in before:
        if name.endswith(".html"):
            templating.templates().get_template(name)  # compiled from what was there at the start
