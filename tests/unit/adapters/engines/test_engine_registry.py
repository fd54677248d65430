from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import engine_models
from model_files import gguf_file
from pai.adapters.engines.conversion import WorkerConverter
from pai.adapters.engines.model_files import Examiner
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.metrics.counters import Counters
from pai.adapters.workers.launcher import LocalLauncher, RunningWorker
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Form, Model, ModelFile
from pai.core.ports.engine import Capability, ChatMessage, ChatRequest
from pai.core.ports.metrics import DEATHS, EVICTIONS, LOADS
from pai.foundation.errors import Corrupt, NotFound, Unavailable, Unsupported


class Register:
    """Holds one model, as it may change under the registry."""

    def __init__(self, model: Model, launcher: LocalLauncher, folder: Path) -> None:
        self.model: Model | None = model
        self.verified: list[str] = []
        self.refuse = False
        self.check = ModelCheck(launcher)
        self.registry = EngineRegistry(
            launcher, folder, self._find, self._verify, self.check, lambda *_: 1, {"parallel": 1}, load_seconds=20
        )

    async def _find(self, name: str) -> Model | None:
        return self.model if self.model is not None and name in {self.model.name, *self.model.aliases} else None

    def _verify(self, model: Model) -> None:
        self.verified.append(model.name)
        if self.refuse:
            raise Corrupt("signed by another", code="bad_signature")


@pytest.fixture
async def tiny(tmp_path: Path) -> AsyncIterator[Register]:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    folder = tmp_path / "models"
    register = Register(engine_models.tiny_onnx(folder), launcher, folder)
    yield register
    await register.registry.close()
    launcher.close()


async def test_a_model_is_verified_and_loaded_once(tiny: Register) -> None:
    first = await tiny.registry.get("tiny")
    assert await tiny.registry.get("default") is first
    assert tiny.verified == ["tiny"]
    assert tiny.model is not None
    assert first.model.sha256 == tiny.model.sha256


async def test_an_unknown_or_inactive_model_is_not_found(tiny: Register) -> None:
    assert tiny.model is not None
    for name, model in (("other", tiny.model), ("tiny", dataclasses.replace(tiny.model, active=False))):
        tiny.model = model
        with pytest.raises(NotFound) as caught:
            await tiny.registry.get(name)
        assert caught.value.code == "model_not_found"


async def test_a_bad_signature_starts_nothing(tiny: Register) -> None:
    tiny.refuse = True
    with pytest.raises(Corrupt):
        await tiny.registry.get("tiny")


async def test_a_changed_byte_starts_nothing(tiny: Register, tmp_path: Path) -> None:
    path = tmp_path / "models" / "tiny" / "model.onnx"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Corrupt) as caught:
        await tiny.registry.get("tiny")
    assert caught.value.code == "model_changed"


@pytest.mark.parametrize(
    "path", ["../tiny/model.onnx", "/etc/hostname", "a/../model.onnx", "link.onnx", "linked/model.onnx"]
)
async def test_only_files_of_the_model_itself_are_opened(tiny: Register, tmp_path: Path, path: str) -> None:
    home = tmp_path / "models" / "tiny"
    (home / "link.onnx").symlink_to("model.onnx")
    (home / "linked").symlink_to(".")
    assert tiny.model is not None
    first = tiny.model.files[0]
    tiny.model = dataclasses.replace(tiny.model, files=(ModelFile(path, first.sha256, first.size), tiny.model.files[1]))
    with pytest.raises((Corrupt, Unavailable)):
        await tiny.registry.get("tiny")


