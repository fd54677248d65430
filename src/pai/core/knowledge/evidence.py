"""Evidence: which sentence, table row or item of a list answers a question, and whether the documents hold an answer at all.

Not the language model decides this. Whom a question names has to be whom the unit is about; each wanted word has to stand in it or
over it, or a word of the same family or meaning, or one that the embedding holds to be near; and a number, time, person or reason has to
be there when one is asked for. When no unit is supported well enough, PAI abstains.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pai.core.knowledge.kinds import DAYS_AND_MONTHS, MEASURE_OF, Wanted, dated, holds, measures, months_in
from pai.core.knowledge.likeness import known_words, likeness
from pai.core.knowledge.question import Question, is_kind
from pai.core.knowledge.reading import Document, anchored, named_in
from pai.core.knowledge.units import Shape, Unit
from pai.core.knowledge.values import Hit
from pai.core.knowledge.wording import COMPARED, LEANS, LIGHT, PEOPLE, POINTS, Order
from pai.core.knowledge.words import STOP, stem
from pai.core.ports.engine import floats

Embed = Callable[[Sequence[str]], Awaitable[Sequence[bytes]]]

UNITS = 48  # embedded per question, at about 3 ms each
WEIGHED = 16  # units whose words are compared by meaning
WORDS = 160
MINIMUM_SUPPORT = 0.6
MINIMUM_WORD = 0.63  # single words: "lease" and "contract" have 0.62
ALIKE, MINIMUM_WORD_ALIKE = 0.58, 0.3  # from this cosine of question and unit on, a stray word may be missing
NEARNESS = 1.5  # of the score
EXACT = 0.9
BELIEF = 0.32  # of the questions for tuning, nearly all that are answered from here on are answered rightly
ABOVE, AROUND = 0.95, 0.75  # a word of the heading, of the sentences before, against one of the unit itself


@dataclass(frozen=True, slots=True)
class Span:
    """A unit that may hold the answer.

    ``support`` is the mean over the wanted words (0 to 1), ``weakest`` the least of them. ``anchored`` says that it is about whom the
    question names, ``of_kind`` that it holds what is wanted, ``topical`` that it is about what the question before was about. ``score``
    orders. ``belief`` is how surely it answers when a model has read it (0 to 1), None when none has."""

    unit: Unit
    document: Document
    similarity: float
    anchored: bool
    of_kind: bool
    topical: bool
    support: float
    weakest: float
    score: float
    belief: float | None = None

    @property
    def text(self) -> str:
        """The unit, word for word as it stands in its passage."""
        return self.unit.text

    @property
    def before(self) -> Sequence[str]:
        """The sentence before, when anything in the unit may point back at it, or what its list hangs on."""
        if self.unit.shape is Shape.ITEM:
            return [self.lead] if self.lead else []
        return self.unit.before[-1:] if POINTS.search(self.unit.text) else []

    @property
    def lead(self) -> str:
        """The sentence before, when the unit points back at it ("It makes her sick.") or hangs on it (items after a colon)."""
        return self.unit.before[-1] if leans(self.unit) else ""


@dataclass(frozen=True, slots=True)
class _Words:
    """The lower-case words that a unit may be supported by, and how far they stand from it: its own, those of its heading,
    of the sentences before it, of its document's title."""

    own: tuple[str, ...]
    above: tuple[str, ...]
    around: tuple[str, ...]
    title: tuple[str, ...]


def leans(unit: Unit) -> bool:
    """Return whether a unit is only understood with the sentence before it."""
    if not unit.before or unit.shape not in {Shape.SENTENCE, Shape.ITEM}:
        return False
    return unit.before[-1].endswith(":") if unit.shape is Shape.ITEM else bool(LEANS.search(unit.text))


async def weigh(asked: Question, hits: Sequence[Hit], documents: Mapping[str, Document], embed: Embed) -> list[Span]:
    """Return candidate units of the hits, best first. Two calls of ``embed``: one for the units, one for single words."""
    found = _candidates(asked, hits, documents)
    if not found:
        return []
    vectors = [floats(v) for v in await embed([asked.meant, *(_shown(unit) for unit, _, _ in found)])]
    nearness = [_dot(vectors[0], vector) for vector in vectors[1:]]
    order = sorted(range(len(found)), key=lambda n: -(found[n][2] + NEARNESS * nearness[n]))[:WEIGHED]
    told = [(found[n][0], found[n][1], _words(found[n][0], found[n][1])) for n in order]
    near = await _near_words(asked, [words for _, _, words in told], embed)
    spans = [
        _span(asked, unit, document, words, nearness[n], near)
        for n, (unit, document, words) in zip(order, told, strict=True)
    ]
    return sorted(spans, key=lambda span: -span.score)


def sufficient(span: Span) -> bool:
    """Return whether a unit answers what was asked, as far as words can tell."""
    if not (span.anchored and span.topical):
        return False
    if span.belief is not None and span.unit.shape is not Shape.HEADER:
        return span.belief >= BELIEF
    if span.unit.shape is Shape.HEADER:
        return span.of_kind and span.weakest >= EXACT and span.support > 0 and span.text not in span.document.headings
    if not span.of_kind:
        return False
    least = MINIMUM_WORD_ALIKE if span.similarity >= ALIKE else MINIMUM_WORD
    return span.support >= MINIMUM_SUPPORT and span.weakest >= least


