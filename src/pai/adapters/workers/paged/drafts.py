"""Guesses at what comes next, out of what was said before: answers to documents quote them.

A step of the model reads all weights for one token; a few more tokens in the same step cost little. So the tokens that followed
the last time the same three stood together are computed along, each is compared with what the sampler then really chooses, and those
behind the first that differs are dropped: the answer is the one that would have come without guesses (prompt lookup, a form of
speculative decoding: Leviathan et al. 2023, arXiv 2211.17192).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LONGEST: Final = 4
"""Tokens guessed at once."""
_TOKENS: Final = 3
"""How many must be the same for a guess."""
_LONGEST_PAUSE: Final = 16


class Lookup:
    """The tokens of one answer and its prompt, and where each three of them stood last."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        self._behind: dict[tuple[int, ...], int] = {}
        self._wait = self._pause = 0
        for end in range(_TOKENS, len(self._tokens)):  # the last three are what is looked for
            self._behind[tuple(self._tokens[end - _TOKENS : end])] = end

    def add(self, token: int) -> None:
        """Take a token that was chosen."""
        if len(self._tokens) >= _TOKENS:
            self._behind[tuple(self._tokens[-_TOKENS:])] = len(self._tokens)
        self._tokens.append(token)

    def guess(self, most: int) -> list[int]:
        """Return up to ``most`` tokens that may come next."""
        if self._pause > 0:
            self._pause -= 1
            return []
        start = self._behind.get(tuple(self._tokens[-_TOKENS:]))
        return [] if start is None else self._tokens[start : start + max(0, most)]

    def judge(self, right: int) -> None:
        """Learn how many tokens of a guess were right. After wrong ones none are made for a while, longer each time."""
        self._wait = 0 if right else min(2 * self._wait or 1, _LONGEST_PAUSE)
        self._pause = self._wait
