"""A worker process: walls first, then the one thing it is for."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker of one kind; return its exit code."""
    parser = argparse.ArgumentParser(prog="pai.bootstrap.worker", description="Internal: started by PAI itself.")
    parser.add_argument("--kind", required=True)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)

    from pai.adapters.cryptography.process_guard import end_with_parent
    from pai.adapters.system.sandbox import SandboxProfile, apply, runtime_paths
    from pai.adapters.workers.messages import receive

    channel = socket.socket(fileno=chosen.channel)
    start, _ = receive(channel)
    if start is None:
        return 1
    fds = tuple(int(fd) for fd in start["fds"])
    options = start["options"]
    reads, scratch = runtime_paths(), (chosen.folder,)
    profiles = {
        "llama": SandboxProfile(reads, scratch, readable_fds=fds, unix_sockets=True, listen=True),
        "onnx-embedding": SandboxProfile(reads, scratch, readable_fds=fds, unix_sockets=True, listen=True, nice=5),
        "echo": SandboxProfile(reads, scratch, unix_sockets=True, listen=True),
        "parser": SandboxProfile(reads, memory=4 << 30, cpu_seconds=int(options.get("cpu_seconds", 300)), nice=5),
    }
    if not end_with_parent():
        return 1
    report = apply(profiles[chosen.kind])
    if not report.complete:
        print(f"worker {chosen.kind}: {'; '.join(report.lines())}", file=sys.stderr, flush=True)
    path = chosen.folder / "s"
    match chosen.kind:
        case "llama":
            from pai.adapters.workers.llama import serve_llama

            serve_llama(fds[0], path, options)
        case "onnx-embedding":
            from pai.adapters.workers.onnx_embedding import embedding_app
            from pai.adapters.workers.tiny_http import serve

            serve(embedding_app(fds[0], fds[1], options), path)
        case "echo":
            from pai.adapters.workers.echo import echo_app
            from pai.adapters.workers.tiny_http import serve

            serve(echo_app(), path)
        case "parser":
            from pai.adapters.documents import Limits, parse
            from pai.adapters.workers.parser import serve_parser

            def parse_with(fd: int, name: str, limits: dict[str, int]) -> object:
                return parse(fd, name, Limits(**limits))

            serve_parser(channel, parse_with)
    return 0


if __name__ == "__main__":
    sys.exit(main())
