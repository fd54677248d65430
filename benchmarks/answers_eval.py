"""How many questions over the sample documents are answered right, refused rightly, and quoted word for word.

    python benchmarks/answers_eval.py --embedding FOLDER [--chat MODEL.gguf] [--sets tuning,held_out] [--out FILE]

FOLDER is ``.cache/models/all-minilm-l6-v2``. Without ``--chat`` the found sentence itself is the answer. Sets: ``tuning`` was used to
choose thresholds; ``held_out`` and ``fresh`` were run once before the last changes that their misses led to; ``final`` was
written after those changes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from local_engines import LocalChat, LocalEmbedding, LocalEngines, SilentChat
from memory_store import MemoryStore

from pai.adapters.documents import parse
from pai.core.knowledge.answering import ABSTAINED, PASSAGES, SHOWN, decide, generate, opening
from pai.core.knowledge.chunking import chunk
from pai.core.knowledge.evidence import sufficient, weigh
from pai.core.knowledge.retrieval import retrieve
from pai.core.knowledge.values import Answer

SAMPLES = sorted(Path(str(resources.files("pai.samples") / "documents")).iterdir())


@dataclass
class Outcome:
    question: str
    answer: Answer
    right: bool
    quotes_hold: bool
    source_right: bool
    seconds: float
    draft: str


class Evaluation:
    """The sample documents in a collection file of their own, and the questions put to it."""

    def __init__(self, engines: LocalEngines) -> None:
        self.engines = engines
        self.store = MemoryStore()
        self.names: dict[str, str] = {}

    async def ingest(self) -> None:
        for path in SAMPLES:
            fd = os.open(path, os.O_RDONLY)
            try:
                parsed = parse(fd, path.name)
            finally:
                os.close(fd)
            document = f"doc_{path.stem}"
            pieces = chunk(parsed, document, name=path.name)
            vectors = (await self.engines.embedding.embed([f"{p.heading}\n{p.text}".strip() for p in pieces])).vectors
            self.store.put_document(document, path.name, "blob", pieces, vectors)
            self.names[document] = path.name

    async def _embed(self, texts: Any) -> Any:
        return (await self.engines.embedding.embed(texts)).vectors

    async def ask(self, question: str) -> tuple[Answer, str]:
        vector = (await self._embed([question]))[0]
        hits = retrieve(self.store, question, vector, PASSAGES)
        documents = {hit.chunk.document_id for hit in hits}
        openings = {document: opening(self.store, document, self.names[document]) for document in documents}
        spans = await weigh(question, hits, openings, self._embed)
        if not sufficient(spans):
            return Answer(ABSTAINED, True, (), ""), ""
        draft = await generate(self.engines.chat, "", question, spans)
        return decide(question, draft, spans, self.names, self.engines.chat.model.name), draft

    async def measure(self, question: str, expected: dict[str, Any] | None) -> Outcome:
        start = time.monotonic()
        answer, draft = await self.ask(question)
        seconds = time.monotonic() - start
        quotes = all(source.quote in self.store.chunks([source.chunk_id])[0].text for source in answer.sources)
        if expected is None:
            return Outcome(question, answer, answer.abstained, quotes, True, seconds, draft)
        right = not answer.abstained and bool(re.search("|".join(expected["accept"]), answer.text, re.IGNORECASE))
        named = any(source.document == expected["document"] for source in answer.sources)
        return Outcome(question, answer, right, quotes, named, seconds, draft)


def summary(outcomes: list[Outcome], refusals: list[Outcome]) -> dict[str, Any]:
    return {
        "right": sum(o.right for o in outcomes), "answerable": len(outcomes),
        "source_named": sum(o.source_right for o in outcomes),
        "refused": sum(o.right for o in refusals), "unanswerable": len(refusals),
        "quotes_verified": all(o.quotes_hold for o in [*outcomes, *refusals]),
        "median_seconds": round(statistics.median(o.seconds for o in outcomes), 2),
    }  # fmt: skip


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    asked = json.loads((resources.files("pai.samples") / "questions.json").read_text("utf-8"))
    results: dict[str, Any] = {"chat": str(arguments.chat.name) if arguments.chat else "none", "windows": SHOWN}
    with tempfile.TemporaryDirectory() as folder:
        chat = LocalChat(arguments.chat, Path(folder)) if arguments.chat else SilentChat()
        evaluation = Evaluation(LocalEngines(chat, LocalEmbedding(arguments.embedding)))
        await evaluation.ingest()
        for name in arguments.sets.split(","):
            outcomes = [await evaluation.measure(q["question"], q) for q in asked[name]["answerable"]]
            refusals = [await evaluation.measure(q, None) for q in asked[name]["unanswerable"]]
            results[name] = summary(outcomes, refusals)
            for o in [*outcomes, *refusals]:
                mark = "ok " if o.right else "BAD"
                print(f"{mark} {o.seconds:5.1f}s  {o.question}\n      -> {o.answer.text}\n      draft: {o.draft}")
        if isinstance(chat, LocalChat) and chat.prompt_tokens:
            results["prompt_tokens_median"] = statistics.median(chat.prompt_tokens)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedding", type=Path, required=True)
    parser.add_argument("--chat", type=Path)
    parser.add_argument("--sets", default="tuning,held_out")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results = asyncio.run(run(arguments))
    text = json.dumps(results, indent=1)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
