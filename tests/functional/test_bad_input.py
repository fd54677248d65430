"""Bad input over real processes: hostile files, wrong types, bytes that are no text. Each is refused with one sentence that
says what, why and what to do, and what is good beside it goes in."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from installation import Installation, Result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hostile"))

from make_corpus import corpus, write_corpus

LONE = "\ud800"
"""Half of a surrogate pair: JSON can carry it, UTF-8 cannot."""


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference,knowledge,audit,admin")


@pytest.fixture(scope="module")
def web(served: Installation, key: str) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def collection(web: httpx.Client) -> str:
    return str(web.post("/pai/v1/collections", json={"name": "bad input"}).json()["id"])


def told(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer, which must be one sentence with a way out."""
    assert answer.status_code == status, answer.text[:500]
    error: dict[str, Any] = answer.json()["error"]
    if answer.url.path.startswith("/api/"):
        assert "\n" not in error
        return {"message": error}  # Ollama's clients are told nothing else
    if answer.url.path.startswith("/v1/messages"):
        error |= {"code": error["details"]["error_code"], "hint": error["details"]["hint"]}
    assert error["code"]
    assert error["message"]
    assert error["hint"], error
    assert "\n" not in error["message"]
    return error


def one_line(result: Result, code: int) -> str:
    """What a failed command said: one line on stderr, no traceback."""
    assert result.code == code, (result.code, result.out, result.err)
    lines = result.err.strip().splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("pai: ")
    assert lines[0].endswith(")"), f"no hint: {lines[0]}"
    return lines[0]


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.mark.slow
def test_hostile_files_are_refused_by_name_and_the_good_ones_between_go_in(
    served: Installation, key: str, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    write_corpus(folder)
    (folder / "a-good.txt").write_text("The lighthouse at Kap Orla was painted red in 1962.\n")
    (folder / "z-good.md").write_text("# Notes\n\nThe keeper of the lighthouse was called Runa Velde.\n")
    sparse(folder / "two-gigabytes.pdf", 2 << 30)
    sparse(folder / "larger-than-a-document.txt", 201 << 20)
    as_key = {"PAI_API_KEY": key}
    served.ok("collection", "create", "hostile", **as_key)
    result = served.run("ingest", "hostile", str(folder), "--json", **as_key)
    assert result.code == 3, result.err
    value = result.json
    assert sorted(Path(file["path"]).name for file in value["accepted"]) == ["a-good.txt", "z-good.md"]
    expected = {name: code for name, (code, _) in corpus().items()}
    expected |= {"two-gigabytes.pdf": "too_large", "larger-than-a-document.txt": "too_large"}
    assert {Path(file["path"]).name: file["code"] for file in value["refused"]} == expected
    assert all(file["reason"] and "\n" not in file["reason"] for file in value["refused"])
    listed = served.ok("document", "list", "hostile", **as_key)["documents"]
    assert sorted(document["name"] for document in listed) == ["a-good.txt", "z-good.md"]
    answer = served.ok("ask", "hostile", "Who was the keeper of the lighthouse?", **as_key)
    assert answer["sources"][0]["document"] == "z-good.md"
    identifier = next(
        c["id"] for c in served.ok("collection", "list", **as_key)["collections"] if c["name"] == "hostile"
    )
    blobs = [*(served.home / "collections" / identifier / "blobs").iterdir()]
    assert len(blobs) == 2, "originals of refused files stay on the disk"
    assert served.ok("audit", "verify")["ok"]


@pytest.mark.slow
def test_three_hundred_pages_go_in_whole(served: Installation, key: str, tmp_path: Path) -> None:
    from reportlab.pdfgen import canvas

    path = tmp_path / "ledger.pdf"
    page = canvas.Canvas(str(path))
    for n in range(1, 301):
        page.drawString(72, 720, f"Page {n} of the ledger. Berth number {n} belongs to the ship Halcyon{n}.")
        page.showPage()
    page.save()
    as_key = {"PAI_API_KEY": key}
    served.ok("collection", "create", "ledger", **as_key)
    accepted = served.ok("ingest", "ledger", str(path), **as_key)["accepted"]
    assert accepted[0]["pages"] == 300
    passages = served.ok("document", "show", accepted[0]["document"], **as_key)["passages"]
    text = " ".join(passage["text"] for passage in passages)
    assert [n for n in range(1, 301) if f"Halcyon{n}." not in text] == []
    answer = served.ok("ask", "ledger", "Which berth belongs to the ship Halcyon271?", **as_key)
    assert answer["sources"][0]["page"] == 271


def routes_with_bodies(web: httpx.Client) -> list[tuple[str, str, dict[str, Any], bool]]:
    """Method, path, fields, and whether an empty body is a good one."""
    described = web.get("/pai/v1/openapi.json").json()
    found = []
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            content = route.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
                schema = described["components"]["schemas"][name]
                found.append((method.upper(), path, schema["properties"], not schema.get("required")))
    return found


@pytest.mark.slow
def test_wrong_types_in_every_field_of_every_route_are_400(web: httpx.Client, collection: str) -> None:
    routes = routes_with_bodies(web)
    assert len(routes) >= 6
    strange: list[Any] = [
        None,
        [],
        5,
        -1,
        1e308,
        10**30,
        True,
        {},
        [[[]]],
        {"a": {"b": [None]}},
        LONE,
        [LONE],
    ]
    tried = 0
    for method, path, fields, optional in routes:
        filled = re.sub(r"{collection}", collection, path)
        bodies: list[Any] = [None, [], "x", 5, True, {}, {"unknown": 1}]
        bodies += [{name: value} for name in fields for value in strange]
        bodies += [dict.fromkeys(fields, value) for value in strange]
        for body in bodies:
            # Written here, because the client refuses to send half a surrogate pair that is not escaped.
            content = json.dumps(body).encode()
            answer = web.request(method, filled, content=content, headers={"content-type": "application/json"})
            if optional and answer.status_code == 200:
                continue
            # What a key may not do at all is refused before its body is looked at.
            refused = answer.status_code == 403 and answer.json()["error"]["code"] in ("step_up", "denied")
            assert refused or answer.status_code in (400, 404), (
                method,
                path,
                body,
                answer.status_code,
                answer.text[:300],
            )
            told(answer, answer.status_code)
            tried += 1
    assert tried > 300
    assert web.get("/readyz").status_code == 200


CHAT = {"model": "default", "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", json.dumps({**CHAT, "messages": [{"role": "user", "content": LONE}]})),
        ("/v1/chat/completions", json.dumps({**CHAT, "stop": [LONE]})),
        ("/v1/chat/completions", json.dumps({**CHAT, "model": LONE})),
        (
            "/v1/chat/completions",
            json.dumps({**CHAT, "response_format": {"type": "json_schema", "json_schema": {"schema": {"title": LONE}}}}),
        ),
        ("/v1/chat/completions", json.dumps(CHAT)[:-1] + ', "temperature": NaN}'),
        ("/v1/chat/completions", json.dumps(CHAT)[:-1] + ', "temperature": 1e999}'),
        ("/v1/chat/completions", json.dumps(CHAT)[:-1] + ', "seed": ' + "9" * 5000 + "}"),
        ("/v1/chat/completions", json.dumps({**CHAT, "response_format": {"type": "json_schema"}})),
        (
            "/v1/chat/completions",
            json.dumps({**CHAT, "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": 5}}}}),
        ),
        ("/v1/messages", json.dumps({**CHAT, "max_tokens": 5, "system": LONE})),
        ("/v1/messages", json.dumps({**CHAT, "max_tokens": 5, "stop_sequences": [LONE]})),
        ("/v1/messages", json.dumps({**CHAT, "max_tokens": 5})[:-1] + ', "top_p": NaN}'),
        ("/v1/messages/count_tokens", json.dumps({**CHAT, "model": LONE})),
        ("/api/chat", json.dumps({**CHAT, "messages": [{"role": "user", "content": LONE}]})),
        ("/api/chat", json.dumps({**CHAT, "options": {"stop": LONE}})),
        ("/api/chat", json.dumps(CHAT)[:-1] + ', "keep_alive": 1e999}'),
        ("/api/generate", json.dumps({"model": "default", "prompt": LONE})),
        ("/api/embed", json.dumps({"model": "default-embedding", "input": [LONE]})),
        ("/v1/embeddings", json.dumps({"model": "default-embedding", "input": [LONE]})),
        ("/v1/embeddings", json.dumps({"model": "default-embedding", "input": [[1, 2, 3]]})),
        ("/pai/v1/collections", json.dumps({"name": LONE})),
        ("/pai/v1/collections", json.dumps({"name": "a\0b"})),
        ("/pai/v1/collections", json.dumps({"name": "x" * 100_000})),
        ("/pai/v1/collections", json.dumps({"name": "x", "label": "secret-ish"})),
        ("/pai/v1/keys", json.dumps({"name": "x", "scopes": ["root"]})),
        ("/pai/v1/keys", json.dumps({"name": "x", "scopes": ["audit"], "expires_at": "the day after never"})),
    ],
)  # fmt: skip
def test_values_that_are_valid_json_but_nothing_else_are_400(web: httpx.Client, path: str, body: str) -> None:
    told(web.post(path, content=body.encode(), headers={"content-type": "application/json"}), 400)


