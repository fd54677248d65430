"""Families of models on PyTorch say what the library itself says, token by token, alone and beside others; in real workers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import engine_models
from pai.adapters.workers.paged.vocabulary import Vocabulary
from pai.core.ports.engine import ChatRequest, Engine
from test_engine_contract import running
from tiny_families import FAMILIES, MORE, generated

pytestmark = pytest.mark.extra
PROMPTS = ("one two three and the", "the", "and the one and the two and the three and the one and the")
COUNT = 12


async def said(engine: Engine, prompt: list[int]) -> list[bytes]:
    request = ChatRequest(prompt=tuple(prompt), max_tokens=COUNT, temperature=0.0, top_logprobs=0)
    return [one.raw async for delta in engine.chat(request) for one in delta.logprobs]


@pytest.mark.parametrize("family", [*FAMILIES, *MORE])
async def test_the_likeliest_tokens_are_those_of_the_library(family: str, tmp_path: Path) -> None:
    async with running(engine_models.tiny_torch(family), tmp_path) as engine:
        brought = tmp_path / "brought"
        vocabulary = Vocabulary((brought / "tokenizer.json").read_bytes())
        # The longest is longer than the sliding windows here, and read in pieces beside the others.
        prompts = [vocabulary.encode(text) for text in (*PROMPTS, PROMPTS[2] * 20)]
        assert len(prompts[3]) > 400
        wanted = [
            [
                vocabulary.tokens[token] if token < len(vocabulary.tokens) else b""
                for token in generated(brought, prompt, COUNT)
            ]
            for prompt in prompts
        ]
        assert (
            len({token for tokens in wanted for token in tokens}) > 4
        )  # the noise depends on what was said, so that equal answers tell something
        for prompt, likely in zip(prompts, wanted, strict=True):
            assert await said(engine, prompt) == likely
        assert await asyncio.gather(*(said(engine, prompt) for prompt in prompts)) == wanted
