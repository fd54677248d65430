"""Models for tests of engines: the built-in echo, a tiny ONNX graph made here, and real weights where they lie ready.

Real weights are looked for in the folder named by ``PAI_TEST_MODELS``, else in ``.cache/models`` of the checkout: one
folder per model, as `pai init` keeps them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from pai.adapters.models.model_folder import FILES as TORCH_FILES
from pai.adapters.models.model_folder import prepare
from pai.adapters.models.openvino_conversion import FILES, convert_gguf
from pai.core.models.values import Model, ModelFile, ModelRecord
from tiny_families import tiny_folder
from tiny_models import tiny_gguf

RECORD = ModelRecord("tests", "none", "none", "made for tests")
CHAT_MODEL = "qwen2.5-coder-0.5b-instruct"
EMBEDDING_MODEL = "all-minilm-l6-v2"


def model_of(
    folder: Path, name: str, task: str, engine: str, files: tuple[str, ...], context: int, dimensions: int | None
) -> Model:
    found = []
    for path in files:
        with (folder / name / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(ModelFile(path, digest, (folder / name / path).stat().st_size))
    now = datetime.now(UTC)
    return Model(
        name, task, engine, "test", tuple(found), context, dimensions, RECORD, b"signature", now, aliases=("default",)
    )


def echo(folder: Path) -> Model:
    folder.mkdir(exist_ok=True)
    return model_of(folder, "echo", "chat", "echo", (), 200, 384)


def tiny_onnx(folder: Path) -> Model:
    """A graph that looks each token up in a table of 8 numbers, and a tokeniser that knows ten words."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers

    home = folder / "tiny"
    home.mkdir(parents=True)
    words = ["[UNK]", "one", "two", "three", "four", "a", "cat", "dog", "sat", "ran"]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(home / "tokenizer.json"))
    table = np.random.default_rng(7).standard_normal((len(words), 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["hidden"])],
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["n", "t", 8])],
        [numpy_helper.from_array(table, "table")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    save(made, str(home / "model.onnx"))
    return model_of(folder, "tiny", "embedding", "onnxruntime", ("model.onnx", "tokenizer.json"), 16, 8)


def tiny_llama(folder: Path) -> Model:
    """A model of random weights, on llama.cpp."""
    home = folder / "tiny-chat"
    home.mkdir(parents=True)
    tiny_gguf(home / "model.gguf")
    return model_of(folder, "tiny-chat", "chat", "llama.cpp", ("model.gguf",), 1024, None)


_made = tempfile.TemporaryDirectory(prefix="pai-test-models-")  # until this process ends


@cache
def _converted() -> Path:
    home = Path(_made.name)
    tiny_gguf(home / "model.gguf")
    (home / "openvino").mkdir()
    convert_gguf(os.open(home / "model.gguf", os.O_RDONLY), home / "openvino", 1)
    return home / "openvino"


def tiny_openvino(folder: Path) -> Model:
    """The same model, converted as `pai models convert` does it, once for all tests."""
    shutil.copytree(_converted(), folder / "tiny-chat-openvino")
    return model_of(folder, "tiny-chat-openvino", "chat", "openvino", FILES, 1024, None)


def tiny_torch(family: str) -> Callable[[Path], Model]:
    """A tiny model of a family on PyTorch, imported as `pai models import` does it."""

    def make(folder: Path) -> Model:
        tiny_folder(folder.parent / "brought", family)
        name = f"tiny-{family}"
        prepare(folder.parent / "brought", folder / name)
        return model_of(folder, name, "chat", "transformers", TORCH_FILES, 1024, None)

    return make


def _real(folder: Path, name: str, files: tuple[str, ...]) -> None:
    source = Path(os.environ.get("PAI_TEST_MODELS") or Path(__file__).parents[1] / ".cache" / "models") / name
    missing = [path for path in files if not (source / path).is_file()]
    if missing:
        pytest.skip(f"real weights are not here: {source / missing[0]} (run `make models`, or set PAI_TEST_MODELS)")
    (folder / name).mkdir(parents=True)
    for path in files:
        try:
            os.link(source / path, folder / name / path)
        except OSError:  # another file system
            shutil.copyfile(source / path, folder / name / path)


def llama(folder: Path) -> Model:
    _real(folder, CHAT_MODEL, ("model.gguf",))
    return model_of(folder, CHAT_MODEL, "chat", "llama.cpp", ("model.gguf",), 1024, None)


def minilm(folder: Path) -> Model:
    files = ("model.onnx", "tokenizer.json")
    _real(folder, EMBEDDING_MODEL, files)
    return model_of(folder, EMBEDDING_MODEL, "embedding", "onnxruntime", files, 256, 384)
