"""Continuous batching and its blocks, over a model that is a table: what each step is given, and what is left afterwards."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pai.adapters.workers.paged.batching import PIECE_BESIDE, Answer, Batching, Chosen
from pai.adapters.workers.paged.blocks import BLOCK, Blocks
from pai.adapters.workers.paged.model import Part
from pai.adapters.workers.paged.sampling import Sampler, Sampling

VOCABULARY = 64
END = 63
GREEDY = Sampling(0.0, 1.0, 40, 0.05, 0.0, 0.0, {}, None, None)


@dataclass
class Table:
    """Says after each token the next number, and keeps what it was given. ``gate`` holds back each step until let go."""

    steps: list[list[Part]] = field(default_factory=list)
    gate: queue.Queue[None] | None = None
    fails: bool = False
    around: int = VOCABULARY

    def step(self, parts: list[Part]) -> Any:
        if self.gate is not None:
            self.gate.get(timeout=10)
        self.steps.append(parts)
        if self.fails:
            raise RuntimeError("no")
        rows = [
            np.eye(VOCABULARY, dtype=np.float32)[(token + 1) % self.around] * 9
            for part in parts
            for token in part.tokens[len(part.tokens) - part.wanted :]
        ]
        return np.array(rows, dtype=np.float32).reshape(-1, VOCABULARY)


@dataclass
class House:
    """A batching with its blocks; ``wiped`` are the blocks that were cleared, in order."""

    model: Table = field(default_factory=Table)
    count: int = 32
    wiped: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.blocks = Blocks(self.count, self.wiped.append)
        self.batching = Batching(self.model, self.blocks, frozenset({END}), 8)

    def ask(
        self, owner: str, prompt: list[int], most: int = 4, sampling: Sampling = GREEDY
    ) -> tuple[Answer, queue.Queue[Any]]:
        told: queue.Queue[Any] = queue.Queue()
        answer = Answer(owner, prompt, most, Sampler(sampling), told.put)
        self.batching.submit(answer)
        return answer, told


def rest(told: queue.Queue[Any]) -> list[Any]:
    """What an answer told, up to its end."""
    found = []
    while (one := told.get(timeout=10)) is not None:
        found.append(one)
    return found


def tokens(told: queue.Queue[Any]) -> list[int]:
    return [one.token for one in rest(told) if isinstance(one, Chosen)]


PROMPT = [1, 2] * BLOCK + [3]  # two full blocks and one token


def test_an_answer_goes_on_to_its_limit_or_to_an_end() -> None:
    house = House()
    answer, told = house.ask("", [10])
    assert tokens(told) == [11, 12, 13, 14]
    assert answer.cut
    answer, told = house.ask("", [60])
    assert tokens(told) == [61, 62]
    assert not answer.cut
    assert house.blocks.available == house.count


def test_only_the_owner_finds_a_beginning_again() -> None:
    house = House()
    for owner, cached in (("alice", 0), ("alice", 64), ("bob", 0), ("", 0), ("", 0)):
        answer, told = house.ask(owner, PROMPT)
        assert tokens(told) == [4, 5, 6, 7]
        assert answer.cached == cached, owner


def test_blocks_that_nobody_may_use_again_are_wiped() -> None:
    house = House()
    rest(house.ask("", PROMPT)[1])
    assert len(house.wiped) == 3
    rest(house.ask("alice", PROMPT)[1])
    assert len(house.wiped) == 4  # the unfinished one; two are remembered
    forgotten: queue.Queue[None] = queue.Queue()
    house.batching.forget("alice", lambda: forgotten.put(None))
    forgotten.get(timeout=10)
    assert len(house.wiped) == 6
    assert house.ask("alice", PROMPT)[0].cached == 0


def test_who_is_forgotten_while_an_answer_is_written_is_not_remembered_at_its_end() -> None:
    house = House(Table(gate=queue.Queue()))
    gate = house.model.gate
    assert gate is not None
    _, told = house.ask("alice", PROMPT, most=6)
    gate.put(None)
    assert isinstance(told.get(timeout=10), Chosen)
    forgotten: queue.Queue[None] = queue.Queue()
    house.batching.forget("alice", lambda: forgotten.put(None))
    for _ in range(20):
        gate.put(None)
    forgotten.get(timeout=10)
    assert len(rest(told)) == 5
    assert house.blocks.available == house.count
    answer, told = house.ask("alice", PROMPT)
    rest(told)
    assert answer.cached == 0


def test_what_one_request_breaks_is_its_own() -> None:
    house = House()
    broken = Sampling(0.7, 1.0, 40, 0.05, 0.0, 0.0, {n: float("nan") for n in range(VOCABULARY)}, 1, None)
    _, told = house.ask("alice", [1], sampling=broken)
    assert any(isinstance(one, Exception) for one in rest(told))
    assert tokens(house.ask("bob", [1])[1]) == [2, 3, 4, 5]


@pytest.mark.parametrize("temperature", [1e-40, 5e-324, 1e-5])
def test_the_coldest_temperature_is_greedy(temperature: float) -> None:
    cold = Sampling(temperature, 1.0, 40, 0.05, 0.0, 0.0, {}, 1, None)
    assert tokens(House().ask("", [1], sampling=cold)[1]) == [2, 3, 4, 5]


def test_a_step_that_fails_ends_its_answers_and_no_others() -> None:
    house = House(Table(fails=True))
    _, told = house.ask("alice", [1])
    assert isinstance(rest(told)[0], RuntimeError)
    house.model.fails = False
    assert tokens(house.ask("alice", [1])[1]) == [2, 3, 4, 5]


def test_who_leaves_gives_the_blocks_back() -> None:
    house = House(Table(gate=queue.Queue()))
    gate = house.model.gate
    assert gate is not None
    answer, told = house.ask("", [1], most=40)
    gate.put(None)
    assert isinstance(told.get(timeout=10), Chosen)
    house.batching.leave(answer)
    gate.put(None)
    rest(told)
    assert house.blocks.available == house.count


def test_a_long_prompt_is_read_in_small_pieces_beside_who_writes() -> None:
    house = House(Table(gate=queue.Queue()), count=64)
    gate = house.model.gate
    assert gate is not None
    _, first = house.ask("", [1], most=40)
    gate.put(None)
    first.get(timeout=10)
    _, second = house.ask("", [5] * 300, most=1)
    for _ in range(60):
        gate.put(None)
    rest(second)
    rest(first)
    pieces = [len(part.tokens) for parts in house.model.steps for part in parts if len(part.tokens) > 1]
    assert max(pieces) == PIECE_BESIDE
    assert sum(pieces) in {299, 300}  # a last piece of one token is not counted here
    assert all(len(parts) == 2 for parts in house.model.steps if any(len(part.tokens) > 1 for part in parts))


def test_the_longest_unused_beginning_makes_room() -> None:
    house = House(count=4)
    rest(house.ask("alice", PROMPT)[1])
    rest(house.ask("bob", PROMPT)[1])  # three blocks: one of alice's has to go
    assert house.ask("alice", PROMPT)[0].cached == 0


def test_guesses_come_from_what_was_said_and_spare_steps() -> None:
    house = House(Table(around=6))
    answer, told = house.ask("alice", [0, 1, 2, 3, 4, 5] * 2, most=40)
    assert tokens(told) == [n % 6 for n in range(40)]
    assert answer.cut
    assert len(house.model.steps) <= 10
    # Nothing was computed beyond what had been set aside, and what is remembered is what was said.
    assert max(part.past + len(part.tokens) for step in house.model.steps for part in step) <= 12 + 40
    again, told = house.ask("alice", [n % 6 for n in range(70)], most=1)
    assert tokens(told) == [70 % 6]
    assert again.cached == BLOCK


def test_wrong_guesses_change_no_answer_and_become_rarer() -> None:
    house = House()
    misleading = [n for start in range(40) for n in (start, start + 1, start + 2, 50)]
    _, told = house.ask("", [*misleading, 0, 1, 2], most=38)
    assert tokens(told) == list(range(3, 41))
    guessed = [len(step[0].tokens) > 1 for step in house.model.steps[1:]]
    assert guessed[0]
    assert sum(guessed) <= 8
    past = [step[0].past for step in house.model.steps[1:]]
    assert past == list(range(past[0], past[0] + len(past)))  # what was guessed wrongly is computed over


def test_a_guess_that_is_right_in_part_is_taken_in_part() -> None:
    house = House()
    _, told = house.ask("", [5, 6, 7, 8, 9, 30, 31, 5, 6, 7], most=6)
    assert tokens(told) == [8, 9, 10, 11, 12, 13]
    assert [step[0].past for step in house.model.steps] == [0, 10, 12, 13, 14]


def test_no_guesses_where_many_are_answered() -> None:
    house = House(Table(around=6, gate=queue.Queue()))
    gate = house.model.gate
    assert gate is not None
    answers = [house.ask("", [0, 1, 2, 3, 4, 5] * 2, most=8)[1] for _ in range(3)]
    for _ in range(60):
        gate.put(None)
    for told in answers:
        assert tokens(told) == [n % 6 for n in range(8)]
    full = [step for step in house.model.steps if len(step) == 3 and all(part.past >= 12 for part in step)]
    assert full
    assert all(len(part.tokens) == 1 for step in full for part in step)
