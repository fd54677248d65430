"""Continuous batching: all answers that are under way share each step of the model; new ones join between steps.

A step computes one token of every answer that is being written, with guesses at those behind it where few are written, and a piece of
the prompts that are being read. The piece is small while others are writing, so that their words keep coming. Blocks for a whole answer
are set aside before it begins: an answer that has begun is never put back.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pai.adapters.workers.paged.blocks import BLOCK, Blocks
from pai.adapters.workers.paged.drafts import LONGEST, Lookup
from pai.adapters.workers.paged.grammar import Grammar
from pai.adapters.workers.paged.model import Part
from pai.adapters.workers.paged.sampling import Sampler, log_probabilities

PIECE: Final = 512
"""Tokens of prompts in a step when nobody is writing."""
PIECE_BESIDE: Final = 64
"""The same while others are writing: about as long a pause as three of their words."""
MOST_GUESSING: Final = 2
"""Answers written at once up to which guesses pay: in a full step each more token costs nearly as much as it could save."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A token that was chosen. ``likely``: (token, log-probability) of the likeliest, when told."""

    token: int
    logprob: float = 0.0
    likely: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True, eq=False)
class Answer:
    """An answer under way. ``tell`` is called in the engine's thread with each token, and with None or an error at the end.

    ``most`` bounds the tokens of the answer; ``probabilities`` None tells none, else so many for each token.
    """

    owner: str
    prompt: list[int]
    most: int
    sampler: Sampler
    tell: Callable[[Chosen | Exception | None], object]
    grammar: Grammar | None = None
    probabilities: int | None = None
    left: bool = False
    tokens: list[int] = field(default_factory=list)
    past: int = 0
    cached: int = 0
    blocks: list[int] = field(default_factory=list)
    lookup: Lookup = field(init=False)
    whole: bool = False
    cut: bool = False
    """Whether it ended because it has ``most`` tokens."""

    def __post_init__(self) -> None:
        self.lookup = Lookup(self.prompt)

    @property
    def reading(self) -> bool:
        """Whether its prompt is not computed yet."""
        return self.past < len(self.prompt)


class Stepper(Protocol):
    """Computes steps."""

    def step(self, parts: list[Part]) -> Any: ...


