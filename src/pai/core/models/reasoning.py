"""What a model thinks before it answers, told apart from the answer where the model marks it (``<think>...</think>``)."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Final

from pai.core.ports.engine import ChatDelta

OPEN: Final = "<think>"
CLOSE: Final = "</think>"


async def apart(deltas: AsyncIterator[ChatDelta]) -> AsyncIterator[ChatDelta]:
    """Yield the deltas with thoughts in ``reasoning`` instead of ``text``."""
    held, at_start, thinking = "", True, False
    async for delta in deltas:
        if delta.waiting is not None:
            yield delta
            continue
        held += delta.text
        text = thought = ""
        if at_start:
            start = held.lstrip()
            if OPEN.startswith(start) and delta.finish_reason is None and start != OPEN:
                if delta.logprobs:
                    yield dataclasses.replace(delta, text="")
                continue
            at_start = False
            if start.startswith(OPEN):
                held, thinking = start.removeprefix(OPEN), True
        if thinking:
            thought, mark, rest = held.partition(CLOSE)
            if mark:
                thinking, text, held = False, rest.lstrip("\n"), ""
            else:
                keep = 0 if delta.finish_reason else _begun(held)
                thought, held = held[: len(held) - keep], held[len(held) - keep :]
        else:
            text, held = held, ""
        if text or thought or delta.finish_reason or delta.logprobs:
            yield dataclasses.replace(delta, text=text, reasoning=thought)


def _begun(text: str) -> int:
    """Return how many characters at the end of a text may be the beginning of the closing mark."""
    return next((n for n in range(min(len(text), len(CLOSE) - 1), 0, -1) if CLOSE.startswith(text[-n:])), 0)
