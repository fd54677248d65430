"""Sentence embeddings with ONNX Runtime: token ids and mask in, one unit vector per text out."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Any

from pai.adapters.workers.tiny_http import application

BATCH = 16
MAX_TOKENS = 256


class Embedder:
    """Holds the session and the tokeniser. ``embed`` returns little-endian float32 vectors and the number of tokens read."""

    def __init__(self, model_fd: int, tokenizer_fd: int, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or os.cpu_count() or 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(_read(model_fd), options, providers=["CPUExecutionProvider"])
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._tokenizer = Tokenizer.from_buffer(_read(tokenizer_fd))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def embed(self, texts: list[str]) -> tuple[list[bytes], int]:
        """Embed in batches of similar length, so that little is spent on padding."""
        import numpy as np

        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        order = sorted(range(len(texts)), key=lambda at: len(encoded[at]))
        vectors: list[bytes] = [b""] * len(texts)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            width = max(len(encoded[at]) for at in chosen)
            ids = np.zeros((len(chosen), width), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, at in enumerate(chosen):
                ids[row, : len(encoded[at])] = encoded[at]
                mask[row, : len(encoded[at])] = 1
            feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            hidden = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
            found = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            found = np.asarray(found, dtype="<f4")
            found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
            for row, at in enumerate(chosen):
                vectors[at] = found[row].tobytes()
        return vectors, sum(map(len, encoded))

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, cut at the model's limit."""
        return len(self._tokenizer.encode(text).ids)


def _read(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    data = os.pread(fd, size, 0)
    while len(data) < size:
        data += os.pread(fd, size - len(data), len(data))
    return data


def embedding_app(model_fd: int, tokenizer_fd: int, options: dict[str, Any]) -> Any:
    """Return the application of the embedding worker."""
    embedder = Embedder(model_fd, tokenizer_fd, int(options.get("threads", 0)))
    turn = asyncio.Lock()

    async def embeddings(body: dict[str, Any]) -> dict[str, Any]:
        async with turn:
            vectors, tokens = await asyncio.to_thread(embedder.embed, list(body["input"]))
        data = [{"index": n, "embedding": base64.b64encode(vector).decode()} for n, vector in enumerate(vectors)]
        return {"data": data, "usage": {"prompt_tokens": tokens}}

    async def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": list(range(embedder.count(body["content"])))}

    return application({"/v1/embeddings": embeddings, "/tokenize": tokenize})
