"""Whether two words say the same: the same stem, one family ("allergic", "allergy"), or one meaning of the lexicon."""

from __future__ import annotations

from functools import lru_cache

from pai.core.knowledge.lexicon import MEANINGS
from pai.core.knowledge.words import WORD, stem, word_set

SAME, FAMILY, MEANING = 1.0, 0.95, 0.9
_ROOT = 5  # letters that words of one family share at least
_COMPOUND = 8
_ENDINGS = word_set(
    "a able age al an ance ant ar ary ation e ed ee ence ency ent er ery es est ful ial ian ic ical ies ied ing ion ious is ise ism "
    "ist ition ity ive ize less ly ment ness or ory ous s t th tion ty ure y em en ern ete eten n st te ten ung ungen"
)


def _read() -> tuple[dict[str, frozenset[int]], dict[str, frozenset[int]], list[tuple[list[str], list[str]]]]:
    known: dict[str, set[int]] = {}
    german: dict[str, set[int]] = {}
    lines: list[tuple[list[str], list[str]]] = []
    for number, line in enumerate(filter(None, MEANINGS.split("\n"))):
        left, _, right = line.partition("|")
        lines.append((left.split(), right.split()))
        for word in [*left.split(), *right.split()]:
            known.setdefault(stem(word), set()).add(number)
        for word in right.split():
            german.setdefault(word, set()).add(number)
    return (
        {word: frozenset(found) for word, found in known.items()},
        {word: frozenset(found) for word, found in german.items()},
        lines,
    )


_KNOWN, _GERMAN_WORDS, _LINES = _read()


@lru_cache(maxsize=8192)
def meanings(word: str) -> frozenset[int]:
    """Return the lines of the lexicon that a lower-case word stands in; of a German compound, those of its parts."""
    found = _KNOWN.get(stem(word))
    if found is not None:
        return found
    return frozenset().union(*(_KNOWN.get(stem(part), frozenset()) for part in compound(word)))


@lru_cache(maxsize=8192)
def compound(word: str) -> tuple[str, ...]:
    """Return the known parts of a German compound ("mietvertrag": miete, vertrag), or nothing."""
    if len(word) < _COMPOUND or word in _GERMAN_WORDS:
        return ()
    for cut in range(3, len(word) - 2):
        first, last = word[:cut], word[cut:]
        if last in _GERMAN_WORDS:
            for bare in (first, first.removesuffix("s"), first.removesuffix("n"), first + "e"):
                if bare in _GERMAN_WORDS:
                    return bare, last
    return ()


@lru_cache(maxsize=65536)
def likeness(one: str, other: str) -> float:
    """Return how surely two lower-case words say the same, by rules alone: 0, or from ``MEANING`` to ``SAME``."""
    a, b = stem(one), stem(other)
    if a == b:
        return SAME
    if _family(a, b):
        return FAMILY
    return MEANING if meanings(one) & meanings(other) else 0.0


def _family(a: str, b: str) -> bool:
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared += 1
    return shared >= _ROOT and {a[shared:], b[shared:]} - {""} <= _ENDINGS


def alternatives(word: str) -> list[str]:
    """Return other words of the same meanings, for the text index."""
    found = [other for number in sorted(meanings(word)) for side in _LINES[number] for other in side]
    return [other for other in dict.fromkeys(found) if other != word]


def known_words(text: str) -> list[str]:
    """Return the lower-case words of a text, the parts of compounds after them."""
    return [part for word in WORD.findall(text.lower()) for part in (word, *compound(word))]
