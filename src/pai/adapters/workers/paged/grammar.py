"""Answers held to a JSON schema, token by token (llguidance)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pai.adapters.workers.service import RefusedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class _Tokens:
    """What llguidance asks of a tokeniser: bytes of all tokens, and greedy ids of a text."""

    def __init__(self, tokens: Sequence[bytes], special: Sequence[int], end: int, encode: Any) -> None:
        self.tokens = list(tokens)
        self.special_token_ids = list(special)
        self.eos_token_id = end
        self.bos_token_id = None
        self._encode = encode

    def __call__(self, data: bytes) -> list[int]:
        found: list[int] = self._encode(data.decode("utf-8", "replace"))
        return found


class Grammars:
    """Makes matchers. ``size`` is the number of logits in a row, which may be more than there are tokens."""

    def __init__(
        self, tokens: Sequence[bytes], special: Sequence[int], ends: Sequence[int], encode: Any, size: int
    ) -> None:
        import llguidance

        padded = [*tokens, *(b"" for _ in range(size - len(tokens)))]
        wrapped = llguidance.TokenizerWrapper(_Tokens(padded, special, ends[0], encode))
        self._tokenizer = llguidance.LLTokenizer(wrapped, n_vocab=size, eos_token=list(ends))
        self._size = size

    def of(self, schema: Mapping[str, Any]) -> Grammar:
        """Return the matcher of a schema. Raises RefusedError for one that cannot be followed."""
        import llguidance

        try:
            text = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
            matcher = llguidance.LLMatcher(self._tokenizer, text, log_level=0)
        except (ValueError, TypeError) as error:
            raise RefusedError("the JSON schema cannot be followed") from error
        if matcher.is_error():
            raise RefusedError(
                "the JSON schema cannot be followed: it is malformed, too large or uses what is not supported"
            )
        return Grammar(matcher, self._size)


class Grammar:
    """What may come next in one answer."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher = matcher
        self._size = size

    def mask(self) -> NDArray[np.bool_]:
        """Return which tokens may come [vocabulary]."""
        import numpy as np

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return np.unpackbits(bits, bitorder="little", count=self._size).astype(bool)

    def take(self, token: int) -> bool:
        """Go on by a token; return whether the answer is whole now."""
        self._matcher.consume_token(token)
        return bool(self._matcher.is_stopped() or self._matcher.is_error())
