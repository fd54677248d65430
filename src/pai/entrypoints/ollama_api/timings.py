"""How long an answer took, in nanoseconds, as Ollama tells it. Only what was measured is told.

What is measured is what a client waits for: until the engine has taken the request (``load``), from there to the first piece
(``prompt_eval``; waiting for a free place in the engine is part of it) and from the first piece to the last (``eval``). An answer
in one piece, such as a tool call, does not tell the last two apart, and they are left out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pai.core.ports.engine import ChatDelta, Usage


@dataclass(slots=True)
class Timings:
    """Readings of the clock on the way of one answer."""

    begun: int = field(default_factory=time.perf_counter_ns)
    taken: int = 0
    first: int = 0
    pieces: int = 0

    def take(self, delta: ChatDelta) -> None:
        """Note a piece."""
        if delta.text or delta.reasoning:
            self.first = self.first or time.perf_counter_ns()
            self.pieces += 1

    def told(self, usage: Usage | None = None) -> dict[str, int]:
        """Return the durations until now, and the tokens they were spent on."""
        now = time.perf_counter_ns()
        found = {"total_duration": now - self.begun}
        if self.taken:
            found["load_duration"] = self.taken - self.begun
        if usage is not None:
            found |= {"prompt_eval_count": usage.prompt_tokens, "eval_count": usage.completion_tokens}
        if self.pieces > 1:
            found |= {"prompt_eval_duration": self.first - self.taken, "eval_duration": now - self.first}
        return found
