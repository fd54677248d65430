"""Engines without weights: embeddings by shared words, chat by a given sentence."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from pai.core.knowledge.words import content_words
from pai.core.ports.engine import Capabilities, Capability, ChatDelta, ChatRequest, Embeddings
from pai.foundation.refs import ModelRef

DIMENSIONS = 64


def embed(text: str) -> bytes:
    vector = [0.0] * DIMENSIONS
    for word in content_words(text):
        number = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        vector[number % DIMENSIONS] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return struct.pack(f"<{DIMENSIONS}f", *(value / length for value in vector))


@dataclass
class WordEngine:
    says: str = ""
    prompts: list[ChatRequest] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(frozenset({Capability.CHAT, Capability.EMBED}), 4096, DIMENSIONS)
    )
    model: ModelRef = field(default_factory=lambda: ModelRef("words", "00"))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self.batches.append(len(texts))
        return Embeddings(tuple(embed(text) for text in texts), 0, DIMENSIONS)

    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        self.prompts.append(request)
        yield ChatDelta(self.says)
        yield ChatDelta("", "stop")

    async def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def count_prompt(self, request: ChatRequest) -> int:
        return sum(len(message.content.split()) for message in request.messages)


class Untouched:
    """Pictures as they came: what decodes them is tried where it lives."""

    async def clean(self, data: bytes) -> bytes:
        return data


@dataclass
class OneEngine:
    engine: WordEngine

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> WordEngine:
        return self.engine
