"""Chat through PAI, with everything on, against the server of llama-cpp-python on the same GGUF file: tokens a second of 8 users together.

    python benchmarks/server_speed.py --peer PYTHON [--engine openvino|llama] [--models starter|small] [--pairs 7] [--users 1,8]

PYTHON is the interpreter of an environment that holds ``llama-cpp-python[server]``; nothing of it is installed here. Its server reads the
same file with the same number of threads and a context that is as long, as its documentation starts it. Both servers are up all the time,
and only one of them is asked at a time: the same prompts, one side right after the other, the order changing from pair to pair. PAI is
asked over TLS with a key, the peer over plain HTTP on loopback. With ``--engine openvino`` PAI answers with the form of the model that it
makes itself, its default on processors that multiply small numbers natively. Goal: 2 times the peer's tokens at 8 users.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from chat_speed import FILES, chat, compare
from figures import keep

from installation import Installation, free_port

THREADS = 2
CONTEXT = 8192


def started(python: Path, model: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [
        str(python), "-m", "llama_cpp.server", "--model", str(model), "--model_alias", "default",
        "--host", "127.0.0.1", "--port", str(port),
        "--n_ctx", str(CONTEXT), "--n_threads", str(THREADS), "--n_threads_batch", str(THREADS),
    ]  # fmt: skip
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)


def wait(peer: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        assert peer.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the peer did not start: {log.read_text()[-2000:]}")


async def measure(arguments: argparse.Namespace, pai: Installation, port: int) -> dict[str, Any]:
    key = {"authorization": f"Bearer {pai.key('inference')}"}
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    async with (
        httpx.AsyncClient(base_url=pai.url, verify=trusted, headers=key, timeout=1200, trust_env=False) as ours,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=1200, trust_env=False) as peer,
    ):
        sides = {"pai": (chat, ours), "bare": (counted, peer)}
        users = [int(number) for number in arguments.users.split(",")]
        found = [await compare(sides, number, arguments.pairs, arguments.tokens) for number in users]
    return {"engine": arguments.engine, "model": FILES[arguments.models], "peer": "llama-cpp-python", "results": found}


async def counted(client: httpx.AsyncClient, prompt: str, tokens: int) -> Any:
    """The peer tells no usage in a stream: its pieces are its tokens, one each."""
    from chat_speed import Said, lines

    body = {
        "model": "default", "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "temperature": 0, "stream": True,
    }  # fmt: skip
    began, first, count = time.monotonic(), 0.0, 0
    async for told in lines(client, "/v1/chat/completions", body):
        if any((choice.get("delta") or {}).get("content") for choice in told.get("choices", ())):
            first = first or time.monotonic() - began
            count += 1
    return Said(first, time.monotonic() - began, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peer", type=Path, required=True, help="the Python of an environment with llama-cpp-python[server]"
    )
    parser.add_argument("--engine", choices=["llama", "openvino"], default="openvino")
    parser.add_argument("--models", choices=sorted(FILES), default="starter")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--users", default="1,8")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pai, port, log = (
            Installation(Path(folder, "pai"), models=arguments.models),
            free_port(),
            Path(folder, "peer.log"),
        )
        try:
            pai.init()
            pai.start()
            pai.ok(
                "models", "activate", FILES[arguments.models] + ("-openvino" if arguments.engine == "openvino" else "")
            )
            peer = started(arguments.peer, pai.home / "models" / FILES[arguments.models] / "model.gguf", port, log)
            try:
                wait(peer, port, log)
                keep(f"server_speed_{arguments.engine}", asyncio.run(measure(arguments, pai, port)))
            finally:
                peer.kill()
                peer.wait()
        finally:
            pai.stop()


if __name__ == "__main__":
    main()