@pytest.mark.parametrize(
    "target",
    [
        "/pai/v1/audit/events?limit=many",
        "/pai/v1/audit/events?limit=-1",
        "/pai/v1/audit/events?before=" + "9" * 40,
        "/pai/v1/audit/events?before=1e3",
        "/pai/v1/audit/events?limit=" + "1" * 5000,
    ],
)
def test_wrong_queries_are_400(web: httpx.Client, target: str) -> None:
    told(web.get(target), 400)


@pytest.mark.parametrize(
    "name",
    ["%00", "%FF%FE", "..%2F..%2Fkeys", "%ED%A0%80", "x" * 8000, "col_" + "0" * 26, "%F0%9F%92%A9", "'%20OR%201=1--"],
)
def test_ids_that_are_none_are_404(web: httpx.Client, name: str) -> None:
    for method, path in (
        ("GET", "/pai/v1/collections/{}/documents"), ("GET", "/pai/v1/documents/{}"), ("DELETE", "/pai/v1/documents/{}"),
        ("GET", "/pai/v1/jobs/{}"), ("DELETE", "/pai/v1/keys/{}"), ("GET", "/v1/models/{}"), ("DELETE", "/pai/v1/sessions/{}"),
    ):  # fmt: skip
        told(web.request(method, path.format(name)), 404)


