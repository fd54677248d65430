"""Time to first token and between tokens, as guidellm measures them from outside, and as our own reading of the streams does.

    python benchmarks/outside_load.py [--models echo|small|starter] [--streams 1,4] [--requests 100] [--tokens 48] [--tool PATH]

guidellm is installed apart, below ``.cache/interop`` (some 6 GB, as it brings PyTorch with it), or named by ``--tool``. It needs no
hub: the prompts are a local file, and tokens are counted by PAI. Both ask over TLS with a key, one after the other, prompts of one kind
that neither asked before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import ssl
import statistics
import subprocess
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import httpx
from chat_speed import WORDS, lines, prompts
from figures import keep

from installation import Installation, secret_file

PACKAGE = "guidellm>=0.8,<0.9"
FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "interop" / "guidellm"
PARTS = (50, 90, 95, 99)


def tool(named: str) -> Path:
    """Return the program, installed when it is not there yet."""
    program = Path(named) if named else FOLDER / "bin" / "guidellm"
    if not program.exists():
        venv.create(FOLDER, with_pip=True)
        subprocess.run([FOLDER / "bin" / "python", "-m", "pip", "install", "-q", PACKAGE], check=True)
    return program


def percentiles(values: list[float]) -> dict[str, float]:
    """Return the middle and the tail, in milliseconds as they came."""
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"p{part}": round(cuts[part - 1], 3) for part in PARTS}


def outside(
    program: Path, pai: Installation, folder: Path, asked: list[str], streams: int, tokens: int
) -> dict[str, Any]:
    """Let guidellm ask. The key stands in a file of ours alone, not among arguments."""
    data, out = folder / "prompts.jsonl", folder / "report.json"
    data.write_text("".join(json.dumps({"prompt": one}) + "\n" for one in asked))
    out.unlink(missing_ok=True)
    backend = {
        "kind": "openai_http", "target": pai.url, "model": "default", "api_key": pai.key("inference"), "max_tokens": tokens,
        "verify": True, "http2": False, "validate_backend": False,
    }  # fmt: skip
    spec = {
        "backend": backend, "profile": {"kind": "concurrent", "streams": streams},
        "data": [{"kind": "json_file", "path": str(data)}], "constraints": [{"kind": "max_requests", "count": len(asked)}],
        "outputs": [{"kind": "json", "path": str(out)}],
    }  # fmt: skip
    scenario = secret_file(folder / "scenario.json", json.dumps({"metadata": {"name": "pai"}, "spec": spec}))
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "SSL_CERT_FILE": str(pai.ca)}
    command = [str(program), "run", "--config", str(scenario), "--disable-console"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **offline}, capture_output=True, text=True, check=False
    )
    if not out.exists():
        raise SystemExit(f"guidellm failed: {done.stderr[-2000:]}")
    found = json.loads(out.read_text())["benchmarks"][0]["metrics"]
    good = {name: found[name]["successful"] for name in ("time_to_first_token_ms", "inter_token_latency_ms")}
    told = {
        name: {f"p{part}": round(one["percentiles"][f"p{part:02}"], 3) for part in PARTS} for name, one in good.items()
    }
    totals = {name: found["request_totals"][name] for name in ("successful", "errored", "incomplete")}
    return {
        **told,
        "requests": totals,
        "requests_per_second": round(found["requests_per_second"]["successful"]["mean"], 2),
    }


async def inside(pai: Installation, asked: list[str], streams: int, tokens: int) -> dict[str, Any]:
    """Ask the same ourselves: every gap between two pieces of text is measured, not their mean per request."""
    firsts: list[float] = []
    gaps: list[float] = []
    waiting = iter(asked)
    key = {"authorization": f"Bearer {pai.key('inference')}"}
    trusted = ssl.create_default_context(cafile=str(pai.ca))

    async def one(client: httpx.AsyncClient) -> None:
        for prompt in waiting:
            messages = [{"role": "user", "content": prompt}]
            body = {"model": "default", "messages": messages, "max_tokens": tokens, "stream": True}
            before, first = time.monotonic(), True
            async for told in lines(client, "/v1/chat/completions", body):
                if told["choices"] and told["choices"][0]["delta"].get("content"):
                    now = time.monotonic()
                    (firsts if first else gaps).append((now - before) * 1000)
                    before, first = now, False

    began = time.monotonic()
    async with httpx.AsyncClient(base_url=pai.url, verify=trusted, headers=key, timeout=600, trust_env=False) as client:
        await asyncio.gather(*(one(client) for _ in range(streams)))
    rate = round(len(asked) / (time.monotonic() - began), 2)
    told = {"time_to_first_token_ms": percentiles(firsts), "inter_token_latency_ms": percentiles(gaps)}
    return {**told, "requests": {"successful": len(firsts)}, "requests_per_second": rate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", choices=["echo", "small", "starter"], default="echo")
    parser.add_argument("--streams", default="1,4")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--tool", default="")
    arguments = parser.parse_args()
    program, chance = tool(arguments.tool), random.Random(len(WORDS))
    results = []
    with tempfile.TemporaryDirectory() as folder:
        pai = Installation(Path(folder, "pai"), models=arguments.models)
        try:
            pai.init()
            pai.start()
            asyncio.run(inside(pai, prompts(chance, 2), 1, 8))  # warms up
            for streams in (int(number) for number in arguments.streams.split(",")):
                asked = prompts(chance, arguments.requests)
                told = outside(program, pai, Path(folder), asked, streams, arguments.tokens)
                fresh = prompts(chance, arguments.requests)
                ours = asyncio.run(inside(pai, fresh, streams, arguments.tokens))
                results.append({"streams": streams, "guidellm": told, "ours": ours})
        finally:
            pai.stop()
    keep(
        f"outside_load_{arguments.models}", {"models": arguments.models, "tokens": arguments.tokens, "results": results}
    )


if __name__ == "__main__":
    main()
