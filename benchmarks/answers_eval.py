"""How many questions are answered right, refused rightly, and quoted word for word.

    python benchmarks/answers_eval.py --embedding FOLDER [--chat MODEL.gguf] [--sets tuning,held_out] [--hide SETS] [--out FILE]

FOLDER is ``.cache/models/all-minilm-l6-v2``. Without ``--chat`` words alone decide. Sets of the sample
documents: ``tuning`` was used to choose thresholds; ``held_out`` and ``fresh`` were run once before the last changes that their misses
led to; ``final`` was written after those changes. Sets of the office documents (``benchmarks/office``): ``office_tuning`` and
``office_held_out``, dealt out at random before any result was known, ``office_plain``, added
to the first when rules were taken out, and ``office_later``: other documents and questions, written
after the rules and run once before anything was changed for them. ``visitor_tuning`` and ``visitor_held_out`` ask, as people type,
of a third folder with the papers of a surgery, a law office and a household; documents and questions were written by someone who had
not seen the rules, and dealt out at random. ``errand_tuning`` and ``errand_held_out`` ask of days, debts, counts, steps and conditions;
they were written by one who knew the rules, and dealt out at random before any result was known. ``--hide`` keeps the answers of a set unseen.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from local_engines import LocalChat, LocalEmbedding, LocalEngines, SilentChat, paged_chat, socket_chat
from memory_store import MemoryStore

from pai.adapters.documents import parse
from pai.core.knowledge.answering import consider, find_passages, open_documents
from pai.core.knowledge.chunking import chunk
from pai.core.knowledge.composing import compose
from pai.core.knowledge.judging import judge
from pai.core.knowledge.question import parts
from pai.core.knowledge.values import Answer
from pai.core.ports.engine import Engine

SAMPLES = Path(str(resources.files("pai.samples") / "documents"))
OFFICE = Path(__file__).with_name("office")


@dataclass
class Outcome:
    question: str
    answer: Answer
    right: bool
    quotes_hold: bool
    source_right: bool
    seconds: float
    near: bool = False  # the passages shown beside an abstention hold what was asked


class Evaluation:
    """A folder of documents in a collection file of its own, and the questions put to it."""

    def __init__(self, engines: LocalEngines, folder: Path, today: dt.date) -> None:
        self.engines = engines
        self.today = today
        self.folder = folder
        self.store = MemoryStore()
        self.names: dict[str, str] = {}

    async def ingest(self) -> None:
        for path in sorted(self.folder.iterdir()):
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

    async def ask(self, question: str) -> Answer:
        vectors = await self._embed([part.meant for part in parts(question)])
        asked, hits = find_passages(self.store, question, vectors)
        documents = open_documents(self.store, hits, self.names)
        told = await consider(asked, hits, documents, self._embed, self.today)
        told = [await judge(self.engines.chat, "", part) for part in told]
        return compose(told, self.engines.chat.model.name, self.today)

    async def measure(self, question: str, expected: dict[str, Any] | None) -> Outcome:
        start = time.monotonic()
        answer = await self.ask(question)
        seconds = time.monotonic() - start
        shown = [*answer.sources, *answer.nearest]
        quotes = all(source.quote in self.store.chunks([source.chunk_id])[0].text for source in shown)
        if expected is None:
            return Outcome(question, answer, answer.abstained, quotes, True, seconds)
        right = not answer.abstained and _accepted(expected, answer.text)
        named = any(source.document == expected["document"] for source in answer.sources)
        near = any(source.document == expected["document"] for source in answer.nearest) and _accepted(
            expected, " ".join(source.quote for source in answer.nearest)
        )
        return Outcome(question, answer, right, quotes, named, seconds, near)


def _accepted(expected: dict[str, Any], text: str) -> bool:
    """``all`` has to be matched wholly, of ``accept`` one is enough, ``reject`` must not be matched."""

    def found(pattern: str) -> bool:
        return bool(re.search(pattern, text, re.IGNORECASE))

    wanted = all(map(found, expected["all"])) if "all" in expected else any(map(found, expected["accept"]))
    return wanted and not any(map(found, expected.get("reject", ())))


def summary(outcomes: list[Outcome], refusals: list[Outcome]) -> dict[str, Any]:
    return {
        "right": sum(o.right for o in outcomes), "answerable": len(outcomes),
        "wrong": sum(not o.right and not o.answer.abstained for o in outcomes),
        "wrongly_refused": sum(o.answer.abstained for o in outcomes),
        "wrongly_refused_but_nearest": sum(o.answer.abstained and o.near for o in outcomes),
        "source_named": sum(o.source_right for o in outcomes),
        "refused": sum(o.right for o in refusals), "unanswerable": len(refusals),
        "quotes_verified": all(o.quotes_hold for o in [*outcomes, *refusals]),
        "median_seconds": round(statistics.median(o.seconds for o in outcomes), 2),
    }  # fmt: skip


def questions() -> dict[str, Any]:
    """Every set by name."""
    samples = json.loads((resources.files("pai.samples") / "questions.json").read_text("utf-8"))
    ours = (
        json.loads((OFFICE / name).read_text("utf-8")) for name in ("questions.json", "visitor.json", "errand.json")
    )
    return {**samples, **{name: asked for sets in ours for name, asked in sets.items()}}


def make_documents(folder: Path, *which: str) -> None:
    """Write the office documents into a folder."""
    subprocess.run([sys.executable, str(OFFICE / "make_documents.py"), str(folder), *which], check=True)


async def measure_set(evaluation: Evaluation, asked: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    outcomes = [await evaluation.measure(q["question"], q) for q in asked["answerable"]]
    refused = [q if isinstance(q, str) else q["question"] for q in asked["unanswerable"]]
    refusals = [await evaluation.measure(q, None) for q in refused]
    for o in () if hidden else [*outcomes, *refusals]:
        mark = "ok " if o.right else "BAD"
        near = " | ".join(source.quote for source in o.answer.nearest)
        print(f"{mark} {o.seconds:5.1f}s  {o.question}\n      -> {o.answer.text}\n      near: {near}")
    told: dict[str, Any] = {}
    for field in ("kind", "world"):
        rights: dict[str, list[bool]] = {}
        for q, o in zip(asked["answerable"], outcomes, strict=True):
            if field in q:
                rights.setdefault(q[field], []).append(o.right)
        if rights:
            told[f"by_{field}"] = {value: f"{sum(right)} of {len(right)}" for value, right in rights.items()}
    return summary(outcomes, refusals) | told


def documents_of(name: str, folder: Path) -> Path:
    """The folder of documents that a set of questions asks of."""
    for world in ("visitor", "errand"):
        if name.startswith(world):
            return folder / world
    if name == "office_later":
        return folder / "later"
    return folder / "office" if name.startswith("office") else SAMPLES


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    results: dict[str, Any] = {"chat": str(arguments.chat.name) if arguments.chat else "none"}
    with tempfile.TemporaryDirectory() as folder:
        make_documents(Path(folder) / "office")
        make_documents(Path(folder) / "later", "later")
        make_documents(Path(folder) / "visitor", "visitor")
        make_documents(Path(folder) / "errand", "errand")
        chat, process = chat_engine(arguments.chat, Path(folder))
        engines = LocalEngines(chat, LocalEmbedding(arguments.embedding))
        collections: dict[Path, Evaluation] = {}
        for name in arguments.sets.split(","):
            documents = documents_of(name, Path(folder))
            if documents not in collections:
                collections[documents] = Evaluation(engines, documents, dt.date.fromisoformat(questions()["today"]))
                await collections[documents].ingest()
            hidden = name in arguments.hide.split(",")
            results[name] = await measure_set(collections[documents], questions()[name], hidden=hidden)
        if isinstance(chat, LocalChat) and chat.prompt_tokens:
            results["prompt_tokens_median"] = statistics.median(chat.prompt_tokens)
            results["model_asked"] = len(chat.prompt_tokens)
        if process:
            process.terminate()
    return results


def chat_engine(model: Path | None, folder: Path) -> tuple[Engine, subprocess.Popen[bytes] | None]:
    """Return the chat engine and its process, if it has one: a GGUF file, a folder in OpenVINO's format, or the socket of
    ``bare_engine.py openvino``."""
    if model is None:
        return SilentChat(), None
    if model.is_socket():
        return socket_chat(model.name, model), None
    return paged_chat(model, folder / "engine.sock") if model.is_dir() else (LocalChat(model, folder), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedding", type=Path, required=True)
    parser.add_argument("--chat", type=Path)
    parser.add_argument("--sets", default="tuning,held_out")
    parser.add_argument("--hide", default="", help="sets whose answers are not shown")
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