def test_an_unknown_model_is_404_wherever_one_is_named(
    web: httpx.Client, served: Installation, key: str, collection: str
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {**CHAT, "model": "no-such-model"}),
        ("/v1/chat/completions", {**CHAT, "model": "no-such-model", "stream": True}),
        ("/v1/embeddings", {"model": "no-such-model", "input": "x"}),
    ]
    for path, body in asked:
        assert told(web.post(path, json=body), 404)["code"] == "model_not_found"
    text = {"file": ("a.txt", b"The unknown model is asked about the harbour.")}
    job = web.post(f"/pai/v1/collections/{collection}/documents", files=text).json()["id"]
    while web.get(f"/pai/v1/jobs/{job}").json()["state"] in ("queued", "running"):
        time.sleep(0.05)
    for stream in (False, True):
        body = {"question": "What of the harbour?", "model": "no-such-model", "stream": stream}
        assert told(web.post(f"/pai/v1/collections/{collection}/ask", json=body), 404)["code"] == "model_not_found"
    # A model that cannot do what it is asked for is another matter.
    asked_of_chat = web.post("/v1/chat/completions", json={**CHAT, "model": "echo-embedding"})
    assert asked_of_chat.status_code in (200, 415)  # echo can do both
    line = one_line(served.run("chat", "--model", "no-such-model", input="hello\n", PAI_API_KEY=key), 1)
    assert "no-such-model" in line


def test_ten_megabytes_of_valid_json_are_413_on_every_dialect(web: httpx.Client, collection: str) -> None:
    large = "word " * (2 << 20)
    bodies: list[tuple[str, Any]] = [
        ("/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": large}]}),
        ("/v1/embeddings", {"model": "default-embedding", "input": large}),
        ("/pai/v1/collections", {"name": large}),
        (f"/pai/v1/collections/{collection}/ask", {"question": large}),
    ]
    for path, body in bodies:
        assert told(web.post(path, json=body), 413)["code"] == "too_large"
    # A question within the limit of bytes may still be too long to be one.
    told(web.post(f"/pai/v1/collections/{collection}/ask", json={"question": "word " * 200_000}), 400)


