"""Each dialect answers every refusal in its own shape, with the statuses and the header of ids that its clients know."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.datastructures import Headers

from pai.core.identity.liveness import Liveness
from pai.core.policy.values import Permission
from pai.core.ports.metrics import SILENT
from pai.entrypoints.anthropic_api.dialect import DIALECT as ANTHROPIC
from pai.entrypoints.http.app import create_app
from pai.entrypoints.http.dialects import Dialect
from pai.entrypoints.http.routing import guarded
from pai.entrypoints.http.services import Services
from pai.entrypoints.ollama_api.dialect import DIALECT as OLLAMA
from pai.entrypoints.openai_api.dialect import DIALECT as OPENAI
from pai.foundation import errors
from pai.foundation.actor import Actor, ActorKind, Role

PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/api/chat", "/pai/v1/things")
KEY = "pai_key"
RAISED: dict[str, Callable[[], Exception]] = {
    "Invalid": lambda: errors.Invalid("m"), "Unauthenticated": lambda: errors.Unauthenticated("m"),
    "Denied": lambda: errors.Denied("m"), "NotFound": lambda: errors.NotFound("m"), "Conflict": lambda: errors.Conflict("m"),
    "TooLarge": lambda: errors.TooLarge("m"), "Unsupported": lambda: errors.Unsupported("m"),
    "Throttled": lambda: errors.Throttled("m", retry_after=7), "Unavailable": lambda: errors.Unavailable("m"),
    "Sealed": lambda: errors.Sealed("m"), "Corrupt": lambda: errors.Corrupt("m"), "surprise": lambda: RuntimeError("secret"),
}  # fmt: skip


@pytest.fixture
def client() -> httpx.AsyncClient:
    router = APIRouter()
    for path in PATHS:

        @guarded(router, "POST", path, Permission.CHAT)
        async def fail(request: Request, kind: str) -> None:
            wanted = RAISED[kind]()
            raise wanted

    async def authenticate(text: str, address: str) -> Actor:
        if text != KEY:
            raise errors.Unauthenticated("no")
        return Actor("usr_1", "a@pai.test", ActorKind.PERSON, Role.MEMBER, key_id="key_1")

    async def denied(*_: object) -> None:
        return None

    services = SimpleNamespace(
        keys=SimpleNamespace(authenticate=authenticate, liveness=Liveness()), oversight=SimpleNamespace(denied=denied),
        hosts=frozenset({"localhost"}), json_bytes=1000, upload_bytes=1000, meter=SILENT,
    )  # fmt: skip
    app = create_app(cast("Services", services), [router], None, [ANTHROPIC, OPENAI, OLLAMA])
    transport = httpx.ASGITransport(cast("Any", app))
    return httpx.AsyncClient(
        transport=transport, base_url="https://localhost", headers={"authorization": f"Bearer {KEY}"}
    )


def dialect_at(path: str) -> Dialect | None:
    return ANTHROPIC if "messages" in path else OPENAI if path.startswith("/v1") else OLLAMA if "/api" in path else None


def checked(path: str, answer: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer whose shape and id are those of the path's dialect."""
    told: dict[str, Any] = answer.json()
    spoken = dialect_at(path)
    request_id = answer.headers["request-id" if spoken is ANTHROPIC else "x-request-id"]
    assert ("x-request-id" in answer.headers) is (spoken is not ANTHROPIC)
    assert request_id.startswith("req_")
    if spoken is ANTHROPIC:
        assert (told["type"], told["request_id"]) == ("error", request_id)
        assert set(told["error"]) == {"type", "message", "details"}
        return cast("dict[str, Any]", told["error"])
    if spoken is OLLAMA:
        assert set(told) == {"error"}
        return {"message": told["error"], "type": ""}
    assert set(told) == {"error"}
    wanted = {"code", "message", "hint"} | ({"type", "param"} if spoken is OPENAI else set())
    assert set(told["error"]) == wanted
    return cast("dict[str, Any]", told["error"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", RAISED)
async def test_every_error_has_the_shape_of_its_dialect(client: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await client.post(path, params={"kind": kind})
    told = checked(path, answer)
    made = RAISED[kind]()
    status = made.status if isinstance(made, errors.PaiError) else 500
    known = {415: 415 if dialect_at(path) is None else 400, 503: 529 if dialect_at(path) is ANTHROPIC else 503}
    assert answer.status_code == known.get(status, status)
    assert "secret" not in answer.text
    assert answer.headers.get("retry-after") == ("7" if kind == "Throttled" else None)
    assert told["message"]


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("Invalid", "invalid_request_error"), ("Unauthenticated", "authentication_error"), ("Denied", "permission_error"),
        ("NotFound", "not_found_error"), ("TooLarge", "request_too_large"), ("Throttled", "rate_limit_error"),
        ("Unsupported", "invalid_request_error"), ("Unavailable", "overloaded_error"), ("surprise", "api_error"),
    ],
)  # fmt: skip
async def test_anthropics_types_of_errors(client: httpx.AsyncClient, kind: str, type_: str) -> None:
    assert checked("/v1/messages", await client.post("/v1/messages", params={"kind": kind}))["type"] == type_


@pytest.mark.parametrize("path", [*PATHS, "/v1/no/such/path", "/api/no/such/path"])
async def test_walls_and_missing_paths_too(client: httpx.AsyncClient, path: str) -> None:
    for sent, status in (
        ({"headers": {"host": "evil.example"}}, 400),
        ({"content": b"x" * 1001}, 413),
        ({"method": "DELETE"}, 404),
    ):
        options: dict[str, Any] = dict(sent)
        answer = await client.request(options.pop("method", "POST"), path, params={"kind": "Invalid"}, **options)
        assert answer.status_code == status, answer.text
        checked(path, answer)
    if path in PATHS:
        answer = await client.post(path)
        assert answer.status_code == 400
        checked(path, answer)


async def test_requests_have_ids_of_their_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.post("/api/chat", params={"kind": "Invalid"})).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("path", PATHS)
async def test_anthropics_header_is_read_in_its_dialect_only(client: httpx.AsyncClient, path: str) -> None:
    del client.headers["authorization"]
    answer = await client.post(path, params={"kind": "Conflict"}, headers={"x-api-key": KEY})
    assert answer.status_code == (409 if dialect_at(path) is ANTHROPIC else 401)
    hint = "x-api-key: KEY" if dialect_at(path) is ANTHROPIC else "Authorization: Bearer KEY"
    assert hint in (await client.post(path)).text


@pytest.mark.parametrize(
    ("path", "spoken"),
    [
        ("/v1/models", True), ("/v1/models/default", True), ("/v1/modelsx", False), ("/v1/chat/completions", False),
        ("/pai/v1/models", False), ("/api/tags", False), ("/", False),
    ],
)  # fmt: skip
def test_the_version_header_is_anthropics_for_models_only(path: str, spoken: bool) -> None:
    assert ANTHROPIC.speaks(path, Headers({"anthropic-version": "2023-06-01"})) is spoken
    assert not ANTHROPIC.speaks(path, Headers())
