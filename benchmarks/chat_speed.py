"""Chat through PAI, with everything on, against the bare engine: tokens per second and time to first token.

    python benchmarks/chat_speed.py [--models starter|small] [--pairs 7] [--tokens 48]

Both servers are up all the time, and only one of them is asked at a time: the same prompts, one side right after the other, the
order changing from pair to pair. PAI is asked over TLS with a key, the bare engine over plain HTTP on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from figures import keep, middle, ratios

from installation import Installation, free_port

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "models"
FILES = {"starter": "qwen2.5-coder-1.5b-instruct", "small": "qwen2.5-coder-0.5b-instruct"}
TEXT = """river lamp copper garden seven window bread silver engine paper cloud station winter apple harbour stone"""
WORDS = TEXT.split()


@dataclass
class Said:
    first: float
    seconds: float
    tokens: int


async def ask(client: httpx.AsyncClient, prompt: str, tokens: int) -> Said:
    body = {
        "model": "default", "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "temperature": 0,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    began, first, count = time.monotonic(), 0.0, 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            told = json.loads(line[6:])
            if not first and any(choice["delta"].get("content") for choice in told["choices"]):
                first = time.monotonic() - began
            count = (told.get("usage") or {}).get("completion_tokens", count)
    return Said(first, time.monotonic() - began, count)


async def together(client: httpx.AsyncClient, prompts: list[str], tokens: int) -> tuple[float, float]:
    """Return tokens per second of all together, and the median time to first token."""
    began = time.monotonic()
    said = await asyncio.gather(*(ask(client, prompt, tokens) for prompt in prompts))
    seconds = time.monotonic() - began
    return sum(one.tokens for one in said) / seconds, sorted(one.first for one in said)[len(said) // 2]


def prompts(chance: random.Random, users: int) -> list[str]:
    """New words each time, so that no cache of either side helps."""
    return [f"Tell a long story with these words: {' '.join(chance.sample(WORDS, 12))}." for _ in range(users)]


async def compare(
    pai: httpx.AsyncClient, bare: httpx.AsyncClient, users: int, pairs: int, tokens: int
) -> dict[str, Any]:
    chance = random.Random(users)
    sides: dict[str, tuple[httpx.AsyncClient, list[float], list[float]]] = {
        "pai": (pai, [], []),
        "bare": (bare, [], []),
    }
    for number in range(pairs + 1):
        wanted = prompts(chance, users)
        for name in ("pai", "bare") if number % 2 else ("bare", "pai"):
            client, rates, firsts = sides[name]
            rate, first = await together(client, wanted, tokens)
            if number:  # the first round warms both up
                rates.append(rate)
                firsts.append(first)
    (_, our_rates, our_firsts), (_, rates, firsts) = sides["pai"], sides["bare"]
    added = [(a - b) * 1000 for a, b in zip(our_firsts, firsts, strict=True)]
    return {
        "users": users, "tokens_per_second": {"pai": middle(our_rates), "bare": middle(rates), "ratio": ratios(our_rates, rates)},
        "first_token_seconds": {"pai": middle(our_firsts), "bare": middle(firsts)}, "first_token_added_ms": middle(added),
    }  # fmt: skip


async def measure(arguments: argparse.Namespace, pai: Installation, bare_port: int) -> dict[str, Any]:
    key = {"authorization": f"Bearer {pai.key('inference')}"}
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    async with (
        httpx.AsyncClient(base_url=pai.url, verify=trusted, headers=key, timeout=600, trust_env=False) as ours,
        # Connections that the bare engine keeps alive were seen to drop; a new one on loopback costs it a fifth of a millisecond.
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{bare_port}", timeout=600, trust_env=False, headers={"connection": "close"}
        ) as bare,
    ):
        found = [await compare(ours, bare, users, arguments.pairs, arguments.tokens) for users in (1, 8)]
    return {"model": FILES[arguments.models], "tokens": arguments.tokens, "results": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", choices=sorted(FILES), default="starter")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=48)
    arguments = parser.parse_args()
    port = free_port()
    command = [
        sys.executable,
        str(Path(__file__).with_name("bare_engine.py")),
        str(CACHE / FILES[arguments.models] / "model.gguf"),
        str(port),
    ]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bare:
        pai = Installation(Path(folder), models=arguments.models)
        try:
            pai.init()
            pai.start()
            assert bare.stdout is not None
            bare.stdout.readline()
            keep("chat_speed", asyncio.run(measure(arguments, pai, port)))
        finally:
            pai.stop()
            bare.kill()


if __name__ == "__main__":
    main()
