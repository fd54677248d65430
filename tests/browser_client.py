"""What a browser does with PAI's pages, over plain HTTP: the cookie, the CSRF token of the page, the form."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from installation import ADMIN, PASSWORD, Installation

HTML = {"accept": "text/html", "sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
NAVIGATION = {**HTML, "sec-fetch-site": "none"}


class BrowserClient:
    """One browser. ``csrf`` is what the last page held; ``address`` is the loopback address that it comes from."""

    def __init__(self, served: Installation, address: str | None = None) -> None:
        trusted = ssl.create_default_context(cafile=str(served.ca))
        transport = httpx.HTTPTransport(verify=trusted, local_address=address)
        self.http = httpx.Client(base_url=served.url, transport=transport, timeout=60, trust_env=False)
        self.csrf = ""

    def close(self) -> None:
        self.http.close()

    @property
    def cookie(self) -> str:
        return self.http.cookies.get("__Host-pai_session", "")

    def log_in(self, email: str = ADMIN, password: str = PASSWORD, back: str = "") -> httpx.Response:
        form = {"email": email, "password": password, "back": back}
        answer = self.http.post("/login", data=form, headers=HTML)
        if answer.status_code == 303:
            self.page("/account")
        return answer

    def page(self, path: str, **headers: str) -> httpx.Response:
        answer = self.http.get(path, headers={**NAVIGATION, **headers})
        found = re.search(r'<meta name="csrf-token" content="([^"]+)">', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """What a module of a page sends."""
        own = {"x-csrf-token": self.csrf, "sec-fetch-site": "same-origin", **headers}
        return self.http.request(method, path, json=body, headers=own)

    def events(self, path: str, body: Any) -> list[dict[str, Any]]:
        answer = self.send("POST", path, body)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    @contextmanager
    def stream(self, path: str, body: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of an answer as they come; leaving it closes the connection."""
        own = {"x-csrf-token": self.csrf, "sec-fetch-site": "same-origin"}
        with self.http.stream("POST", path, json=body, headers=own) as answer:
            assert answer.status_code == 200, answer.read()
            yield (json.loads(line) for line in answer.iter_lines())

    def say(self, text: str, conversation: str = "") -> list[dict[str, Any]]:
        return self.events("/chat/messages", {"conversation": conversation, "text": text})
