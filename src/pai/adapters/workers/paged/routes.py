"""The worker's routes, in the words of llama.cpp's server: ``/apply-template``, ``/completion``, ``/tokenize``, ``/forget``."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pai.adapters.workers.paged.batching import Answer, Batching, Chosen
from pai.adapters.workers.paged.blocks import Blocks
from pai.adapters.workers.paged.grammar import Grammars
from pai.adapters.workers.paged.model import PagedModel, Part
from pai.adapters.workers.paged.sampling import Sampler, Sampling
from pai.adapters.workers.paged.template import ChatTemplate
from pai.adapters.workers.paged.vocabulary import Speech, Vocabulary
from pai.adapters.workers.service import RefusedError, Routes

_USUAL_ANSWER: Final = 1024
_MOST_PROBABILITIES: Final = 20


@dataclass(frozen=True, slots=True)
class PagedFiles:
    """Descriptors of a model's files: weights and graph (OpenVINO IR), tokeniser, and what else its makers settled (``chat.json``)."""

    weights: int
    graph: bytes
    tokenizer: bytes
    chat: bytes


def paged_routes(files: PagedFiles, options: Mapping[str, int]) -> Routes:
    """Load the model and return the routes. ``options``: ``context_length``, ``pool`` (tokens cached at once), ``parallel``, ``threads``.

    Raises RuntimeError, ValueError or KeyError for files that are no such model.
    """
    vocabulary = Vocabulary(files.tokenizer)
    model = PagedModel(files.weights, files.graph, tokens=options["pool"], threads=options["threads"])
    return text_routes(vocabulary, model, files.chat, options)


class Computing(Protocol):
    """A model whose cache lies in blocks. ``vocabulary`` is how many logits a row has."""

    vocabulary: int
    blocks: int

    def step(self, parts: Sequence[Part]) -> Any: ...
    def wipe(self, block: int) -> None: ...


def text_routes(vocabulary: Vocabulary, model: Computing, settled: bytes, options: Mapping[str, int]) -> Routes:
    """Return the routes over a model. ``settled`` is its ``chat.json``: template, the tokens that end an answer, words of templates.

    Raises ValueError or KeyError when tokeniser, chat and model do not belong together.
    """
    chat = json.loads(settled)
    if len(vocabulary.tokens) > model.vocabulary:
        raise ValueError("the tokeniser has more tokens than the model")
    ends = frozenset(int(token) for token in chat["end_tokens"])
    engine = _Engine(
        vocabulary,
        ChatTemplate(chat["template"], chat["words"]),
        Batching(model, Blocks(model.blocks, model.wipe), ends, options["parallel"]),
        Grammars(vocabulary.tokens, sorted(vocabulary.special), sorted(ends), vocabulary.encode, model.vocabulary),
        options["context_length"],
    )
    # The first step lays the weights out for this processor; nobody should wait for it.
    model.step([Part([0] * 8, 0, [0], wanted=1)])
    model.wipe(0)
    return {
        "/apply-template": engine.template,
        "/marks": engine.marks,
        "/completion": engine.completion,
        "/tokenize": engine.tokenize,
        "/forget": engine.forget,
    }


