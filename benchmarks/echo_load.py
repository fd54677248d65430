"""Many small requests to the echo engine over kept connections: how many a second, how long the slowest take, and what memory does.

    python benchmarks/echo_load.py [--requests 1000] [--connections 64] [--rounds 3] [--path chat|responses|embeddings]
    python benchmarks/echo_load.py --requests 20000 --rounds 1     # does the gateway grow?

The client writes HTTP/1.1 over TLS by itself, from bytes made beforehand, so that it takes a small part of the processors only: how much
is told. Memory is what the gateway holds for itself (private pages), read every ``--every`` requests; the slope is that of the second
half. Some 10 MB of caches fill during the first 5,000 requests, so that only longer runs tell whether it grows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import ssl
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import keep, middle

from installation import Installation

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "default", "messages": [{"role": "user", "content": "a few words"}]}),
    "responses": ("/v1/responses", {"model": "default", "input": "a few words"}),
    "embeddings": ("/v1/embeddings", {"model": "default-embedding", "input": "a few words"}),
}
PAGES = ("Private_Clean", "Private_Dirty")


def request(pai: Installation, key: str, kind: str) -> bytes:
    """Return a whole request as bytes."""
    path, body = PATHS[kind]
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost:{pai.port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def answered(reader: asyncio.StreamReader) -> int:
    """Read one answer, which has a length; return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head[9:12])


class Load:
    """A number of requests, shared out among connections as each is ready."""

    def __init__(self, pai: Installation, data: bytes, every: int = 0) -> None:
        self.pai, self.data, self.every = pai, data, every
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.memory: list[tuple[int, float]] = []
        self.trusted = ssl.create_default_context(cafile=str(pai.ca))

    async def run(self, requests: int, connections: int) -> dict[str, Any]:
        """Send them; return the figures."""
        waiting = iter(range(requests))
        used, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        await asyncio.gather(*(self._connection(waiting) for _ in range(connections)))
        took, now = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
        client = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        cuts = [1000 * cut for cut in statistics.quantiles(self.seconds, n=1000, method="inclusive")]
        return {
            "requests_per_second": round(requests / took, 1), "client_share_of_one_core": round(client / took, 3),
            "milliseconds": {name: round(cuts[part - 1], 1) for name, part in (("p50", 500), ("p95", 950), ("p99", 990))},
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }  # fmt: skip

    async def _connection(self, waiting: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection("localhost", self.pai.port, ssl=self.trusted)
        for number in waiting:
            began = time.monotonic()
            writer.write(self.data)
            self.statuses[await answered(reader)] += 1
            self.seconds.append(time.monotonic() - began)
            if self.every and number % self.every == 0:
                self.memory.append((number, private_megabytes(gateway_of(self.pai))))
        writer.close()


def gateway_of(pai: Installation) -> int:
    """Return the process id of the gateway."""
    assert pai.server is not None
    children = Path(f"/proc/{pai.server.pid}/task/{pai.server.pid}/children").read_text().split()
    return next(int(one) for one in children if b"pai.bootstrap.gateway" in Path(f"/proc/{one}/cmdline").read_bytes())


def private_megabytes(process: int) -> float:
    """Return what a process holds for itself alone."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    return round(sum(int(told[name].split()[0]) for name in PAGES) / 1024, 2)


def growth(memory: list[tuple[int, float]]) -> dict[str, Any]:
    """Return the slope of the second half in bytes per request, with the readings."""
    half = sorted(memory)[len(memory) // 2 :]
    slope = statistics.linear_regression([n for n, _ in half], [megabytes for _, megabytes in half]).slope
    return {"bytes_per_request_in_second_half": round(slope * (1 << 20), 1), "readings": sorted(memory)}


async def measure(pai: Installation, arguments: argparse.Namespace) -> dict[str, Any]:
    data = request(pai, pai.key("inference"), arguments.path)
    await Load(pai, data).run(200, arguments.connections)  # warms up
    rounds, memory = [], []
    for _ in range(arguments.rounds):
        load = Load(pai, data, arguments.every)
        rounds.append(await load.run(arguments.requests, arguments.connections))
        memory = load.memory
    return {
        "path": arguments.path, "requests": arguments.requests, "connections": arguments.connections,
        "requests_per_second": middle([one["requests_per_second"] for one in rounds]),
        "p99_milliseconds": middle([one["milliseconds"]["p99"] for one in rounds]),
        "rounds": rounds, "memory_megabytes": growth(memory),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--path", choices=sorted(PATHS), default="chat")
    parser.add_argument("--every", type=int, default=0, help="requests between two readings of memory")
    arguments = parser.parse_args()
    arguments.every = arguments.every or max(1, arguments.requests // 20)
    with tempfile.TemporaryDirectory() as folder:
        pai = Installation(Path(folder))
        try:
            pai.init()
            pai.start()
            keep(f"echo_load_{arguments.path}_{arguments.requests}", asyncio.run(measure(pai, arguments)))
        finally:
            pai.stop()


if __name__ == "__main__":
    main()
