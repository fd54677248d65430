"""GGUF into OpenVINO's own format, once, so that later starts are quick and prompts are read at the processor's speed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Final

from pai.adapters.models.gguf_tokens import chat_of, metadata, tokenizer_of
from pai.adapters.models.openvino_weights import signed_bytes
from pai.foundation.errors import Unsupported

FILES: Final = ("openvino_model.bin", "openvino_model.xml", "tokenizer.json", "chat.json")
"""Files of a converted model: weights, graph, tokeniser, chat."""

_LEFT: Final = (
    "openvino_tokenizer.xml",
    "openvino_tokenizer.bin",
    "openvino_detokenizer.xml",
    "openvino_detokenizer.bin",
)


def convert_gguf(source_fd: int, folder: Path, threads: int) -> None:
    """Write ``FILES`` into ``folder``.

    Raises Unsupported when the converter does not know the architecture, the tokeniser or a type of its weights.
    """
    import openvino_genai

    # The library opens its source for writing: it gets a copy, never the file that is signed.
    source = folder / "model.gguf"
    with os.fdopen(source_fd, "rb") as reader, source.open("wb") as writer:
        reader.seek(0)  # whoever hashed the file has moved the offset that descriptors share
        shutil.copyfileobj(reader, writer, 1 << 22)
    told = metadata(source)
    tokenizer_of(told).save(str(folder / "tokenizer.json"))
    (folder / "chat.json").write_text(json.dumps(chat_of(told), ensure_ascii=False), "utf-8")
    try:
        openvino_genai.LLMPipeline(str(source), "CPU", enable_save_ov_model=True, INFERENCE_NUM_THREADS=threads)
    except RuntimeError as error:
        raise Unsupported(
            "the converter does not know this architecture or one of its types of weights",
            code="unsupported_conversion",
            hint="the model goes on running on llama.cpp; a file quantised as Q4_K_M, Q8_0 or F16 may work",
        ) from error
    source.unlink()
    _rewrite(folder)
    for name in _LEFT:
        (folder / name).unlink(missing_ok=True)
    for name in FILES:
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())


def _rewrite(folder: Path) -> None:
    """Rewrite the weights that this engine multiplies slowly (see ``openvino_weights``)."""
    import openvino

    graph, weights = folder / "openvino_model.xml", folder / "openvino_model.bin"
    model = openvino.Core().read_model(str(graph))
    if signed_bytes(model):
        # The old weights are still mapped: the new ones get a file of their own, which then takes their name.
        openvino.save_model(model, str(folder / "new.xml"), compress_to_fp16=False)
        del model
        (folder / "new.bin").replace(weights)
        (folder / "new.xml").replace(graph)
