"""What an engine keeps that reads a question and a document together; in a real worker process."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine_models
from pai.core.ports.engine import Capability
from pai.foundation.errors import Invalid, Unavailable, Unsupported
from running_engines import registry_for
from tiny_reranker import CONTEXT

FERRY = "when does the ferry leave"


@pytest.mark.parametrize("outputs", [1, 2])
async def test_what_answers_scores_more(outputs: int, tmp_path: Path) -> None:
    model = engine_models.tiny_cross_encoder(tmp_path / "models", outputs)
    async with registry_for(model, tmp_path) as (registry, _):
        engine = await registry.get("default", frozenset({Capability.RERANK}))
        documents = ["roses are red", "the ferry leaves at noon", "ferry", "unknown words only", ""]
        found = await engine.rank(FERRY, documents)
        assert found.scores[1] > 0.9 > 0.3 > found.scores[0]
        assert found.scores[1] > found.scores[2] > found.scores[3]
        assert found.prompt_tokens == sum(8 + len(one.split()) for one in documents)
        # The order and the company of documents change nothing.
        again = await engine.rank(FERRY, documents[::-1])
        assert again.scores[::-1] == pytest.approx(found.scores, abs=1e-6)
        [alone] = (await engine.rank(FERRY, [documents[1]])).scores
        assert alone == pytest.approx(found.scores[1], abs=1e-6)
        assert (await engine.rank(FERRY, [])).scores == ()


async def test_long_documents_are_cut_and_long_questions_refused(tmp_path: Path) -> None:
    async with registry_for(engine_models.tiny_cross_encoder(tmp_path / "models"), tmp_path) as (registry, _):
        engine = await registry.get("default", frozenset({Capability.RERANK}))
        found = await engine.rank(FERRY, ["ferry " + "roses " * 5000, "roses " * 5000 + "ferry leave"])
        assert found.prompt_tokens == 2 * CONTEXT
        assert found.scores[0] > found.scores[1], "what lies behind the cut is not read"
        with pytest.raises(Invalid, match="half of what the model reads"):
            await engine.rank("ferry " * 100, ["ferry"])
        assert (await engine.rank(FERRY, ["ferry"])).scores, "and the next one is answered"


async def test_it_does_nothing_else(tmp_path: Path) -> None:
    async with registry_for(engine_models.tiny_cross_encoder(tmp_path / "models"), tmp_path) as (registry, _):
        assert (await registry.capabilities("default")).supports == {Capability.RERANK}
        for other in (Capability.CHAT, Capability.EMBED, Capability.TOKENISE):
            with pytest.raises(Unsupported):
                await registry.get("default", frozenset({other}))


async def test_a_graph_that_gives_no_relevance_is_not_loaded(tmp_path: Path) -> None:
    """The worker tries a first pair before anybody asks."""
    model = engine_models.tiny_cross_encoder(tmp_path / "models", 3)
    async with registry_for(model, tmp_path) as (registry, _):
        with pytest.raises(Unavailable, match="stopped while it loaded"):
            await registry.get("default", frozenset({Capability.RERANK}))