def _candidates(
    asked: Question, hits: Sequence[Hit], documents: Mapping[str, Document]
) -> list[tuple[Unit, Document, float]]:
    similarity = {hit.chunk.id: hit.similarity for hit in hits}
    found: list[tuple[Unit, Document, float]] = []
    for document in documents.values():
        for unit in document.units:
            if unit.chunk.id in similarity:
                rough = _rough(asked, unit, document) + similarity[unit.chunk.id]
                found.append((unit, document, rough))
    found.sort(key=lambda one: -one[2])
    return found[:UNITS]


def _rough(asked: Question, unit: Unit, document: Document) -> float:
    words = _words(unit, document)
    told = [_by_rule(word, words, unit.shape) for word in asked.predicates]
    exact = sum(told) / len(told) if told else 0.0
    return 1.5 * exact + anchored(asked, unit, document)


def _of_kind(asked: Question, unit: Unit) -> bool:
    """Return whether a unit holds the kind of thing that is wanted. What is the most, or the next, a sentence has to say
    itself; rows are put in order later."""
    if not holds(asked.wanted, asked.measure, asked.name_stems, unit.text):
        return False
    if asked.order is None or unit.shape is Shape.ROW:
        return True
    text = f"{unit.section} {unit.text}"
    dates = asked.order not in {Order.LEAST, Order.MOST} and dated(unit.text)
    return dates or bool(COMPARED.search(text))


def _words(unit: Unit, document: Document) -> _Words:
    around = [word for text in unit.before[-2:] for word in known_words(text)]
    return _Words(
        _plain([*known_words(document.full(unit.text)), *months_in(unit.text)]), _plain(known_words(unit.section)),
        _plain(around), _plain([*document.title_words, *known_words(unit.chunk.heading)]),
    )  # fmt: skip


def _plain(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word not in STOP))


def _by_rule(word: str, words: _Words, shape: Shape) -> float:
    own = _best(word, words.own)
    if shape is Shape.HEADER:
        return own
    title = _best(word, words.title)
    if title:
        return title  # what the whole document is about tells no sentence from another
    return max(own, ABOVE * _best(word, words.above), AROUND * _best(word, words.around))


def _best(word: str, others: Sequence[str]) -> float:
    return max((likeness(word, other) for other in others), default=0.0)


async def _near_words(asked: Question, told: Sequence[_Words], embed: Embed) -> dict[str, dict[str, float]]:
    """Return, for each wanted word, how near each word of the units is to it in meaning."""
    others = list(dict.fromkeys(word for words in told for word in (*words.own, *words.above)))[:WORDS]
    wanted = [word for word in asked.predicates if word not in DAYS_AND_MONTHS and not any(map(str.isdigit, word))]
    if not wanted or not others:
        return {}
    vectors = [floats(v) for v in await embed([*wanted, *others])]
    return {
        word: {other: _dot(vector, theirs) for other, theirs in zip(others, vectors[len(wanted) :], strict=True)}
        for word, vector in zip(wanted, vectors[: len(wanted)], strict=True)
    }


def _span(
    asked: Question,
    unit: Unit,
    document: Document,
    words: _Words,
    nearness: float,
    near: Mapping[str, Mapping[str, float]],
) -> Span:
    supports = _supports(asked, unit, words, near)
    values = list(supports.values())
    # Without a word to go by, a name in the unit itself has to do ("When does X come?"); a kind alone ("Which medicines ...") does not.
    here = bool(asked.names) and all(named_in(name, unit.text) for name in asked.names)
    bare = 0.8 if here and not any(is_kind(word) for word in asked.predicates) else 0.0
    topics = [_by_rule(topic, words, unit.shape) for topic in asked.topics]
    mean = sum(values) / len(values) if values else max(topics, default=bare)
    weakest = min(values, default=mean)
    if any(supports.get(word, 1.0) < MINIMUM_WORD for word in asked.focus):
        weakest = 0.0  # the thing wanted is not spoken of
    about = anchored(asked, unit, document)
    topical = not topics or any(topics)
    score = NEARNESS * nearness + about + 1.5 * mean
    return Span(unit, document, nearness, about, _of_kind(asked, unit), topical, mean, weakest, score)


def _supports(asked: Question, unit: Unit, words: _Words, near: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    units = measures(unit.text)
    for word in asked.predicates:
        value = _by_rule(word, words, unit.shape)
        if MEASURE_OF.get(stem(word)) in units:
            value = max(value, EXACT)
        if stem(word) in PEOPLE and asked.wanted is Wanted.PERSON and _of_kind(asked, unit):
            value = max(value, EXACT)  # people are told by their names
        if value == 0.0 and ((is_kind(word) and not asked.several) or stem(word) in LIGHT):
            continue
        if unit.shape is not Shape.HEADER:
            told = near.get(word, {})
            value = max(value, *(told.get(other, 0.0) for other in (*words.own, *words.above)), 0.0)
        found[word] = value
    return found


def _shown(unit: Unit) -> str:
    return f"{unit.section}: {unit.text}"[:1000]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
