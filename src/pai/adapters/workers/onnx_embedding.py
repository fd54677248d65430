"""Sentence embeddings with ONNX Runtime: token ids and mask in, one unit vector per text out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Final

from pai.adapters.workers.onnx_session import session_of, whole
from pai.adapters.workers.service import RefusedError, Routes

_BATCH: Final = 16
_MOST_TEXTS: Final = 4096


class Embedder:
    """Holds the session and the tokeniser.

    The graph takes ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids`` [batch, tokens] (int64). Its
    first output is the hidden states [batch, tokens, size], which are averaged over the mask, or one vector per text
    [batch, size].
    """

    def __init__(self, model_fd: int, tokenizer_fd: int, *, threads: int, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        self._session = session_of(model_fd, threads)
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._tokenizer = Tokenizer.from_buffer(whole(tokenizer_fd))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens

    def embed(self, texts: list[str | list[int]]) -> tuple[list[bytes], int]:
        """Return unit vectors (little-endian float32) and the tokens read; batches of like length save padding.

        A text may be given as its token ids. Raises ValueError for an id that does not exist.
        """
        self._tokenizer.enable_truncation(self._max_tokens)
        words = iter(self._tokenizer.encode_batch([text for text in texts if isinstance(text, str)]))
        encoded = [next(words).ids if isinstance(text, str) else self._checked(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda at: len(encoded[at]))
        vectors: list[bytes] = [b""] * len(texts)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            for at, vector in zip(chosen, self._run([encoded[at] for at in chosen]), strict=True):
                vectors[at] = vector
        return vectors, sum(map(len, encoded))

    def _run(self, rows: list[list[int]]) -> list[bytes]:
        import numpy as np

        ids = np.zeros((len(rows), max(1, *map(len, rows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        found = np.asarray(self._session.run(None, {name: feeds[name] for name in self._inputs})[0], dtype=np.float32)
        if found.ndim == 3:
            weights = mask[:, :, None].astype(np.float32)
            found = (found * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
        found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return [row.astype("<f4").tobytes() for row in found]

    def _checked(self, ids: list[int]) -> list[int]:
        size = self._tokenizer.get_vocab_size()
        if not ids or not all(isinstance(token, int) and 0 <= token < size for token in ids):
            raise ValueError("no such token")
        return ids[: self._max_tokens]

    def count(self, text: str) -> int:
        """Return the number of tokens of a whole text."""
        self._tokenizer.no_truncation()
        return len(self._tokenizer.encode(text).ids)


def embedding_routes(model_fd: int, tokenizer_fd: int, options: Mapping[str, int]) -> Routes:
    """Return the routes of the embedding worker. ``options``: ``threads``, ``max_tokens``. Raises for a bad file."""
    embedder = Embedder(model_fd, tokenizer_fd, threads=options["threads"], max_tokens=options["max_tokens"])
    turn = asyncio.Lock()  # one batch at a time: more would only share the same cores

    async def embeddings(body: dict[str, Any]) -> dict[str, Any]:
        texts = body["input"]
        if len(texts) > _MOST_TEXTS or not all(isinstance(text, str | list) for text in texts):
            raise RefusedError(f"input is a list of at most {_MOST_TEXTS} texts or lists of token ids")
        async with turn:
            vectors, tokens = await asyncio.to_thread(embedder.embed, texts)
        data = [{"index": n, "embedding": base64.b64encode(vector).decode()} for n, vector in enumerate(vectors)]
        return {"data": data, "usage": {"prompt_tokens": tokens}}

    async def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        async with turn:
            return {"count": embedder.count(body["content"])}

    return {"/v1/embeddings": embeddings, "/tokenize": tokenize}
