from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import engine_models
from model_files import gguf_file
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.workers.launcher import LocalLauncher, RunningWorker
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Model, ModelFile
from pai.foundation.errors import Corrupt, NotFound, Unavailable


class Register:
    """Holds one model, as it may change under the registry."""

    def __init__(self, model: Model, launcher: LocalLauncher, folder: Path) -> None:
        self.model: Model | None = model
        self.verified: list[str] = []
        self.refuse = False
        self.check = ModelCheck(launcher)
        self.registry = EngineRegistry(
            launcher, folder, self._find, self._verify, self.check, {"parallel": 1}, load_seconds=20
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


@pytest.mark.parametrize(("cut", "code"), [(600, "truncated_model_file"), (0, "bad_model_file")])
async def test_a_bad_header_reaches_no_engine(tmp_path: Path, cut: int, code: str) -> None:
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    folder = tmp_path / "models"
    (folder / "bad").mkdir(parents=True)
    (folder / "bad" / "model.gguf").write_bytes(gguf_file()[:cut] if cut else b"GGUF" + bytes(100))
    model = engine_models.model_of(folder, "bad", "chat", "llama.cpp", ("model.gguf",), 512, None)
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
