"""Engines inside the benchmark's own process, so that answers can be measured without a served installation."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pai.adapters.engines.socket_engine import SocketEngine
from pai.core.ports.engine import (
    Capabilities,
    Capability,
    ChatDelta,
    ChatRequest,
    Embeddings,
    Engine,
    TokenLogprob,
)
from pai.foundation.errors import NotFound
from pai.foundation.refs import ModelRef


@dataclass
class LocalEmbedding:
    """The exported sentence model on ONNX Runtime; ``cache`` spares repeated texts."""

    folder: Path
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(frozenset({Capability.EMBED}), 256, 384))
    texts: int = 0
    _session: Any = None
    _tokenizer: Any = None

    @property
    def model(self) -> ModelRef:
        return ModelRef("all-minilm-l6-v2", "")

    def _load(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        file = str(self.folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")

    def _run(self, texts: Sequence[str]) -> list[bytes]:
        import numpy as np

        if self._session is None:
            self._load()
        vectors: list[bytes] = []
        for start in range(0, len(texts), 32):
            encoded = self._tokenizer.encode_batch(list(texts[start : start + 32]))
            feeds = {
                "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
                "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
            }
            vectors += [row.astype("<f4").tobytes() for row in self._session.run(None, feeds)[0]]
        return vectors

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self.texts += len(texts)
        return Embeddings(tuple(await asyncio.to_thread(self._run, texts)), 0, 384)

    def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        raise NotImplementedError

    async def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)


@dataclass
class LocalChat:
    """A GGUF model in this process; it listens on a Unix socket in ``folder`` only."""

    gguf: Path
    folder: Path
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(frozenset({Capability.CHAT, Capability.LOGPROBS}), 4096)
    )
    prompt_tokens: list[int] = field(default_factory=list)
    _server: Any = None

    @property
    def model(self) -> ModelRef:
        return ModelRef(self.gguf.stem, "")

    def _load(self) -> None:
        import xllamacpp

        p = xllamacpp.CommonParams()
        p.model.path = str(self.gguf)
        p.n_ctx, p.n_parallel, p.verbosity, p.use_jinja = 4096, 1, 0, True
        p.cpuparams.n_threads = p.cpuparams_batch.n_threads = os.cpu_count() or 2
        p.hostnames = [str(self.folder / "engine.sock")]
        p.ui, p.cache_ram_mib = False, 256
        self._server = xllamacpp.Server(p)

    def _run(self, request: ChatRequest) -> ChatDelta:
        if self._server is None:
            self._load()
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        body = {
            "messages": messages,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "stop": list(request.stop),
        }
        if request.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        answer = self._server.handle_chat_completions(body)
        self.prompt_tokens.append(int(answer["usage"]["prompt_tokens"]))
        choice = answer["choices"][0]
        tokens = [_token(one) for one in (choice.get("logprobs") or {}).get("content") or ()]
        return ChatDelta(str(choice["message"]["content"]), "stop", logprobs=tuple(tokens))

    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        yield await asyncio.to_thread(self._run, request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        raise NotImplementedError

    async def count_tokens(self, text: str) -> int:
        raise NotImplementedError


def _token(told: dict[str, Any]) -> TokenLogprob:
    top = tuple(_token(one) for one in told.get("top_logprobs", ()))
    return TokenLogprob(str(told["token"]), float(told["logprob"]), b"", top)


def paged_chat(folder: Path, place: Path) -> tuple[SocketEngine, subprocess.Popen[bytes]]:
    """Return PAI's own engine on a model in OpenVINO's format, in a process of its own without walls, and that process."""
    program = Path(__file__).with_name("bare_engine.py")
    process = subprocess.Popen(
        [sys.executable, str(program), "openvino", str(folder), str(place)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return socket_chat(folder.name, place), process


def socket_chat(name: str, place: Path) -> SocketEngine:
    """Return an engine that listens at ``place`` already."""
    return SocketEngine(
        place, ModelRef(name, ""), Capabilities(frozenset({Capability.CHAT, Capability.LOGPROBS}), 8192)
    )


@dataclass
class SilentChat:
    """A chat engine that says nothing: what is left is the sentence that retrieval found."""

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(frozenset({Capability.CHAT}), 4096))

    @property
    def model(self) -> ModelRef:
        return ModelRef("none", "")

    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:  # noqa: ARG002  the port names it
        yield ChatDelta("", "stop")

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        raise NotImplementedError

    async def count_tokens(self, text: str) -> int:
        raise NotImplementedError


@dataclass
class LocalEngines:
    """The two aliases that questions need."""

    chat: Engine
    embedding: Engine

    async def get(self, name: str) -> Engine:
        found = {"default": self.chat, "default-embedding": self.embedding}.get(name)
        if found is None:
            raise NotFound(f"no model {name}")
        return found