def multipart(disposition: bytes, content: bytes = b"text", end: bytes = b"--b--\r\n") -> bytes:
    return b"--b\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + content + b"\r\n" + end


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/json", b"{}", "bad_content_type"),
        ("multipart/form-data", multipart(b'form-data; name="file"; filename="a.txt"'), "bad_multipart"),
        ("multipart/form-data; boundary=b", b"", "bad_multipart"),
        ("multipart/form-data; boundary=b", b"nothing of the kind", "bad_multipart"),
        ("multipart/form-data; boundary=b", multipart(b'form-data; name="subject"'), "no_file"),
        ("multipart/form-data; boundary=b", multipart(b'form-data; name="else"; filename="a.txt"'), "bad_multipart"),
        ("multipart/form-data; boundary=b", multipart(b'form-data; name="else"'), "bad_multipart"),
        ("multipart/form-data; boundary=b", multipart(b'attachment; filename="a.txt"'), "bad_multipart"),
        ("multipart/form-data; boundary=b", multipart(b'form-data; name="file"; filename="a.txt"', end=b""), "bad_multipart"),
        ("multipart/form-data; boundary=b", multipart(b'form-data; name="file"; filename="' + b"x" * 20_000), "bad_multipart"),
    ],
)  # fmt: skip
def test_malformed_uploads_are_400_and_leave_nothing(
    web: httpx.Client, served: Installation, collection: str, kind: str, body: bytes, code: str
) -> None:
    path = f"/pai/v1/collections/{collection}"
    before = len(web.get(f"{path}/documents").json()["documents"]), blobs(served, collection)
    error = told(web.post(f"{path}/documents", content=body, headers={"content-type": kind}), 400)
    assert error["code"] == code
    assert (len(web.get(f"{path}/documents").json()["documents"]), blobs(served, collection)) == before


def blobs(served: Installation, collection: str) -> list[str]:
    return sorted(path.name for path in (served.home / "collections" / collection).glob("blobs/*"))


def test_a_file_name_that_is_no_utf8_is_shown_with_marks(web: httpx.Client, served: Installation, key: str) -> None:
    identifier = web.post("/pai/v1/collections", json={"name": "odd names"}).json()["id"]
    body = multipart(b'form-data; name="file"; filename="caf\xe9\xff.txt"', b"The kettle is green.")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert web.post(f"/pai/v1/collections/{identifier}/documents", content=body, headers=headers).status_code == 202
    folder = served.folder / "odd names"
    folder.mkdir()
    (folder / os.fsdecode(b"na\xefve\xff.txt")).write_text("The saucer is blue.")
    (folder / "line\nbreak.txt").write_text("The spoon is tin.")
    result = served.run("ingest", "odd names", str(folder), "--json", PAI_API_KEY=key)
    assert result.code == 0, result.err
    assert len(result.json["accepted"]) == 2
    shown = served.run("ingest", "odd names", str(folder), PAI_API_KEY=key)
    assert shown.code == 0, shown.err
    names = [d["name"] for d in served.ok("document", "list", "odd names", PAI_API_KEY=key)["documents"]]
    assert sorted(names) == ["caf\ufffd\ufffd.txt", "line%0Abreak.txt", "na\ufffdve\ufffd.txt"]


def test_arguments_that_are_no_utf8_get_a_sentence(served: Installation, key: str) -> None:
    for arguments in (
        ["ask", "bad input", b"caf\xe9?"], ["collection", "create", b"\xff"], ["ingest", "bad input", b"/no/such/\xff"],
        ["user", "add", b"\xff@pai.test"], ["models", "show", b"\xff"],
    ):  # fmt: skip
        command = [os.fsencode(part) for part in served.command()] + [
            part if isinstance(part, bytes) else part.encode() for part in arguments
        ]
        done = subprocess.run(
            command, env=served.environment(PAI_API_KEY=key), capture_output=True, check=False, timeout=60
        )
        assert done.returncode in (1, 2), (arguments, done)
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        assert len(lines) == 1, (arguments, done.stderr)
        assert lines[0].startswith("pai: ")