class _Engine:
    """Answers requests; see ``paged_routes``."""

    def __init__(
        self, vocabulary: Vocabulary, template: ChatTemplate, batching: Batching, grammars: Grammars, context: int
    ) -> None:
        self._vocabulary = vocabulary
        self._template = template
        self._batching = batching
        self._grammars = grammars
        self._context = context

    async def template(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the prompt of messages and tools."""
        return {"prompt": self._template.render(body["messages"], body.get("tools") or [])}

    async def marks(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # there is nothing to ask
        """Return the special tokens, and the template with what else it marks turns by."""
        return {"marks": self._vocabulary.marks, "template": self._template.source}

    async def tokenize(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return how many tokens a text has."""
        return {"count": len(self._vocabulary.encode(body["content"]))}

    async def forget(self, body: dict[str, Any]) -> dict[str, Any]:
        """Forget what is cached of an owner; answered when it is gone."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        self._batching.forget(str(body["owner"]), lambda: loop.call_soon_threadsafe(done.set))
        await done.wait()
        gc.collect()  # what is only held by itself is given back now, and overwritten
        return {"forgotten": True}

    async def completion(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Continue a prompt."""
        prompt = self._prompt(body["prompt"])
        room = self._context - len(prompt)
        if room < 1:
            raise RefusedError(
                f"request ({len(prompt)} tokens) exceeds the available context size ({self._context} tokens)",
                "exceed_context_size_error",
            )
        most = int(body.get("n_predict", -1))
        sampling = _sampling(body)
        loop = asyncio.get_running_loop()
        said: asyncio.Queue[Chosen | Exception | None] = asyncio.Queue()
        schema = body.get("json_schema")
        answer = Answer(
            owner=str(body.get("owner") or ""),
            prompt=prompt,
            most=min(room, most if most > 0 else max(_USUAL_ANSWER, room // 2)),
            sampler=Sampler(sampling),
            tell=lambda told: loop.call_soon_threadsafe(said.put_nowait, told),
            grammar=await asyncio.to_thread(self._grammars.of, schema) if schema is not None else None,
            probabilities=sampling.probabilities,
        )
        self._batching.submit(answer)
        return self._events(answer, said, Speech(body.get("stop") or ()))

    def _prompt(self, given: Any) -> list[int]:
        if isinstance(given, str):
            prompt = self._vocabulary.prompt(given)
        else:
            prompt = [int(token) for token in given]
            if any(not 0 <= token < len(self._vocabulary.tokens) for token in prompt):
                raise RefusedError("a token of the prompt does not exist")
        if not prompt:
            raise RefusedError("the prompt is empty")
        return prompt

    async def _events(
        self, answer: Answer, said: asyncio.Queue[Chosen | Exception | None], speech: Speech
    ) -> AsyncIterator[dict[str, Any]]:
        count = 0
        try:
            while not isinstance(told := await said.get(), Exception | None):
                count += 1
                text = speech.add(self._vocabulary.bytes_of(told.token))
                if text or answer.probabilities is not None:
                    yield {"content": text, "stop": False, **self._probable(answer, told)}
                if speech.stopped:
                    break
            if isinstance(told, Exception):
                yield {"error": {"code": 500, "message": "the engine failed", "type": "server_error"}}
                return
        finally:
            self._batching.leave(answer)
        rest = "" if speech.stopped else speech.add(b"", last=True)
        reason = "word" if speech.stopped else "limit" if answer.cut else "eos"
        yield {
            "content": rest, "stop": True, "stop_type": reason, "stopping_word": speech.stopped,
            "tokens_evaluated": len(answer.prompt), "tokens_predicted": count, "timings": {"cache_n": answer.cached},
        }  # fmt: skip

    def _probable(self, answer: Answer, told: Chosen) -> dict[str, Any]:
        if answer.probabilities is None:
            return {}
        top = [self._token(token, logprob) for token, logprob in told.likely]
        return {"completion_probabilities": [{**self._token(told.token, told.logprob), "top_logprobs": top}]}

    def _token(self, token: int, logprob: float) -> dict[str, Any]:
        data = self._vocabulary.tokens[token] if token < len(self._vocabulary.tokens) else b""
        return {"id": token, "token": data.decode("utf-8", "replace"), "bytes": list(data), "logprob": logprob}


def _sampling(body: Mapping[str, Any]) -> Sampling:
    probabilities = body.get("n_probs")
    return Sampling(
        temperature=float(body.get("temperature", 0.7)),
        top_p=float(body.get("top_p", 1.0)),
        top_k=int(body.get("top_k", 40)),
        min_p=float(body.get("min_p", 0.05)),
        frequency_penalty=float(body.get("frequency_penalty", 0.0)),
        presence_penalty=float(body.get("presence_penalty", 0.0)),
        bias={int(token): float(bias) for token, bias in body.get("logit_bias") or ()},
        seed=None if body.get("seed") is None else int(body["seed"]),
        probabilities=None if probabilities is None else min(int(probabilities), _MOST_PROBABILITIES),
    )
