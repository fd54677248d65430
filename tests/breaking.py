"""What tests need that break an installation: its processes, a client that holds answers up, patience."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from installation import Installation

LARGE = {"PAI_LIMITS__JSON_MB": "32"}
LONG = " ".join(["x" * 2000] * 6000)
"""What the echo engine repeats: 12 MB, more than all buffers between it and a client that does not read."""


def processes(pai: Installation, part: str = "pai.bootstrap") -> list[int]:
    """The children of the supervisor whose command line holds ``part``."""
    assert pai.server is not None
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pai.server.pid and part in (entry / "cmdline").read_bytes().decode().replace("\0", " "):
                    found.append(int(entry.name))
    return found


def kill(pai: Installation, part: str) -> list[int]:
    found = processes(pai, part)
    assert found, f"no {part}"
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def within(seconds: float, true: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return value


@contextlib.contextmanager
def web(pai: Installation, key: str, timeout: float = 60) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    # A small window, so that a client that does not read holds the answer up.
    transport = httpx.HTTPTransport(verify=trusted, socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=pai.url, transport=transport, headers=headers, timeout=timeout, trust_env=False
    ) as client:
        yield client


@contextlib.contextmanager
def stream(client: httpx.Client, text: str = LONG, **more: Any) -> Iterator[Iterator[str]]:
    """A chat that has begun to answer."""
    body = {"model": "default", "messages": [{"role": "user", "content": text}], "stream": True, **more}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        lines = response.iter_lines()
        assert next(lines).startswith("data: ")
        yield lines


def last_chat(pai: Installation, after: int) -> dict[str, Any] | None:
    events = pai.ok("audit", "tail", "--limit", "30")["events"]
    ended = [e for e in events if e["name"] == "models:chat:end" and e["index"] > after]
    return ended[0] if ended else None


def head(pai: Installation) -> int:
    return int(pai.ok("audit", "tail", "--limit", "1")["events"][0]["index"])


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
