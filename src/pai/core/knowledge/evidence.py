"""Evidence: which sentence of which passage answers a question, and whether the documents hold an answer at all.

Not the language model decides this. A question is taken apart into names and the words that say what is wanted of
them. The names have to stand in the document; each wanted word has to stand in the sentence or under its heading, or
a word near to
it in meaning (cosine of word embeddings). A sentence whose words are supported well enough may answer; when none is,
PAI abstains.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pai.core.knowledge.question import Question, answers_kind, is_kind, understand
from pai.core.knowledge.sentences import sentences
from pai.core.knowledge.values import Hit
from pai.core.knowledge.words import content_list, content_words, numbers, stem

Embed = Callable[[Sequence[str]], Awaitable[Sequence[bytes]]]

SENTENCES = 48  # embedded per question, at about 3 ms each
WEIGHED = 10  # candidates whose words are compared by meaning
WORDS = 160
MINIMUM_SUPPORT = 0.56
MINIMUM_FOCUS = 0.56
MINIMUM_NAMES = 0.5
HEADING_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence that may hold the answer, word for word as it stands in the passage of ``hit``; ``window`` has its
    neighbours.

    ``support`` (mean over the wanted words, 0 to 1), ``focus`` (the least supported word of the thing wanted) and
    ``named`` (share of the question's names that the document holds) and ``of_kind`` (it holds a number, a time or a
    person where one is wanted) decide; ``score`` orders.
    """

    hit: Hit
    text: str
    window: str
    similarity: float
    named: float
    support: float
    focus: float
    of_kind: bool
    score: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit: Hit
    text: str
    window: str
    words: tuple[str, ...]
    named: float
    named_here: float
    exact: float
    kind: bool


async def weigh(question: str, hits: Sequence[Hit], openings: Mapping[str, str], embed: Embed) -> list[Span]:
    """Return candidate sentences, best first. ``openings`` holds each document's name and first passage: what it is
    about.

    Two calls of ``embed``: one for the sentences, one for single words.
    """
    asked = understand(question)
    candidates = _candidates(asked, hits, openings)
    if not candidates:
        return []
    vectors = [_floats(v) for v in await embed([question, *(_headed(candidate) for candidate in candidates)])]
    nearness = [_dot(vectors[0], vector) for vector in vectors[1:]]
    order = sorted(range(len(candidates)), key=lambda n: -_rough(candidates[n], nearness[n]))[:WEIGHED]
    near = await _near_words(asked, [candidates[n] for n in order], embed)
    return sorted((_span(asked, candidates[n], nearness[n], near) for n in order), key=lambda span: -span.score)


def sufficient(found: Sequence[Span]) -> bool:
    """Return whether the best sentence answers what was asked, as far as words can tell."""
    if not found:
        return False
    best = found[0]
    if best.named < MINIMUM_NAMES or not best.of_kind:
        return False
    return best.support >= MINIMUM_SUPPORT and best.focus >= MINIMUM_FOCUS


def _candidates(asked: Question, hits: Sequence[Hit], openings: Mapping[str, str]) -> list[_Candidate]:
    found: list[_Candidate] = []
    about = {document: content_words(text) for document, text in openings.items()}
    for hit in hits:
        about.setdefault(hit.chunk.document_id, set()).update(content_words(f"{hit.chunk.heading} {hit.chunk.text}"))
    for hit in hits:
        section = hit.chunk.heading.split(" > ")[-1]
        parts = sentences(hit.chunk.text)
        for n, text in enumerate(parts):
            if _is_heading(text):
                section = text
                continue
            words = tuple(content_list(f"{text} {section}"))
            own = content_words(text)
            stems = own | content_words(f"{section} {hit.chunk.heading}")
            wanted = [stem(word) in stems for word in asked.predicates]
            window = " ".join(part for part in parts[max(0, n - 1) : n + 2] if part == text or not _is_row(part))
            found.append(
                _Candidate(
                    hit, text, window, words, _share(asked.names, about[hit.chunk.document_id]), _share(asked.names,
                    own), sum(wanted) / max(1, len(wanted)), answers_kind(asked, text),
                )
            )  # fmt: skip
    found.sort(key=lambda candidate: -(candidate.exact + candidate.named + candidate.hit.similarity))
    return found[:SENTENCES]


