"""The next token out of a row of logits: biases, penalties, a mask, then the samplers in llama.cpp's order (top-k, top-p, min-p,
temperature), so that a request means the same on either engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Row = NDArray[np.float32]


_COLDEST: Final = 1e-4
"""Below this temperature the likeliest token is taken: dividing by less leaves the range of numbers."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose. ``temperature`` 0 takes the likeliest token; ``probabilities`` None tells none of them, else so many."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    frequency_penalty: float
    presence_penalty: float
    bias: Mapping[int, float]
    seed: int | None
    probabilities: int | None


class Sampler:
    """Chooses the tokens of one answer."""

    def __init__(self, sampling: Sampling) -> None:
        import numpy as np

        self._how = sampling
        self._random = np.random.default_rng(sampling.seed)
        self._said: Counter[int] = Counter()

    def next(self, row: Row, mask: NDArray[np.bool_] | None = None) -> int:
        """Return the next token. ``row`` [vocabulary] is used up; ``mask`` [vocabulary] tells which tokens may come."""
        import numpy as np

        how = self._how
        for token, bias in how.bias.items():
            if token < len(row):
                row[token] += bias
        if self._said and (how.frequency_penalty or how.presence_penalty):
            tokens = np.fromiter(self._said, dtype=np.int64)
            counts = np.fromiter(self._said.values(), dtype=np.float32)
            row[tokens] -= counts * how.frequency_penalty + how.presence_penalty
        if mask is not None:
            row[~mask] = -np.inf
        chosen = int(row.argmax()) if how.temperature < _COLDEST else self._drawn(row)
        self._said[chosen] += 1
        return chosen

    def _drawn(self, row: Row) -> int:
        import numpy as np

        how = self._how
        count = min(how.top_k or len(row), len(row))
        tokens = np.argpartition(row, -count)[-count:] if count < len(row) else np.arange(len(row))
        tokens = tokens[np.argsort(row[tokens])[::-1]]
        likely = _softmax(row[tokens])
        keep = len(tokens)
        if how.top_p < 1:
            keep = min(keep, int(np.searchsorted(np.cumsum(likely), how.top_p)) + 1)
        if how.min_p > 0:
            keep = min(keep, max(1, int((likely >= how.min_p * likely[0]).sum())))
        likely = _softmax(row[tokens[:keep]] / how.temperature)
        return int(tokens[self._random.choice(keep, p=likely)])


def _softmax(values: Row) -> NDArray[np.float64]:
    import numpy as np

    raised = np.exp(values.astype(np.float64) - float(values.max()))
    found: NDArray[np.float64] = raised / raised.sum()
    return found


def log_probabilities(row: Row, count: int) -> tuple[Any, list[int]]:
    """Return the log-probability of every token [vocabulary], before any bias or mask, and the ``count`` likeliest tokens."""
    import numpy as np

    highest = float(row.max())
    told = row - (highest + float(np.log(np.exp(row - highest).sum())))
    likeliest = np.argpartition(told, -count)[-count:] if count else np.empty(0, dtype=np.int64)
    return told, [int(token) for token in likeliest[np.argsort(told[likeliest])[::-1]]]
