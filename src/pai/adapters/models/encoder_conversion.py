"""An encoder made into ONNX behind walls, and how much of it was lost by that: both forms read the same control texts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pai.adapters.models.encoder_export import Head, export_encoder
from pai.adapters.models.encoder_folder import head_of
from pai.adapters.models.formats import encoder_config
from pai.adapters.models.safetensors_file import tensors_of

FILES: Final = ("model.onnx", "tokenizer.json")
"""What a conversion leaves: the names that ONNX Runtime's workers take."""

SessionOf = Callable[[int, int], Any]
_ROUNDS: Final = 3
_NEAR: Final = 0.999
CONTROL: Final = (
    "When is the next appointment?",
    "The next appointment is on 3 March at nine.",
    "The tenant pays the rent on the third working day of each month.",
    "She takes ramipril 5 mg in the morning and is allergic to latex.",
    "The contract ends by notice of three months to the end of a quarter.",
    "Der Termin ist am Montag um neun Uhr.",
    "ferry",
    "An invoice is due within thirty days of its date, without any deduction, unless something else was agreed in writing before.",
)
"""Texts of several lengths, two of them near in meaning."""


def convert_encoder(
    weights: int, config: int, tokenizer: bytes, head: bytes, out: Path, *, rounded: bool, session_of: SessionOf
) -> dict[str, Any]:
    """Write ``FILES`` to ``out`` from open files; with ``rounded`` its weights have eight bits instead of 32. ``session_of`` makes a
    session of ONNX Runtime from an open graph and a number of threads.

    Returns ``dimensions`` of its vectors (None for a reranker), and a ``note`` on how near the rounded form is and how fast, from one run.
    Raises Corrupt or Invalid for files that are not those of one encoder.
    """
    numbers, kind = encoder_config.read(config), head_of(head)
    paths = {name: out / f"{name}.onnx" for name in ("rounded", "full")}
    with os.fdopen(os.dup(weights), "rb") as file:
        export_encoder(tensors_of(file), numbers, kind, paths["rounded"], name="encoder", full=paths["full"])
    note = _compared(paths["full"], paths["rounded"], tokenizer, kind, numbers.positions, session_of) if rounded else ""
    paths["rounded" if rounded else "full"].replace(out / FILES[0])
    paths["full" if rounded else "rounded"].unlink()
    (out / FILES[1]).write_bytes(tokenizer)
    return {"dimensions": None if kind is Head.CLASSIFIER else numbers.width, "note": note}


def _compared(full: Path, rounded: Path, tokenizer: bytes, kind: Head, positions: int, session_of: SessionOf) -> str:
    from tokenizers import Tokenizer

    words = Tokenizer.from_buffer(tokenizer)
    words.no_padding()
    words.enable_truncation(min(positions, 128))
    feeds = [_feed(words, text, kind) for text in CONTROL]
    (before, slow), (after, quick) = (_run(path, feeds, session_of) for path in (full, rounded))
    speed = f"{slow / quick:.1f} times as fast"
    if kind is Head.CLASSIFIER:
        far = float(np.abs(1 / (1 + np.exp(-before)) - 1 / (1 + np.exp(-after))).max())
        return f"Weights of eight bits: scores differ by at most {far:.3f} from the full weights' over {len(feeds)} pairs, {speed}."
    least = float((before * after).sum(axis=-1).min())
    shown = f"above {_NEAR}" if least > _NEAR else f"at least {least:.3f}"
    return f"Weights of eight bits: cosine {shown} to the full weights over {len(feeds)} texts, {speed}."


def _feed(words: Any, text: str, kind: Head) -> dict[str, NDArray[np.int64]]:
    told = words.encode(CONTROL[0], text) if kind is Head.CLASSIFIER else words.encode(text)
    ids = np.array([told.ids or [0]], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    if kind is Head.CLASSIFIER:
        feed["token_type_ids"] = np.array([told.type_ids or [0]], dtype=np.int64)
    return feed


def _run(
    path: Path, feeds: list[dict[str, NDArray[np.int64]]], session_of: SessionOf
) -> tuple[NDArray[np.float64], float]:
    """Return what a graph makes of each text, and the least seconds of some rounds."""
    with path.open("rb") as file:
        session = session_of(file.fileno(), 2)
    read: Callable[[], list[Any]] = lambda: [session.run(None, feed)[0][0] for feed in feeds]  # noqa: E731
    found = np.array(read(), dtype=np.float64)
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        read()
        took.append(time.perf_counter() - began)
    return found, min(took)
