"""Ingestion through PAI against the bare parser and the bare embedding model in one process: pages per second.

    python benchmarks/ingest_speed.py [--pairs 7]

Through PAI means: the CLI or an HTTPS upload, encryption of the original, a sandboxed parser process, passages, vectors and text
index in a sealed file, audit events. Bare means: parse, cut, embed, throw away. Starting the CLI is left out by uploading over HTTPS.
"""

from __future__ import annotations

import argparse
import os
import random
import ssl
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import httpx
from figures import keep, middle, ratios

from installation import Installation
from pai.adapters.documents import parse
from pai.adapters.workers.onnx_embedding import Embedder
from pai.core.knowledge.chunking import chunk

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "models" / "all-minilm-l6-v2"
SAMPLES = sorted(Path(str(resources.files("pai.samples") / "documents")).iterdir())
TEXT = """patient visit contract invoice clinic record therapy dose morning evening result letter report doctor nurse room date agreed
payment service notice period insurance number address decision examination knee heart lung blood pressure value"""
WORDS = TEXT.split()


def make_pdf(path: Path, pages: int) -> None:
    """A text PDF of about 350 words a page."""
    from reportlab.pdfgen.canvas import Canvas

    chance = random.Random(5)
    canvas = Canvas(str(path), invariant=1)
    for number in range(pages):
        canvas.drawString(60, 800, f"Chapter {number + 1}")
        for line in range(35):
            sentence = " ".join(chance.choice(WORDS) for _ in range(10)).capitalize() + "."
            canvas.drawString(60, 780 - 20 * line, sentence)
        canvas.showPage()
    canvas.save()


class Bare:
    def __init__(self) -> None:
        fds = [os.open(CACHE / name, os.O_RDONLY) for name in ("model.onnx", "tokenizer.json")]
        self.embedder = Embedder(*fds, threads=2, max_tokens=256)

    def take(self, paths: list[Path]) -> tuple[int, float]:
        began, pages = time.monotonic(), 0
        for path in paths:
            fd = os.open(path, os.O_RDONLY)
            parsed = parse(fd, path.name)
            os.close(fd)
            pieces = chunk(parsed, "doc", name=path.name)
            for start in range(0, len(pieces), 64):
                self.embedder.embed([f"{piece.heading}\n{piece.text}".strip() for piece in pieces[start : start + 64]])
            pages += parsed.pages
        return pages, time.monotonic() - began


def through_pai(client: httpx.Client, paths: list[Path], name: str) -> float:
    collection = client.post("/pai/v1/collections", json={"name": name}).json()["id"]
    files = [("file", (path.name, path.read_bytes())) for path in paths]
    began = time.monotonic()
    job = client.post(f"/pai/v1/collections/{collection}/documents", files=files).json()["id"]
    while True:
        told = client.get(f"/pai/v1/jobs/{job}").json()
        if told["state"] not in ("queued", "running"):
            break
        time.sleep(0.01)
    seconds = time.monotonic() - began
    assert not told["refused"], told["refused"]
    client.delete(f"/pai/v1/collections/{collection}")
    return seconds


def compare(client: httpx.Client, bare: Bare, paths: list[Path], pairs: int, what: str) -> dict[str, Any]:
    ours: list[float] = []
    theirs: list[float] = []
    pages = 0
    for number in range(pairs + 1):
        for side in ("pai", "bare") if number % 2 else ("bare", "pai"):
            if side == "pai":
                seconds = through_pai(client, paths, f"{what}-{number}")
                ours += [seconds] if number else []
            else:
                pages, seconds = bare.take(paths)
                theirs += [seconds] if number else []
        print(f"{what}: {number} of {pairs}", file=sys.stderr)
    rates = [pages / seconds for seconds in ours], [pages / seconds for seconds in theirs]
    return {
        "what": what,
        "files": len(paths),
        "pages": pages,
        "pages_per_second": {"pai": middle(rates[0]), "bare": middle(rates[1]), "ratio": ratios(*rates)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.pdf"
        make_pdf(long, 300)
        pai = Installation(Path(folder) / "pai", models="small")
        try:
            pai.init()
            pai.start()
            trusted = ssl.create_default_context(cafile=str(pai.ca))
            key = {"authorization": f"Bearer {pai.key('knowledge')}"}
            with httpx.Client(base_url=pai.url, verify=trusted, headers=key, timeout=600, trust_env=False) as client:
                bare = Bare()
                found = [
                    compare(client, bare, SAMPLES, arguments.pairs, "samples"),
                    compare(client, bare, [long], arguments.pairs, "300-page PDF"),
                ]
        finally:
            pai.stop()
    keep("ingest_speed", {"results": found})


if __name__ == "__main__":
    main()
