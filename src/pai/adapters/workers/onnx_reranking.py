"""Cross-encoders with ONNX Runtime: a question and a document in together, how well the one answers the other out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from pai.adapters.workers.onnx_session import session_of, whole
from pai.adapters.workers.service import RefusedError, Routes

_BATCH: Final = 16
_MOST_TEXTS: Final = 4096


class Reranker:
    """Holds the session and the tokeniser, which says how a pair is written.

    The graph takes ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids`` [batch, tokens] (int64) and gives logits
    [batch, 1], or [batch, 2] of which the second is "relevant".
    """

    def __init__(self, model_fd: int, tokenizer_fd: int, *, threads: int, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        self._session = session_of(model_fd, threads)
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._tokenizer = Tokenizer.from_buffer(whole(tokenizer_fd))
        self._tokenizer.no_padding()
        self._max_tokens = max_tokens

    def rank(self, question: str, documents: list[str]) -> tuple[list[float], int]:
        """Return a score of 0 to 1 for each document, and the tokens read. Documents are cut at the model's context, and a question
        that leaves no room for them is refused. Raises ValueError for a graph that gives anything but such logits."""
        # Half of the context for a document at least: a score of a question alone would say nothing.
        self._tokenizer.no_truncation()
        if len(self._tokenizer.encode(question).ids) > self._max_tokens // 2:
            raise RefusedError(
                f"the question is longer than {self._max_tokens // 2} tokens, half of what the model reads"
            )
        self._tokenizer.enable_truncation(self._max_tokens, strategy="only_second")
        encoded = self._tokenizer.encode_batch([(question, document) for document in documents])
        order = sorted(range(len(documents)), key=lambda at: len(encoded[at].ids))
        scores = [0.0] * len(documents)
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            for at, score in zip(chosen, self._run([encoded[at] for at in chosen]), strict=True):
                scores[at] = score
        return scores, sum(len(one.ids) for one in encoded)

    def _run(self, rows: list[Any]) -> list[float]:
        import numpy as np

        ids = np.zeros((len(rows), max(len(row.ids) for row in rows)), dtype=np.int64)
        mask, kinds = np.zeros_like(ids), np.zeros_like(ids)
        for number, row in enumerate(rows):
            length = len(row.ids)
            ids[number, :length], mask[number, :length], kinds[number, :length] = row.ids, 1, row.type_ids
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
        found = np.asarray(self._session.run(None, {name: feeds[name] for name in self._inputs})[0], dtype=np.float64)
        if (
            found.ndim != 2
            or found.shape[0] != len(rows)
            or found.shape[1] not in (1, 2)
            or not np.isfinite(found).all()
        ):
            raise ValueError("the graph gives no logits of relevance")
        logits = found[:, -1] - (found[:, 0] if found.shape[1] == 2 else 0.0)
        return [float(score) for score in 1.0 / (1.0 + np.exp(-np.clip(logits, -500, 500)))]


def reranking_routes(model_fd: int, tokenizer_fd: int, options: Mapping[str, int]) -> Routes:
    """Return the routes of the reranking worker. ``options``: ``threads``, ``max_tokens``. Raises for a bad file."""
    reranker = Reranker(model_fd, tokenizer_fd, threads=options["threads"], max_tokens=options["max_tokens"])
    # A first pair shows that file and tokeniser belong together before anybody asks.
    reranker.rank("a", ["b"])
    turn = asyncio.Lock()  # one batch at a time: more would only share the same cores

    async def rerank(body: dict[str, Any]) -> dict[str, Any]:
        question, documents = body["query"], body["documents"]
        if (
            not isinstance(question, str)
            or len(documents) > _MOST_TEXTS
            or not all(isinstance(one, str) for one in documents)
        ):
            raise RefusedError(f"documents is a list of at most {_MOST_TEXTS} texts")
        async with turn:
            scores, tokens = await asyncio.to_thread(reranker.rank, question, documents)
        return {"scores": scores, "usage": {"prompt_tokens": tokens}}

    return {"/rerank": rerank}
