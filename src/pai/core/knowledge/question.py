"""What a question asks: names it speaks of, words that say what is wanted of them, and the kind of thing that would answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pai.core.knowledge.words import NUMBER, STOP, WORD, content_list, names, stem


class Wanted(StrEnum):
    """The kind of thing that answers. Only kinds that can be seen in a text without understanding it."""

    ANYTHING = "anything"
    NUMBER = "number"
    TIME = "time"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Question:
    """``names`` are stems; ``predicates`` are words as asked; ``focus`` are those of them that name the thing wanted itself
    ("Which blood group does ...": blood, group); sentences have to speak of it."""

    text: str
    names: frozenset[str]
    predicates: tuple[str, ...]
    focus: frozenset[str]
    wanted: Wanted


_NUMBER = re.compile(
    r"\bhow (?:much|many|often|long|old|high|large|far)\b|\bwhat (?:amount|price|percentage|share|dose)\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\bwhen\b|\b(?:what|which) (?:date|day|time|year|month)\b", re.IGNORECASE)
_PERSON = re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE)
_FOCUS = re.compile(
    r"\b(?:what|which)(?: (?:is|was|are|were|does|did))?(?: the| a| an)? (.*?)"
    r"(?= (?:of|for|in|on|at|from|to|by|with|does|did|do|is|was|are|were|has|have|had|may|must|can|should|will)\b|$)|\bhow many (\S+)",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"['\u2019]s\b")
# Kinds of thing that a text states without calling them so: "1000 mg" is a dose, "Bergen" a city.
_KINDS = frozenset(
    stem(word)
    for word in [
        "amount",
        "city",
        "cost",
        "country",
        "date",
        "day",
        "dose",
        "dosage",
        "fee",
        "hour",
        "kind",
        "medicine",
        "medication",
        "minute",
        "month",
        "name",
        "period",
        "person",
        "place",
        "price",
        "sum",
        "thing",
        "time",
        "town",
        "type",
        "week",
        "year",
        "take",
        "taken",
    ]
)
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_TIMES = re.compile(
    rf"\b(?:{_MONTHS})\b|\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[:.]\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:19|20)\d\d\b"
    r"|\b(?:days?|weeks?|months?|years?|hours?|minutes?|morning|evening|night|daily|weekly|monthly|yearly)\b",
    re.IGNORECASE,
)
_FIGURE_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|half)\b", re.IGNORECASE
)


def understand(text: str) -> Question:
    """Return what a question asks."""
    plain = _POSSESSIVE.sub("", text)
    named = names(plain)
    predicates = tuple(word for word in content_list(plain) if stem(word) not in named)
    wanted = Wanted.ANYTHING
    for kind, pattern in ((Wanted.NUMBER, _NUMBER), (Wanted.TIME, _TIME), (Wanted.PERSON, _PERSON)):
        if wanted is Wanted.ANYTHING and pattern.search(plain):
            wanted = kind
    phrase = _FOCUS.search(plain)
    asked = (phrase.group(1) or phrase.group(2) or "") if phrase else ""
    focus = frozenset(word for word in content_list(asked) if word in predicates and stem(word) not in _KINDS)
    return Question(text, frozenset(named), predicates, focus, wanted)


def is_kind(word: str) -> bool:
    """Return whether a word only says what kind of thing is wanted."""
    return stem(word) in _KINDS


def answers_kind(question: Question, sentence: str) -> bool:
    """Return whether a sentence holds something of the kind that is wanted, apart from what the question itself says."""
    if question.wanted is Wanted.NUMBER:
        return bool(NUMBER.search(sentence) or _FIGURE_WORDS.search(sentence))
    if question.wanted is Wanted.TIME:
        return bool(_TIMES.search(sentence))
    if question.wanted is Wanted.PERSON:
        capitals = {
            stem(word.lower()) for word in WORD.findall(sentence)[1:] if word[0].isupper() and word.lower() not in STOP
        }
        return bool(capitals - question.names)
    return True