async def test_a_header_is_checked_once_for_the_same_bytes(tiny: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    check = tiny.check.check

    async def counted(kind: str, files: Mapping[str, int]) -> object:
        asked.append((kind, [*files]))
        return await check(kind, files)

    monkeypatch.setattr(tiny.check, "check", counted)
    for _ in range(2):
        await tiny.registry.get("tiny")
        await tiny.registry.close()
    assert asked == [("onnx", ["model.onnx", "tokenizer.json"])]


ENTITY = b'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "b">]><net name="m" version="11"><layers/></net>'


@pytest.mark.parametrize(
    ("engine", "files", "code"),
    [
        ("llama.cpp", {"model.gguf": gguf_file()[:600]}, "truncated_model_file"),
        ("llama.cpp", {"model.gguf": b"GGUF" + bytes(100)}, "bad_model_file"),
        (
            "openvino",
            {"openvino_model.xml": ENTITY, "openvino_model.bin": b"", "chat.json": b"{}"},
            "unsafe_model_file",
        ),
        ("onnxruntime", {"model.onnx": b"\xff" * 40, "tokenizer.json": b"{}"}, "bad_model_file"),
    ],
)
async def test_a_bad_header_reaches_no_engine(tmp_path: Path, engine: str, files: dict[str, bytes], code: str) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    folder = tmp_path / "models"
    (folder / "bad").mkdir(parents=True)
    for name, data in files.items():
        (folder / "bad" / name).write_bytes(data)
    model = engine_models.model_of(folder, "bad", "chat", engine, tuple(files), 512, None)
    register = Register(model, launcher, folder)
    started = []
    start = launcher.start

    async def told(kind: str, *rest: Any) -> RunningWorker:
        started.append(kind)
        return await start(kind, *rest)

    launcher.start = told  # type: ignore[method-assign]
    with pytest.raises(Corrupt) as caught:
        await register.registry.get("bad")
    assert caught.value.code == code
    assert started == ["model-check"]
    await register.registry.close()
    launcher.close()


async def test_a_bad_header_reaches_no_converter(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    folder = tmp_path / "models"
    (folder / "bad").mkdir(parents=True)
    (folder / "bad" / "model.gguf").write_bytes(gguf_file()[:600])
    model = engine_models.model_of(folder, "bad", "chat", "llama.cpp", ("model.gguf",), 512, None)
    converter = WorkerConverter(launcher, folder, Examiner(lambda _: None, ModelCheck(launcher)), lambda: 1 << 40)
    started = []
    start = launcher.start

    async def told(kind: str, *rest: Any) -> RunningWorker:
        started.append(kind)
        return await start(kind, *rest)

    launcher.start = told  # type: ignore[method-assign]
    with pytest.raises(Corrupt) as caught:
        await converter.convert(model, "made", Form("openvino-ir", "openvino"))
    launcher.close()
    assert (caught.value.code, started) == ("truncated_model_file", ["model-check"])
    assert not (folder / "made").exists()


async def test_a_file_no_engine_can_load_is_told_and_not_tried_without_end(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    folder = tmp_path / "models"
    (folder / "broken").mkdir(parents=True)
    (folder / "broken" / "model.gguf").write_bytes(gguf_file())  # a good header of a model that nobody made
    model = engine_models.model_of(folder, "broken", "chat", "llama.cpp", ("model.gguf",), 512, None)
    register = Register(model, launcher, folder)
    messages = []
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await register.registry.get("broken")
        messages.append(caught.value.message)
    launcher.close()
    assert "while it loaded" in messages[0]
    assert "keeps stopping" in messages[2]


class Shelf:
    """A registry over several echo models, each of which takes the same memory."""

    def __init__(self, launcher: LocalLauncher, folder: Path, fits: int) -> None:
        made = {
            name: dataclasses.replace(engine_models.echo(folder), name=name, aliases=()) for name in ("a", "b", "c")
        }
        self.launcher = launcher
        self.counted = Counters()

        async def find(name: str) -> Model | None:
            return made.get(name)

        self.registry = EngineRegistry(
            launcher,
            folder,
            find,
            lambda _: None,
            ModelCheck(launcher),
            lambda *_: 100,
            {"parallel": 1},
            memory=fits * 100,
            meter=self.counted,
        )

    def loaded(self) -> set[object]:
        return {told["model"] for told in self.registry.resident()}


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    made = Shelf(launcher, tmp_path / "models", 2)
    yield made
    await made.registry.close()
    launcher.close()


async def test_what_was_not_used_for_longest_makes_room(shelf: Shelf) -> None:
    for name in ("a", "b", "a"):
        await shelf.registry.get(name)
    await asyncio.sleep(1.1)  # what was just handed out is not taken away
    await shelf.registry.get("a")
    await shelf.registry.get("c")
    assert shelf.loaded() == {"a", "c"}
    assert len(shelf.launcher.workers) == 2
    counted = {
        reading.metric: {one.labels[0]: one.value for one in reading.samples} for reading in shelf.counted.read()
    }
    assert counted[LOADS] == {"a": 1, "b": 1, "c": 1}
    assert counted[EVICTIONS] == {"b": 1}
    assert DEATHS not in counted
    assert {(one.model, one.running, one.waiting) for one in shelf.registry.residents()} == {("a", 0, 0), ("c", 0, 0)}


async def test_a_death_is_counted_and_what_workers_take_is_weighed(shelf: Shelf) -> None:
    await shelf.registry.get("a")
    (worker,) = shelf.launcher.workers
    weighed = await shelf.launcher.weighed()
    assert set(weighed) == {"supervisor", worker.id}
    assert all(taken.kind in ("pss", "rss") and 1 << 20 < taken.bytes < 1 << 32 for taken in weighed.values())
    assert shelf.registry.residents()[0].worker == worker.id
    await shelf.launcher.stop(worker.id)
    await worker.died.wait()
    await shelf.registry.get("a")
    deaths = [reading for reading in shelf.counted.read() if reading.metric is DEATHS]
    assert [sample.value for sample in deaths[0].samples] == [1]


async def test_a_model_that_answers_is_never_taken_away(shelf: Shelf) -> None:
    engines = [await shelf.registry.get(name) for name in ("a", "b")]
    request = ChatRequest((ChatMessage("user", "Slowly: one two three four five six seven eight " * 3),))
    answers = [engine.chat(request) for engine in engines]
    for answer in answers:
        await anext(aiter(answer))
    third = asyncio.create_task(shelf.registry.get("c"))
    await asyncio.sleep(1.3)
    assert not third.done()
    assert shelf.loaded() == {"a", "b"}
    for answer in answers:
        assert [delta async for delta in answer][-1].finish_reason == "stop"
    await asyncio.wait_for(third, 10)
    assert "c" in shelf.loaded()


async def test_a_model_that_can_never_fit_is_refused_with_advice(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    alone = Shelf(launcher, tmp_path / "models", 0)
    with pytest.raises(Unavailable) as caught:
        await asyncio.wait_for(alone.registry.get("a"), 5)
    launcher.close()
    assert caught.value.code == "no_memory"
    assert "models.memory_mb" in caught.value.hint


async def test_idle_models_are_unloaded_and_come_back(shelf: Shelf) -> None:
    await shelf.registry.get("a")
    await shelf.registry.unload_idle(600)
    assert shelf.loaded() == {"a"}
    await asyncio.sleep(1.1)
    await shelf.registry.unload_idle(1)
    assert shelf.loaded() == set()
    assert await (await shelf.registry.get("a")).count_tokens("one two") == 2


async def test_a_need_that_a_model_has_not_is_told(shelf: Shelf) -> None:
    with pytest.raises(Unsupported) as caught:
        await shelf.registry.get("a", frozenset({Capability.IMAGE_INPUT}))
    assert caught.value.code == "missing_capability"
    assert "image-input" in caught.value.message
