"""Which part of a conversation fits into a model's context."""

from __future__ import annotations

from collections.abc import Sequence

from pai.core.conversations.values import Message
from pai.core.ports.engine import ChatMessage, Engine
from pai.foundation.errors import Invalid

ANSWER_TOKENS = 1024
PER_MESSAGE = 8
"""Tokens that a chat template puts around one message, generously."""


def answer_tokens(engine: Engine) -> int:
    """Return how many tokens of the context are kept free for the answer: 1024, or a quarter of a small context."""
    return min(ANSWER_TOKENS, engine.capabilities.context_length // 4)


async def fitting(engine: Engine, system: str, messages: Sequence[Message]) -> tuple[ChatMessage, ...]:
    """Return the system message and the newest turns that leave room for the answer; the oldest are left out first.

    Raises Invalid (``context_length_exceeded``) when the newest message alone does not fit.
    """
    room = engine.capabilities.context_length - answer_tokens(engine)
    room -= await engine.count_tokens(system) + PER_MESSAGE
    chosen: list[ChatMessage] = []
    for message in reversed(messages):
        room -= await engine.count_tokens(message.content) + PER_MESSAGE
        if room < 0:
            break
        chosen.append(ChatMessage(message.role, message.content))
    if not chosen:
        limit = engine.capabilities.context_length
        raise Invalid(
            f"the message does not fit into the model's context of {limit} tokens",
            code="context_length_exceeded",
            hint="shorten it, or put the text into a collection and ask that",
        )
    if chosen[-1].role == "assistant" and len(chosen) > 1:
        chosen.pop()  # a history begins with what the member said
    return (ChatMessage("system", system), *reversed(chosen))
