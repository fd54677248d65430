"""Embeddings through PAI, with everything on, against bare ONNX Runtime on the same file: texts a second at batch 32, and one short text.

    python benchmarks/embed_speed.py [--pairs 9] [--batch 32] [--texts 256] [--singles 60]

Both are up all the time, and only one of them is asked at a time: the same texts, one side right after the other, the order changing from
pair to pair. PAI is asked over TLS with a key and answers in base64, as the vendor's SDK asks for it. The bare side is called directly in
the process that measures: it tokenises, pads, runs the graph, averages and normalises. Goals: 0.95 of the bare side at batch 32, and at
most 3 ms added to a short text at the median.
"""

from __future__ import annotations

import argparse
import os
import random
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from figures import keep, middle, ratios

from installation import Installation

WORDS = """river lamp copper garden seven window bread silver engine paper cloud station winter apple harbour stone letter
doctor morning table answer number street money question water island ferry school market""".split()  # noqa: SIM905
NAME = "all-minilm-l6-v2"
THREADS = 2
Embed = Callable[[list[str]], object]


def bare(folder: Path) -> Embed:
    """Return the same work without PAI."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    inputs = [given.name for given in session.get_inputs()]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)

    def embed(texts: list[str]) -> object:
        encoded = [one.ids for one in tokenizer.encode_batch(texts)]
        ids = np.zeros((len(encoded), max(map(len, encoded))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(encoded):
            ids[number, : len(row)], mask[number, : len(row)] = row, 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        found = session.run(None, {name: feeds[name] for name in inputs})[0]
        if found.ndim == 3:
            found = (found * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return embed


def ours(client: httpx.Client) -> Embed:
    def embed(texts: list[str]) -> object:
        body = {"model": "default-embedding", "input": texts, "encoding_format": "base64"}
        answer = client.post("/v1/embeddings", json=body)
        assert answer.status_code == 200, answer.text
        return answer.content

    return embed


def passages(chance: random.Random, count: int) -> list[str]:
    """New words each time, some 20 to 120 of them, as passages of documents have."""
    return [" ".join(chance.choices(WORDS, k=chance.randint(20, 120))) for _ in range(count)]


def batches(embed: Embed, texts: list[str], size: int) -> float:
    """Return texts a second."""
    began = time.perf_counter()
    for start in range(0, len(texts), size):
        embed(texts[start : start + size])
    return len(texts) / (time.perf_counter() - began)


def singles(embed: Embed, texts: list[str]) -> list[float]:
    """Return the milliseconds that each text took by itself."""
    spent = []
    for text in texts:
        began = time.perf_counter()
        embed([text])
        spent.append((time.perf_counter() - began) * 1000)
    return spent


def compare(sides: dict[str, Embed], arguments: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(1)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(arguments.pairs + 1):
        texts = passages(chance, arguments.texts)
        short = [" ".join(chance.choices(WORDS, k=8)) for _ in range(arguments.singles)]
        for name in ("pai", "bare") if number % 2 else ("bare", "pai"):
            rate, one = batches(sides[name], texts, arguments.batch), singles(sides[name], short)
            if number:  # the first round warms both up
                rates[name].append(rate)
                spent[name].append(statistics.median(one))
    added = [a - b for a, b in zip(spent["pai"], spent["bare"], strict=True)]
    return {
        "model": NAME, "batch": arguments.batch,
        "texts_per_second": {**{name: middle(told) for name, told in rates.items()}, "ratio": ratios(rates["pai"], rates["bare"])},
        "short_text_ms": {**{name: middle(told) for name, told in spent.items()}, "added_median": middle(added), "added": sorted(added)},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--singles", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pai = Installation(Path(folder), models="small")
        try:
            pai.init()
            pai.start()
            trusted = ssl.create_default_context(cafile=str(pai.ca))
            key = {"authorization": f"Bearer {pai.key('inference')}"}
            with httpx.Client(base_url=pai.url, verify=trusted, headers=key, timeout=120, trust_env=False) as client:
                sides = {"pai": ours(client), "bare": bare(pai.home / "models" / NAME)}
                keep("embed_speed", compare(sides, arguments))
        finally:
            pai.stop()


if __name__ == "__main__":
    main()