def test_bytes_that_are_no_http_do_not_stop_the_server(served: Installation, web: httpx.Client) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    lines = [
        b"\x16\x03\x01\xff\xff" * 50, b"GET / HTTP/9.9\r\n\r\n", b"GET /pai/v1/me\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /pai/v1/me HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * (1 << 20) + b"\r\n\r\n",
        b"GET /pai/v1/me HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /pai/v1/me HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: attacker.example\r\n\r\n",
    ]  # fmt: skip
    for sent in lines:
        with (
            socket.create_connection(("127.0.0.1", served.port), 10) as plain,
            trusted.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            answered = b""
            try:
                tls.sendall(sent)
                answered = tls.recv(65536)
            except OSError:
                pass  # hanging up on such bytes is as good as a status
            assert not answered or answered.split(b" ")[1] in (b"400", b"401", b"404", b"431"), answered[:200]
    with socket.create_connection(("127.0.0.1", served.port), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no TLS at all
        assert not plain.recv(1000).startswith(b"HTTP")
    assert web.get("/readyz").status_code == 200


@pytest.mark.slow
def test_a_wrong_address_key_or_authority_gets_a_sentence(served: Installation, key: str, tmp_path: Path) -> None:
    no_ca = tmp_path / "ca.pem"
    no_ca.write_text("not a certificate\n")
    other_ca = tmp_path / "other.pem"
    other_ca.write_text(Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt").read_text())
    for code, env in (
        (2, {"PAI_URL": "http://localhost:1"}),
        (2, {"PAI_URL": "https://[::1"}),
        (1, {"PAI_URL": "https://localhost:1"}),
        (2, {"PAI_CA_FILE": str(no_ca)}),
        (2, {"PAI_CA_FILE": str(tmp_path / "missing.pem")}),
        (1, {"PAI_CA_FILE": str(other_ca)}),
        (1, {"PAI_API_KEY": "pai_wrong"}),
        (2, {"PAI_API_KEY": "schlüssel"}),
        (2, {"PAI_PORT": "eighty"}),
    ):
        line = one_line(served.run("collection", "list", **{"PAI_API_KEY": key, **env}), code)
        assert key not in line
        assert "schlüssel" not in line


def test_files_that_cannot_be_taken_get_a_sentence(served: Installation, key: str, tmp_path: Path) -> None:
    as_key = {"PAI_API_KEY": key}
    fifo = tmp_path / "pipe.txt"
    os.mkfifo(fifo)
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    for path in (fifo, tmp_path / "missing.txt", loop, Path("/dev/zero")):
        one_line(served.run("ingest", "bad input", str(path), **as_key), 2)
    good = tmp_path / "good.txt"
    good.write_text("The gate is locked at nine.")
    # A broken link in a folder is told and the rest goes in, as with any bad file.
    folder = served.run("ingest", "bad input", str(tmp_path), "--json", **as_key)
    assert folder.code == 3, folder.err
    assert [Path(file["path"]).name for file in folder.json["accepted"]] == ["good.txt"]
    assert {Path(file["path"]).name for file in folder.json["refused"]} == {"loop.txt"}
    one_line(served.run("ingest", "no such collection", str(good), **as_key), 1)


def test_a_reader_that_closes_the_pipe_ends_a_command_quietly(served: Installation) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        served.command("audit", "tail", "--limit", "500", "--json"), env=served.environment(), stdout=writing, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    _, errors = process.communicate(timeout=60)
    assert errors == ""
    assert process.returncode == 1


def test_a_client_that_says_more_than_it_sends_is_let_go(served: Installation, key: str, collection: str) -> None:
    """The body ends before its content-length: nothing is stored, and the connection's place is free again."""
    trusted = ssl.create_default_context(cafile=str(served.ca))
    before = blobs(served, collection)
    body = multipart(b'form-data; name="file"; filename="a.txt"', b"x" * 300_000, end=b"")
    for _ in range(6):  # more than uploads may run at once: a place that stayed taken would show
        connection = http.client.HTTPSConnection("localhost", served.port, context=trusted, timeout=20)
        connection.putrequest("POST", f"/pai/v1/collections/{collection}/documents")
        connection.putheader("authorization", f"Bearer {key}")
        connection.putheader("content-type", "multipart/form-data; boundary=b")
        connection.putheader("content-length", str(len(body) + 1000))
        connection.endheaders()
        connection.send(body)
        connection.close()
    good = served.folder / "after the cut-off ones.txt"
    good.write_text("The ferry leaves at six.")
    assert served.ok("ingest", "bad input", str(good), PAI_API_KEY=key)["accepted"]
    end = time.monotonic() + 10
    while len(left := blobs(served, collection)) > len(before) + 1 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(left) == len(before) + 1, "an upload that was cut off left something"


def test_nothing_of_all_this_came_out_as_a_surprise(served: Installation) -> None:
    """Whatever was not foreseen is logged as unexpected; after all of the above there must be none."""
    said = io.StringIO((served.folder / "serve.err").read_text())
    assert [line for line in said if "unexpected" in line or "Traceback" in line] == []
