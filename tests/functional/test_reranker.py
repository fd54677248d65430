"""A reranker from the folder that an operator brings to the order that a client gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from installation import Installation
from tiny_reranker import tiny_reranker

BODY = {"query": "when does the ferry leave", "documents": ["roses are red", "ferry", "the ferry leaves at noon"]}


@pytest.fixture
def pai(fresh: Installation) -> Installation:
    fresh.start()
    return fresh


def rerank(web: httpx.Client, **change: Any) -> httpx.Response:
    return web.post("/v1/rerank", json={**BODY, **change})


def test_a_reranker_is_imported_activated_used_and_taken_back(pai: Installation, tmp_path: Path) -> None:
    tiny_reranker(tmp_path / "brought")
    command = ("models", "import", str(tmp_path / "brought"), "--name", "tiny", "--task", "rerank", "--licence", "none")
    with pai.web(pai.key("inference")) as web:
        before = rerank(web).json()
        assert before["model"] == "echo-embedding (cosine)"
        made = pai.ok(*command)
        assert (made["task"], made["engine"], made["format"]) == ("rerank", "onnxruntime", "onnx")
        assert rerank(web).json()["model"] == before["model"], "no alias means it yet"
        by_name = rerank(web, model="tiny").json()
        assert by_name["model"] == "tiny"
        told = pai.run("models", "activate", "tiny", "--alias", "default-embedding")
        assert (told.code, "is for rerank" in told.err) == (1, True)
        assert pai.run("models", "activate", "tiny").code == 1
        assert pai.run("models", "activate", "echo-embedding", "--alias", "default-reranker").code == 1
        pai.ok("models", "activate", "tiny", "--alias", "default-reranker")
        after = rerank(web).json()
        assert after["model"] == "tiny"
        assert [one["index"] for one in after["results"]] == [2, 1, 0]
        assert after["usage"]["prompt_tokens"] == 3 * 8 + 9
        assert rerank(web, model="default-embedding").json()["model"] == "echo-embedding (cosine)"
        refused = rerank(web, query="ferry " * 300)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
        for path, body in (
            ("/v1/embeddings", {"input": "x"}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
        ):
            answer = web.post(path, json={"model": "tiny", **body})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "missing_capability")
    found = pai.ok("audit", "tail", "--limit", "40")["events"]
    events = [event for event in found if event["name"] == "models:rerank:create"]
    assert [event["model"]["name"] for event in events].count("tiny") == 3, (
        "by name, by the alias, and what the worker refused"
    )
    assert "ferry" not in str(found)


def test_a_folder_without_a_reranker_is_told(pai: Installation, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = pai.run("models", "import", str(tmp_path / "empty"), "--name", "tiny", "--task", "rerank")
    assert told.code == 1
    assert "tokenizer.json" in told.err
    assert not any((pai.home / "tmp").iterdir())
