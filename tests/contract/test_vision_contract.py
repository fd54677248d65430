"""What an engine keeps that is shown pictures; in a real worker process, with a tiny model whose weights are noise."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import engine_models
from pai.adapters.workers.launcher import RunningWorker
from pai.core.ports.engine import Capability, ChatMessage, ChatRequest
from pai.foundation.errors import Unsupported
from running_engines import asking, registry_for, running, whole
from tiny_vision import TOKENS


def shown(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(made, "PNG")
    return made.getvalue()


def seen(*colours: str, text: str = "what is this", **options: object) -> ChatRequest:
    message = ChatMessage("user", text, images=tuple(shown(colour) for colour in colours))
    return ChatRequest((message,), **{"temperature": 0.0, "max_tokens": 12, **options})  # type: ignore[arg-type]


@pytest.mark.slow
async def test_the_answer_depends_on_the_picture(tmp_path: Path) -> None:
    async with running(engine_models.tiny_seeing, tmp_path) as engine:
        assert Capability.IMAGE_INPUT in engine.capabilities.supports
        red, last = await whole(engine, seen("red"))
        blue, _ = await whole(engine, seen("blue"))
        none, plain = await whole(engine, asking("what is this", max_tokens=12))
        assert len({red, blue, none}) == 3
        assert await whole(engine, seen("red")) == (red, last)
        assert last.usage is not None
        assert plain.usage is not None
        assert last.usage.prompt_tokens == plain.usage.prompt_tokens + TOKENS
        assert await engine.count_prompt(seen("red")) == last.usage.prompt_tokens
        both, two = await whole(engine, seen("red", "blue"))
        other, _ = await whole(engine, seen("blue", "red"))
        assert both != other, "pictures come in their order"
        assert two.usage is not None
        assert two.usage.prompt_tokens == plain.usage.prompt_tokens + 2 * TOKENS


async def test_pictures_of_earlier_turns_are_seen_too(tmp_path: Path) -> None:
    async with running(engine_models.tiny_seeing, tmp_path) as engine:

        async def after(colour: str) -> str:
            turns = (
                ChatMessage("user", "look", images=(shown(colour),)),
                ChatMessage("assistant", "yes"),
                ChatMessage("user", "well?"),
            )
            return (await whole(engine, ChatRequest(turns, max_tokens=12, temperature=0.0)))[0]

        assert await after("red") != await after("blue")


async def test_a_schema_and_log_probabilities_hold_with_a_picture(tmp_path: Path) -> None:
    async with running(engine_models.tiny_seeing, tmp_path) as engine:
        text, _ = await whole(engine, seen("red", json_schema={"enum": ["yes", "no"]}, max_tokens=20))
        assert text in {'"yes"', '"no"'}
        deltas = [delta async for delta in engine.chat(seen("red", top_logprobs=2))]
        assert any(delta.logprobs for delta in deltas), "halves of letters have none"
        assert all(len(one.top) == 2 for delta in deltas for one in delta.logprobs)


@pytest.mark.slow
async def test_places_of_pictures_cannot_be_typed(tmp_path: Path) -> None:
    async with running(engine_models.tiny_seeing, tmp_path) as engine:
        for mark in ("<__media__>", "<__image__>", "<|image|>", "<start_of_image>"):
            text = f"what {mark} is"
            beside, shown_once = await whole(engine, seen("red", text=text))
            assert beside
            _, typed = await whole(engine, asking(text, max_tokens=3))
            assert shown_once.usage is not None
            assert typed.usage is not None
            assert shown_once.usage.prompt_tokens == typed.usage.prompt_tokens + TOKENS, mark


async def test_no_cache_of_pictures_crosses_users(tmp_path: Path) -> None:
    async with running(engine_models.tiny_seeing, tmp_path) as engine:

        async def cached(user: str) -> int:
            _, last = await whole(
                engine, seen("red", cache_key=user, max_tokens=1, text="look at this closely, and say what it is")
            )
            assert last.usage is not None
            return last.usage.cached_tokens

        assert await cached("alice") == 0
        await cached("alice")
        assert await cached("bob") == 0
        assert await cached("carol") == 0


async def test_a_model_without_eyes_says_so(tmp_path: Path) -> None:
    async with registry_for(engine_models.tiny_llama(tmp_path / "models"), tmp_path) as (registry, _):
        with pytest.raises(Unsupported, match="cannot do: image-input"):
            await registry.get("default", seen("red").needs)


async def test_a_file_beside_the_model_that_is_no_projector_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    engine_models.tiny_seeing(folder)
    (folder / "tiny-seeing" / "mmproj.gguf").write_bytes((folder / "tiny-seeing" / "model.gguf").read_bytes())
    model = engine_models.model_of(
        folder, "tiny-seeing", "chat", "llama.cpp", ("model.gguf", "mmproj.gguf"), 1024, None
    )
    async with registry_for(model, tmp_path) as (registry, launcher):
        kinds: list[str] = []
        start = launcher.start

        async def noted(kind: str, *args: Any) -> RunningWorker:
            kinds.append(kind)
            return await start(kind, *args)

        monkeypatch.setattr(launcher, "start", noted)
        with pytest.raises(Exception, match="not clip"):
            await registry.get("default")
        assert kinds == ["model-check"], "the check alone was started, and no engine"
