"""Moderations and rerank as their clients meet them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from installation import Installation

STRANGE: list[Any] = [
    None,
    [],
    {},
    5,
    -1,
    True,
    "",
    "\ud800",
    ["\ud800"],
    [[]],
    [{}],
    [5],
    [{"type": "image_url"}],
    "x" * 100_001,
]


@pytest.fixture(scope="module")
def web(served: Installation) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {served.key('inference')}"}
    with httpx.Client(base_url=served.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as client:
        yield client


def test_moderations_as_the_sdk_uses_them(served: Installation, web: httpx.Client) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    key = web.headers["authorization"].removeprefix("Bearer ")
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted)) as sdk:
        told = sdk.moderations.create(input=["I want to kill myself", "a letter"], model="omni-moderation-latest")
        assert told.model == "pai-moderation-1 (echo-embedding)"
        assert [one.flagged for one in told.results] == [True, False]
        assert told.results[0].categories.self_harm_intent
        assert 0 < told.results[0].category_scores.self_harm_intent <= 1
        assert told.results[0].category_applied_input_types.hate == ["text"]
        parts: Any = [{"type": "text", "text": "a letter"}, {"type": "text", "text": "I want to kill myself"}]
        assert [one.flagged for one in sdk.moderations.create(input=parts).results] == [True]
        with pytest.raises(openai.NotFoundError):
            sdk.moderations.create(input="x", model="echo")


def test_rerank_puts_the_answer_first(web: httpx.Client) -> None:
    body = {
        "model": "default-reranker", "query": "when does the ferry leave", "top_n": 2, "return_documents": True,
        "documents": ["roses are red", {"text": "the ferry leaves at noon"}, "ferry"],
    }  # fmt: skip
    told = web.post("/v1/rerank", json=body).json()
    assert told["model"] == "echo-embedding (cosine)"
    assert {result["index"] for result in told["results"]} == {1, 2}
    assert all(0 <= result["relevance_score"] <= 1 for result in told["results"])
    found = next(result for result in told["results"] if result["index"] == 1)
    assert found["document"] == {"text": "the ferry leaves at noon"}
    plain = web.post("/v1/rerank", json={"query": "x", "documents": ["y"], "model": "default-embedding"}).json()
    assert plain["results"] == [{"index": 0, "relevance_score": 0.0}]
    missing = web.post("/v1/rerank", json={"query": "x", "documents": ["y"], "model": "rerank-english-v3.0"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("path", "good", "field"),
    [
        *[("/v1/moderations", {"input": "x"}, name) for name in ("input", "model", "unknown")],
        *[
            ("/v1/rerank", {"query": "x", "documents": ["y"]}, name)
            for name in ("query", "documents", "model", "top_n", "return_documents")
        ],
    ],
)
def test_wrong_types_are_never_a_fault_of_ours(web: httpx.Client, path: str, good: dict[str, Any], field: str) -> None:
    for value in STRANGE:
        content = json.dumps({**good, field: value}).encode()
        answer = web.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 404), (field, str(value)[:50], answer.text)
