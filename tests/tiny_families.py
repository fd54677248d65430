"""A tiny random model of each family that the PyTorch engine runs, as a folder such as people bring: safetensors and JSON files.

Needs the extra ``transformers``; the numbers come from a fixed seed, so each model says the same noise every time.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from tiny_models import MARKS, TEMPLATE, vocabulary

CONTEXT = 2048
_PLAIN = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": CONTEXT}
_GATED = {**_PLAIN, "intermediate_size": 128, "num_key_value_heads": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", **_GATED},
    "qwen": {"model_type": "qwen2", **_GATED},
    "mistral": {"model_type": "mistral", **_GATED, "sliding_window": 64},
    "gemma": {"model_type": "gemma", **_GATED, "head_dim": 16},
    "phi": {"model_type": "phi", **_PLAIN, "intermediate_size": 128},
    "falcon": {"model_type": "falcon", **_PLAIN, "new_decoder_architecture": False, "multi_query": True, "parallel_attn": True},
    "gpt-neox": {"model_type": "gpt_neox", **_PLAIN, "intermediate_size": 128},
    "bloom": {"model_type": "bloom", "hidden_size": 64, "n_layer": 2, "n_head": 4, "seq_length": CONTEXT},
}  # fmt: skip
"""The families of the contract suite."""
MORE: dict[str, dict[str, Any]] = {
    "qwen3": {"model_type": "qwen3", **_GATED, "head_dim": 16},
    "gemma2": {"model_type": "gemma2", **_GATED, "head_dim": 16, "sliding_window": 64},
    "gemma3": {"model_type": "gemma3_text", **_GATED, "head_dim": 16, "sliding_window": 64},
    "phi3": {"model_type": "phi3", **_GATED},
    "falcon-alibi": {"model_type": "falcon", **_PLAIN, "alibi": True, "multi_query": False, "parallel_attn": False},
    "falcon-grouped": {"model_type": "falcon", **_PLAIN, "new_decoder_architecture": True, "num_kv_heads": 2},
    "llama-bf16": {"model_type": "llama", **_GATED, "dtype": "bfloat16"},
    "llama-f16": {"model_type": "llama", **_GATED, "dtype": "float16"},
    "llama-tied": {"model_type": "llama", **_GATED, "tie_word_embeddings": True},
}  # fmt: skip
"""What else is run, and forms of the same families."""


def generated(home: Path, prompt: list[int], count: int, forbidden: list[int] | None = None) -> list[int]:
    """Return what the library itself says next, always the likeliest token that is not forbidden."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoModelForCausalLM

        kept = json.loads((home / "config.json").read_text()).get("dtype") == "bfloat16"
        model = AutoModelForCausalLM.from_pretrained(
            str(home), local_files_only=True, dtype=torch.bfloat16 if kept else torch.float32
        ).eval()
        given = torch.tensor([prompt])
        said = model.generate(
            given,
            attention_mask=torch.ones_like(given),
            do_sample=False,
            max_new_tokens=count,
            pad_token_id=0,
            suppress_tokens=forbidden,
        )
    found: list[int] = said[0, len(prompt) :].tolist()
    return found


def needs_extra() -> None:
    """Skip a test where the extra is not installed."""
    for name in ("torch", "transformers"):
        pytest.importorskip(name, reason="the extra `transformers` is not installed (make test-extras)")


def tiny_folder(home: Path, family: str, seed: int = 5) -> None:
    """Write the files of a tiny model into ``home``."""
    needs_extra()
    home.mkdir(parents=True)
    tokens = tokenizer(home)
    told = {**FAMILIES, **MORE}[family]
    first_mark = tokens.index(MARKS[0])
    config = {
        "bos_token_id": first_mark, "eos_token_id": first_mark + 2, "pad_token_id": first_mark,
        "vocab_size": len(tokens) + -len(tokens) % 64, **told,
    }  # fmt: skip
    model = made(config, seed, first_mark)
    model.save_pretrained(str(home))
    (home / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": TEMPLATE, "bos_token": MARKS[0], "eos_token": {"content": MARKS[2]}})
    )


def made(config: dict[str, Any], seed: int, first_mark: int) -> Any:
    """Return a model with random weights; marks of turns are not what its noise says."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.manual_seed(seed + sum(config["model_type"].encode()))
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
        with torch.no_grad():
            for name, weights in model.named_parameters():
                if weights.dim() > 1:
                    # Layers count for more than the token itself, so that what was said before decides what comes next.
                    weights.normal_(
                        0.0,
                        (0.01 if config["model_type"].startswith("gemma") else 0.1)
                        if "embed" in name or "head" in name
                        else 0.4,
                    )
            model.get_output_embeddings().weight[first_mark:] = 0
        return model.to(getattr(torch, config.get("dtype", "float32")))


def tokenizer(home: Path) -> list[str]:
    """Write the tokeniser of the tests as ``tokenizer.json``; return its tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, merges = vocabulary()
    pairs = [tuple(pair.split(" ")) for pair in merges]
    found = Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, pairs))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in MARKS])
    found.save(str(home / "tokenizer.json"))
    return tokens
