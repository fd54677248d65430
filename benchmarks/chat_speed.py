"""Chat through PAI, with everything on, against the bare engine: tokens per second and time to first token.

    python benchmarks/chat_speed.py [--engine openvino|llama] [--models starter|small] [--pairs 7] [--tokens 48] [--users 1,4,8]

Both servers are up all the time, and only one of them is asked at a time: the same prompts, one side right after the other, the
order changing from pair to pair. PAI is asked over TLS with a key, the bare engine over plain HTTP on loopback or a Unix socket.
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
from collections.abc import AsyncIterator, Awaitable, Callable
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


async def lines(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    async with client.stream("POST", path, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line[6:])


async def chat(client: httpx.AsyncClient, prompt: str, tokens: int) -> Said:
    body = {
        "model": "default", "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "temperature": 0,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    began, first, count = time.monotonic(), 0.0, 0
    async for told in lines(client, "/v1/chat/completions", body):
        if not first and any(choice["delta"].get("content") for choice in told["choices"]):
            first = time.monotonic() - began
        count = (told.get("usage") or {}).get("completion_tokens", count)
    return Said(first, time.monotonic() - began, count)


async def native(client: httpx.AsyncClient, prompt: str, tokens: int) -> Said:
    """The same to PAI's worker in its own words."""
    began, first, count = time.monotonic(), 0.0, 0
    messages = {"messages": [{"role": "user", "content": prompt}]}
    text = (await client.post("/apply-template", json=messages)).json()["prompt"]
    body = {"prompt": text, "n_predict": tokens, "temperature": 0, "stream": True, "owner": "bench"}
    async for told in lines(client, "/completion", body):
        if not first and told.get("content"):
            first = time.monotonic() - began
        count = told.get("tokens_predicted", count)
    return Said(first, time.monotonic() - began, count)


Ask = Callable[[httpx.AsyncClient, str, int], Awaitable[Said]]


async def together(ask: Ask, client: httpx.AsyncClient, prompts: list[str], tokens: int) -> tuple[float, list[float]]:
    """Return tokens per second of all together, and each one's time to its first token."""
    began = time.monotonic()
    said = await asyncio.gather(*(ask(client, prompt, tokens) for prompt in prompts))
    seconds = time.monotonic() - began
    return sum(one.tokens for one in said) / seconds, [one.first for one in said]


def prompts(chance: random.Random, users: int) -> list[str]:
    """New words each time, so that no cache of either side helps."""
    return [f"Tell a long story with these words: {' '.join(chance.sample(WORDS, 12))}." for _ in range(users)]


async def compare(
    sides: dict[str, tuple[Ask, httpx.AsyncClient]], users: int, pairs: int, tokens: int
) -> dict[str, Any]:
    chance = random.Random(users)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    firsts: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(pairs + 1):
        wanted = prompts(chance, users)
        for name in ("pai", "bare") if number % 2 else ("bare", "pai"):
            rate, first = await together(*sides[name], wanted, tokens)
            if number:  # the first round warms both up
                rates[name].append(rate)
                firsts[name] += sorted(first)  # who is served first among those who ask at once is chance
    added = sorted((a - b) * 1000 for a, b in zip(firsts["pai"], firsts["bare"], strict=True))
    return {
        "users": users,
        "tokens_per_second": {**{name: middle(told) for name, told in rates.items()}, "ratio": ratios(rates["pai"], rates["bare"])},
        "first_token_seconds": {name: middle(told) for name, told in firsts.items()},
        "first_token_added_ms": {"median": middle(added), "p95": added[min(len(added) - 1, int(0.95 * len(added)))]},
    }  # fmt: skip


async def measure(arguments: argparse.Namespace, pai: Installation, place: str) -> dict[str, Any]:
    key = {"authorization": f"Bearer {pai.key('inference')}"}
    transport = httpx.AsyncHTTPTransport(uds=place) if arguments.engine == "openvino" else None
    address = "http://bare" if transport else f"http://127.0.0.1:{place}"
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    async with (
        httpx.AsyncClient(base_url=pai.url, verify=trusted, headers=key, timeout=600, trust_env=False) as ours,
        # Connections that the bare engine keeps alive were seen to drop; a new one on loopback costs it a fifth of a millisecond.
        httpx.AsyncClient(
            base_url=address, timeout=600, trust_env=False, headers={"connection": "close"}, transport=transport
        ) as bare,
    ):
        sides = {"pai": (chat, ours), "bare": (native if arguments.engine == "openvino" else chat, bare)}
        users = [int(number) for number in arguments.users.split(",")]
        found = [await compare(sides, number, arguments.pairs, arguments.tokens) for number in users]
    return {"engine": arguments.engine, "model": FILES[arguments.models], "tokens": arguments.tokens, "results": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["llama", "openvino"], default="llama")
    parser.add_argument("--models", choices=sorted(FILES), default="starter")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--users", default="1,4,8")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pai = Installation(Path(folder), models=arguments.models)
        try:
            pai.init()
            pai.start()
            name = FILES[arguments.models] + ("-openvino" if arguments.engine == "openvino" else "")
            pai.ok("models", "activate", name)
            keep(f"chat_speed_{arguments.engine}", against(arguments, pai, name))
        finally:
            pai.stop()


def against(arguments: argparse.Namespace, pai: Installation, name: str) -> dict[str, Any]:
    place = str(pai.home.parent / "bare.sock") if arguments.engine == "openvino" else str(free_port())
    script, model = Path(__file__).with_name("bare_engine.py"), pai.home / "models" / name
    command = [sys.executable, str(script), arguments.engine, str(model), place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bare:
        try:
            assert bare.stdout is not None
            bare.stdout.readline()
            return asyncio.run(measure(arguments, pai, place))
        finally:
            bare.kill()


if __name__ == "__main__":
    main()