class Batching:
    """Runs answers in a thread of its own. ``ends`` are the tokens that end an answer."""

    def __init__(self, model: Stepper, blocks: Blocks, ends: frozenset[int], most_at_once: int) -> None:
        self._model = model
        self._blocks = blocks
        self._ends = ends
        self._most = most_at_once
        self._waiting: deque[Answer] = deque()
        self._running: list[Answer] = []
        self._orders: deque[Callable[[], None]] = deque()
        self._turn = threading.Condition()
        threading.Thread(target=self._run, name="pai-batching", daemon=True).start()

    def submit(self, sequence: Answer) -> None:
        """Queue an answer."""
        with self._turn:
            self._waiting.append(sequence)
            self._turn.notify()

    def leave(self, sequence: Answer) -> None:
        """Stop an answer that nobody reads any more."""
        with self._turn:
            sequence.left = True
            self._turn.notify()

    def forget(self, owner: str, done: Callable[[], object]) -> None:
        """Forget what is cached of an owner, between two steps; ``done`` is called in the engine's thread."""

        def order() -> None:
            for one in (*self._running, *self._waiting):
                if one.owner == owner:
                    one.owner = ""  # what is still being written ends without being remembered again
            self._blocks.forget(owner)
            done()

        with self._turn:
            self._orders.append(order)
            self._turn.notify()

    def _run(self) -> None:
        try:
            self._turns()
        except BaseException as error:  # noqa: BLE001
            # Nobody would be answered any more, and the process would look well: it ends, and is started anew.
            sys.stderr.write(f"batching ended: {type(error).__name__}\n")
            os._exit(70)

    def _turns(self) -> None:
        while True:
            with self._turn:
                while not (self._waiting or self._running or self._orders):
                    self._turn.wait()
                while self._orders:
                    self._orders.popleft()()
                self._admit()
            self._drop([one for one in self._running if one.left])
            if self._running:
                self._step()

    def _admit(self) -> None:
        """Let waiting answers begin, first come, first served, as far as there are places and blocks."""
        while self._waiting and len(self._running) < self._most:
            one = self._waiting[0]
            if not one.left and not self._begin(one):
                return
            self._waiting.popleft()

    def _begin(self, one: Answer) -> bool:
        names = self._blocks.names(one.owner, one.prompt[:-1])
        found = self._blocks.found(names)
        needed = -(-(len(one.prompt) + one.most) // BLOCK) - len(found)
        if needed > self._blocks.available:
            self._blocks.release(found)
            return False
        one.blocks = found + self._blocks.take(needed)
        one.past = one.cached = len(found) * BLOCK
        self._running.append(one)
        return True

    def _step(self) -> None:
        writing = [one for one in self._running if not one.reading]
        room = PIECE_BESIDE if writing else PIECE
        parts = [(one, self._next(one, guess=len(writing) <= MOST_GUESSING)) for one in writing]
        for one in self._running:
            if one.reading and room > 0:
                piece = one.prompt[one.past : one.past + room]
                room -= len(piece)
                ends = one.past + len(piece) == len(one.prompt)
                parts.append((one, Part(piece, one.past, one.blocks, wanted=int(ends))))
        try:
            rows = self._model.step([part for _, part in parts])
        except RuntimeError as error:
            # What the engine cannot compute ends these answers; the process goes on for the next.
            for one, _ in parts:
                one.tell(error)
            self._drop([one for one, _ in parts])
            return
        at = 0
        for one, part in parts:
            try:
                one.past += self._taken(one, part, rows[at : at + part.wanted])
            except (ArithmeticError, IndexError, RuntimeError, ValueError) as error:
                one.tell(error)  # of this request alone: the others go on
                one.whole = True
            at += part.wanted
        self._drop([one for one in self._running if one.whole])

    def _next(self, one: Answer, *, guess: bool) -> Part:
        # No guess goes beyond the blocks that were set aside: the last token of an answer is chosen and not computed.
        room = min(LONGEST, one.most - len(one.tokens) - 1)
        guessed = one.lookup.guess(room) if guess else []
        return Part([one.tokens[-1], *guessed], one.past, one.blocks, wanted=1 + len(guessed))

    def _taken(self, one: Answer, part: Part, rows: Any) -> int:
        """Choose the tokens that follow a part; return how many of its own stand, guesses that were wrong left out."""
        if not part.wanted:
            return len(part.tokens)
        guessed = part.tokens[len(part.tokens) - part.wanted + 1 :]
        right = 0
        for row, guess in zip(rows, [*guessed, None], strict=True):
            self._choose(one, row)
            if one.whole or one.tokens[-1] != guess:
                break
            right += 1
        if guessed:
            one.lookup.judge(right)
        return len(part.tokens) - len(guessed) + right

    def _choose(self, one: Answer, row: Any) -> None:
        told, likeliest = (None, []) if one.probabilities is None else log_probabilities(row, one.probabilities)
        mask = one.grammar.mask() if one.grammar is not None else None
        token = one.sampler.next(row.copy(), mask)
        if token in self._ends:
            one.whole = True
            return
        one.tokens.append(token)
        one.lookup.add(token)
        likely = tuple((other, float(told[other])) for other in likeliest) if told is not None else ()
        one.tell(Chosen(token, float(told[token]) if told is not None else 0.0, likely))
        done = one.grammar is not None and one.grammar.take(token)
        one.cut = not done and len(one.tokens) >= one.most
        one.whole = done or one.cut

    def _drop(self, done: list[Answer]) -> None:
        for one in done:
            self._running.remove(one)
            if one.owner:
                computed = (one.prompt + one.tokens)[: one.past]
                for name, block in zip(self._blocks.names(one.owner, computed), one.blocks, strict=False):
                    self._blocks.remember(one.owner, name, block)
            self._blocks.release(one.blocks)
            one.tell(None)