def _is_heading(line: str) -> bool:
    return len(line) <= HEADING_LENGTH and line[-1] not in ".!?;:" and ": " not in line


def _is_row(line: str) -> bool:
    return line.count(": ") >= 2 and "; " in line


def _share(wanted: frozenset[str], held: set[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 1.0


def _headed(candidate: _Candidate) -> str:
    return f"{candidate.hit.chunk.heading.split(' > ')[-1]}: {candidate.text}"[:1000]


def _rough(candidate: _Candidate, nearness: float) -> float:
    return nearness + candidate.named + 0.3 * candidate.named_here + candidate.exact + 0.3 * candidate.kind


async def _near_words(asked: Question, candidates: Sequence[_Candidate], embed: Embed) -> dict[str, dict[str, float]]:
    """Return, for each wanted word, how near each word of the candidates is to it in meaning."""
    others: dict[str, None] = {}
    for candidate in candidates:
        others |= dict.fromkeys(candidate.words)
    told = list(others)[:WORDS]
    if not asked.predicates or not told:
        return {}
    vectors = [_floats(v) for v in await embed([*asked.predicates, *told])]
    wanted, offered = vectors[: len(asked.predicates)], vectors[len(asked.predicates) :]
    return {
        word: {other: _dot(vector, theirs) for other, theirs in zip(told, offered, strict=True)}
        for word, vector in zip(asked.predicates, wanted, strict=True)
    }


def _span(asked: Question, candidate: _Candidate, nearness: float, near: Mapping[str, Mapping[str, float]]) -> Span:
    stems = {stem(word) for word in candidate.words} | content_words(candidate.hit.chunk.heading)
    supports: dict[str, float] = {}
    for word in asked.predicates:
        if stem(word) in stems:
            supports[word] = 1.0
        elif not is_kind(word):
            supports[word] = max((near.get(word, {}).get(other, 0.0) for other in candidate.words), default=0.0)
    mean = sum(supports.values()) / len(supports) if supports else (1.0 if asked.names else 0.0)
    focus = min((supports[word] for word in asked.focus if word in supports), default=1.0)
    score = nearness + candidate.named + 0.3 * candidate.named_here + 1.5 * mean + 0.3 * focus + 0.3 * candidate.kind
    return Span(
        candidate.hit, candidate.text, candidate.window, nearness, candidate.named, mean, focus, candidate.kind, score
    )


def supported(answer: str, question: str, passage: str) -> bool:
    """Return whether all that an answer says stands in the passage or the question: numbers, names, words with a meaning.

    One foreign word is enough to say no: a small model that garbles a word may have garbled the name of a medicine.
    """
    known = f"{passage} {question}"
    words = content_words(answer)
    return bool(words) and not words - content_words(known) and not numbers(answer) - numbers(known)


def own_words(answer: str, question: str, passage: str) -> bool:
    """Return whether an answer claims only what the passage says, names of the question apart.

    ``supported`` lets an answer repeat the question; here its verbs count: "signed on 1 April" is not said by "begins on 1 April".
    """
    asked = understand(question)
    held = content_words(passage) | asked.names
    return all(word in held or is_kind(word) for word in content_words(answer))


def support_of(answer: str, question: str, found: Sequence[Span]) -> Span | None:
    """Return the sentence that holds what the answer adds to the question; None when no passage supports the whole
    answer."""
    told = content_words(answer) - content_words(question)
    best, most = None, 0.0
    for span in found:
        if not supported(answer, question, f"{span.hit.chunk.heading} {span.hit.chunk.text}"):
            continue
        here = told & content_words(span.text)
        if numbers(answer) - numbers(question) - numbers(span.text):
            continue  # the figure stands elsewhere in the passage: then that sentence is the source
        share = len(here) / len(told) if told else 0.0
        if share >= 0.5 and share + 0.2 * span.score > most:
            best, most = span, share + 0.2 * span.score
    return best


def _floats(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
