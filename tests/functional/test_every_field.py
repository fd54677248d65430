"""Every field of every request below /v1 and /api with values that nobody means: each is answered or refused in its dialect's own
shape, in a moment, and nobody else notices. The fields are walked by the description that PAI gives of itself."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from installation import Installation

HERE = "@here@"
CHAT = {"model": "default", "messages": [{"role": "user", "content": "x"}]}
TOOL = {"name": "look_up", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
GOOD: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "default", "prompt": "x"},
    "/v1/responses": {"model": "default", "input": "x"},
    "/v1/embeddings": {"model": "default-embedding", "input": "x"},
    "/v1/moderations": {"input": "x"},
    "/v1/rerank": {"query": "x", "documents": ["x"]},
    "/v1/batches": {"input_file_id": "file_none", "endpoint": "/v1/embeddings", "completion_window": "24h"},
    "/v1/vector_stores": {},
    "/v1/vector_stores/{collection}": {},
    "/v1/vector_stores/{collection}/files": {"file_id": "file_none"},
    "/v1/vector_stores/{collection}/file_batches": {"file_ids": ["file_none"]},
    "/v1/vector_stores/{collection}/search": {"query": "x"},
    "/v1/messages": {**CHAT, "max_tokens": 5},
    "/v1/messages/count_tokens": CHAT,
    "/api/chat": {**CHAT, "stream": False},
    "/api/generate": {"model": "default", "prompt": "x", "stream": False},
    "/api/embed": {"model": "default-embedding", "input": "x"},
    "/api/embeddings": {"model": "default-embedding", "prompt": "x"},
    "/api/show": {"model": "default"},
}
MOST_SECONDS = 10
"""Far more than an answer takes, for tests run on busy machines too; a parser that loses itself takes longer."""
DEEP = b'{"items":' * 400 + b"{}" + b"}" * 400
STRANGE = (b"null", b"1" + b"0" * 30, b'"' + b"x" * 20_000 + b'"', b"[{}]", DEEP)
"""Values for every place."""
MORE = (b"true", b"[]", b"-1", b"-1e308", b'""', b'"\\u0000"', b'"aGk\xc3\xbc="', b"{}", b'{"$ref":"#"}')
"""Values for what stands on top, besides."""
NO_JSON = (b"NaN", b"-Infinity", b"1e999", b'"\xff"', b'"\\ud800"', b"[" * 100_000, b"")


class Wire:
    """One connection, for bodies that no client would send."""

    def __init__(self, served: Installation, key: str) -> None:
        self._open = lambda: http.client.HTTPSConnection(
            "localhost", served.port, context=ssl.create_default_context(cafile=str(served.ca)), timeout=60
        )
        self._connection = self._open()
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, {**self._headers, **headers})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except ConnectionError:  # refused before it was read, and hung up
            self._connection.close()
            self._connection = self._open()
            raise


@pytest.fixture(scope="module")
def wire(served: Installation) -> Iterator[Wire]:
    made = Wire(served, served.key("inference,knowledge"))
    yield made
    made.close()


def told(path: str, status: int, body: bytes) -> str:
    """What a refusal says, which has the shape of its dialect."""
    answer = json.loads(body)
    if path.startswith("/api"):
        assert set(answer) == {"error"}
        message = answer["error"]
    elif path.startswith("/v1/messages"):
        assert (set(answer), answer["type"]) == ({"type", "error", "request_id"}, "error")
        message = answer["error"]["message"]
        assert set(answer["error"]) == {"type", "message", "details"}
    else:
        assert set(answer["error"]) == {"message", "type", "param", "code", "hint"}
        message = answer["error"]["message"]
    assert 5 < len(message) < 600, message
    assert status in (400, 404, 409, 413), (status, message)
    return str(message)


class Description:
    """PAI's description of itself."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._schemas = described["components"]["schemas"]
        self._tried: set[str] = set()
        self.routes = {
            path: (method.upper(), operation["requestBody"]["content"]["application/json"]["schema"])
            for path, methods in described["paths"].items()
            for method, operation in methods.items()
            if path.startswith(("/v1", "/api")) and "application/json" in operation.get("requestBody", {}).get("content", {})
        }  # fmt: skip

    def of(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema itself, if it is a name for one."""
        return self._schemas[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema

    def simple(self, schema: dict[str, Any]) -> Any:
        """A small instance."""
        schema = self.of(schema)
        for many in ("anyOf", "oneOf"):
            if many in schema:
                return self.simple(schema[many][0])
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else schema["enum"][0]
        match schema.get("type"):
            case "object":
                return {name: self.simple(schema["properties"][name]) for name in schema.get("required", ())}
            case "array":
                return [self.simple(schema.get("items", {}))]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return False
            case _:
                return schema.get("default", "x")

    def fields(self, path: str, schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The bodies to try by the place of their strange value. Deep places that other routes of a dialect have too are tried there."""
        found: dict[str, dict[str, Any]] = {}
        dialect = path.split("/")[1:3] if path.startswith("/v1/messages") else path.split("/")[1]
        for where, value in self.places(schema):
            name = where.lstrip(".").replace("[", ".").split(".")[0]
            key = f"{dialect}{where}"
            if where and not (where != f".{name}" and key in self._tried):
                self._tried.add(key)
                found.setdefault(where, {**GOOD[path], name: value[name]})
        return found

    def places(self, schema: dict[str, Any], within: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
        """Every field, as its name and an instance with ``HERE`` in its place."""
        name = schema.get("$ref", "")
        if name in within:
            return
        inside, schema = (*within, name) if name else within, self.of(schema)
        yield "", HERE
        for branch in (one for many in ("anyOf", "oneOf") for one in schema.get(many, ())):
            yield from (found for found in self.places(branch, inside) if found[0])
        for field, inner in schema.get("properties", {}).items():
            for path, value in self.places(inner, inside):
                yield f".{field}{path}", {**self.simple(schema), field: value}
        if "items" in schema:
            for path, value in self.places(schema["items"], inside):
                yield f"[]{path}", [value]


@pytest.fixture(scope="module")
def description(wire: Wire) -> Description:
    return Description(json.loads(wire.send("GET", "/pai/v1/openapi.json")[1]))


@pytest.fixture(scope="module")
def collection(wire: Wire) -> str:
    return str(json.loads(wire.send("POST", "/v1/vector_stores", b'{"name":"every field"}')[1])["id"])


def still_well(wire: Wire) -> None:
    for path in ("/v1/chat/completions", "/v1/messages", "/api/chat"):
        status, body = wire.send("POST", path, json.dumps(GOOD[path]).encode())
        assert status == 200, body
        assert b"Echo: x" in body


def test_every_route_with_a_body_is_walked(description: Description) -> None:
    assert set(description.routes) == set(GOOD)


@pytest.mark.slow
@pytest.mark.parametrize("path", GOOD)
def test_every_field_takes_every_value(wire: Wire, description: Description, collection: str, path: str) -> None:
    method, schema = description.routes[path]
    target = re.sub(r"{collection}", collection, path)
    good, tried = GOOD[path], 0
    for where, body in description.fields(path, schema).items():
        before, after = json.dumps(body).encode().split(json.dumps(HERE).encode(), 1)
        for strange in (*STRANGE, *(MORE if where.count(".") == 1 else ())):
            began = time.monotonic()
            status, answer = wire.send(method, target, before + strange + after)
            seen = (where, strange[:40], status, answer[:300])
            assert status < 500, seen
            assert time.monotonic() - began < MOST_SECONDS, seen
            if status != 200:
                assert told(path, status, answer), seen
            tried += 1
    for name in good:
        lacking = {field: value for field, value in good.items() if field != name}
        status, answer = wire.send(method, target, json.dumps(lacking).encode())
        assert status == 200 or name in told(path, status, answer)
    assert tried >= 14
    for strange in NO_JSON:
        status, answer = wire.send(method, target, b'{"model":' + strange + b"}")
        assert "JSON" in told(path, status, answer)
    still_well(wire)


MANY = b"[" + b"{}," * 1_000_000 + b"{}]"
"""Small things, very many: each would be an error of its own."""
LOOP = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
ENDLESS = {"$ref": "#"}
GROWING = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
NUL_PICTURE = "data:image/png;base64,AAAA"


def put(path: str, **fields: Any) -> tuple[str, bytes]:
    return path, json.dumps({**GOOD[path], **fields}).encode()


def raw(path: str, field: str, value: bytes) -> tuple[str, bytes]:
    return path, json.dumps({**GOOD[path], field: HERE}).encode().replace(json.dumps(HERE).encode(), value, 1)


def content(kind: bytes) -> bytes:
    return b'[{"role":"user","content":' + kind + b"}]"


HOSTILE: list[tuple[str, bytes]] = [
    *(raw(path, "messages", content(MANY)) for path in ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/api/chat")),
    *(raw(path, "tools", MANY) for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat")),
    raw("/v1/messages", "system", MANY), raw("/v1/responses", "input", content(MANY)), raw("/v1/embeddings", "input", MANY),
    raw("/v1/embeddings", "input", b"[" + MANY + b"]"), raw("/api/embed", "input", MANY), raw("/v1/rerank", "documents", MANY),
    raw("/v1/moderations", "input", MANY), raw("/v1/vector_stores", "file_ids", MANY),
    raw("/v1/chat/completions", "metadata", b"{" + b",".join(b'"%d":1' % n for n in range(300_000)) + b"}"),
    raw("/v1/messages", "tools", b'[{"name":"a","input_schema":{"required":' + MANY + b"}}]"),
    put("/v1/chat/completions", tools=[FUNCTION] * 10_000), put("/v1/messages", tools=[TOOL] * 10_000),
    put("/v1/chat/completions", n=9), put("/v1/completions", n=-1),
    # Pictures: no model here sees any, and nothing decodes one before that is known.
    put("/api/generate", images=["AAAA" * 500_000]), put("/api/generate", images=["http://localhost/a.png"]),
    put("/v1/messages", messages=[{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA" * 500_000}}]}]),
    put("/v1/chat/completions", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": NUL_PICTURE}}]}]),
    put("/v1/chat/completions", messages=[{"role": "user", "content": [{"type": "text", "text": "x", "image_url": {"url": "http://a"}}]}]),
    put("/v1/responses", input=[{"role": "user", "content": [{"type": "input_image", "image_url": "https://a/b.png"}]}]),
    # Schemas that have no end.
    *(put("/v1/chat/completions", response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
      for schema in (LOOP, ENDLESS, GROWING)),
    *(put("/v1/messages", output_config={"format": {"type": "json_schema", "schema": schema}}) for schema in (LOOP, ENDLESS, GROWING)),
    *(put("/api/chat", format=schema) for schema in (LOOP, ENDLESS, GROWING)),
    put("/v1/messages", output_config={"format": {"type": "json_schema", "schema": {"type": "array", "minItems": 10**9}}}),
    put("/v1/chat/completions", messages=[*CHAT["messages"], {"role": "assistant", "tool_calls": [
        {"id": "a", "function": {"name": "a", "arguments": "[" * 100_000 + "]" * 100_000}}]}]),
    put("/v1/messages", tools=[{**TOOL, "input_schema": LOOP}], tool_choice={"type": "any"}),
    put("/v1/chat/completions", tools=[{"type": "function", "function": {"name": "a", "parameters": LOOP}}], tool_choice="required"),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(HOSTILE)))
def test_what_is_meant_to_hurt_is_refused(wire: Wire, at: int) -> None:
    path, body = HOSTILE[at]
    began = time.monotonic()
    status, answer = wire.send("POST", path, body)
    assert told(path, status, answer)
    assert time.monotonic() - began < MOST_SECONDS
    still_well(wire)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
def test_fifty_megabytes_are_413_before_they_are_read(served: Installation, path: str) -> None:
    wire = Wire(served, "none")
    status, answer = wire.send("POST", path, b"x" * 100, **{"content-length": str(50 << 20)})
    wire.close()
    assert status == 413
    assert "larger than" in told(path, status, answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        (method, path, status)
        for root in ("/v1", "/v1/messages", "/api")
        for method, path, status in (
            ("POST", f"{root}/none", 404),
            ("DELETE", root, 404),
            ("PATCH", f"{root}/none", 404),
        )
    ],
)
def test_what_is_not_there_is_told_in_the_shape_of_its_dialect(wire: Wire, method: str, path: str, status: int) -> None:
    found, answer = wire.send(method, path)
    assert found == status
    told(path, found, answer)


def test_nothing_of_all_this_was_a_surprise(served: Installation) -> None:
    said = (served.folder / "serve.err").read_text()
    assert [line for line in said.splitlines() if "unexpected" in line or "Traceback" in line] == []
