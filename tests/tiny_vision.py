"""What the tiny language model sees by: a LLaVA-style projector with random weights, as a GGUF file.

What it sees is noise, but another noise for each picture, always the same one. There are no weights of a vision model in any package that
could be found, so this shows the way of a picture, not that anything is understood.
As a program it writes both files: ``python tests/tiny_vision.py FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tiny_models import _BOOL, _FLOAT, _LIST, _TEXT, _UINT32, WIDTH, tiny_gguf, write_gguf

EYES, HEADS, INNER, LAYERS, SIDE, PATCH = 32, 2, 64, 2, 56, 14
TOKENS = (SIDE // PATCH) ** 2
"""How many tokens a picture becomes."""


def tiny_projector(path: Path, seed: int = 1) -> None:
    """Write the projector to ``path``."""
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.2).astype(np.float32)

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": np.ones(EYES, np.float32), f"{name}.bias": np.zeros(EYES, np.float32)}

    def layer(name: str, rows: int, columns: int) -> dict[str, np.ndarray]:
        return {f"{name}.weight": matrix(rows, columns), f"{name}.bias": np.zeros(rows, np.float32)}

    tensors: dict[str, np.ndarray] = {
        "v.patch_embd.weight": matrix(EYES, 3, PATCH, PATCH), "v.class_embd": matrix(EYES),
        "v.position_embd.weight": matrix(TOKENS + 1, EYES), **norm("v.pre_ln"), **norm("v.post_ln"),
        **layer("mm.0", WIDTH, EYES), **layer("mm.2", WIDTH, WIDTH),
    }  # fmt: skip
    for n in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors |= layer(f"v.blk.{n}.{name}", EYES, EYES)
        tensors |= {**norm(f"v.blk.{n}.ln1"), **norm(f"v.blk.{n}.ln2")}
        tensors |= {**layer(f"v.blk.{n}.ffn_up", INNER, EYES), **layer(f"v.blk.{n}.ffn_down", EYES, INNER)}
    half = (_LIST, (_FLOAT, [0.5, 0.5, 0.5]))
    told: dict[str, tuple[int, Any]] = {
        "general.architecture": (_TEXT, "clip"), "general.file_type": (_UINT32, 0), "clip.has_vision_encoder": (_BOOL, True),
        "clip.projector_type": (_TEXT, "mlp"), "clip.use_gelu": (_BOOL, True), "clip.vision.image_size": (_UINT32, SIDE),
        "clip.vision.patch_size": (_UINT32, PATCH), "clip.vision.embedding_length": (_UINT32, EYES),
        "clip.vision.feed_forward_length": (_UINT32, INNER), "clip.vision.projection_dim": (_UINT32, WIDTH),
        "clip.vision.attention.head_count": (_UINT32, HEADS), "clip.vision.attention.layer_norm_epsilon": (_FLOAT, 1e-5),
        "clip.vision.block_count": (_UINT32, LAYERS), "clip.vision.image_mean": half, "clip.vision.image_std": half,
    }  # fmt: skip
    write_gguf(path, told, tensors)


def tiny_vision(folder: Path) -> None:
    """Write a model that chats and what it sees by."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_gguf(folder / "tiny-Q8.gguf")
    tiny_projector(folder / "mmproj-tiny-f32.gguf")


if __name__ == "__main__":
    tiny_vision(Path(sys.argv[1]))
