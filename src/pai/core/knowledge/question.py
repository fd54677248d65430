"""What a question asks: names it speaks of, words that say what is wanted of them, and the kind of thing that would
answer it."""

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
    """``names`` are stems; ``predicates`` are words as asked; ``focus`` are those of them that name the thing wanted
    itself ("Which blood group does ...": blood, group); sentences have to speak of it."""

    text: str
    names: frozenset[str]
    predicates: tuple[str, ...]
    focus: frozenset[str]
    wanted: Wanted


_NUMBER = re.compile(
    r"\bhow (?:much|many|often|long|old|high|large|far)\b"
    r"|\bwhat (?:amount|price|percentage|share|dose)\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\bwhen\b|\b(?:what|which) (?:date|day|time|year|month)\b", re.IGNORECASE)
_PERSON = re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE)
_FOCUS = re.compile(
    r"\b(?:what|which)(?: (?:is|was|are|were|does|did))?(?: the| a| an)? (.*?)"
    r"(?= (?:of|for|in|on|at|from|to|by|with|does|did|do|is|was|are|were|has|have|had|may|must|can|should|will)\b|$)"
    r"|\bhow many (\S+)",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"['\u2019]s\b")
# Kinds of thing that a text states without calling them so: "1000 mg" is a dose, "Bergen" a city.
_KIND_WORDS = """city country date day dosage dose hour kind medicine medication minute month name period person place thing time
 town type week year"""
_QUANTITY_WORDS = """age amount cost distance dosage dose fee height length load percentage price rate size speed sum
 temperature weight"""
_QUANTITIES = frozenset(stem(word) for word in _QUANTITY_WORDS.split())
_KINDS = frozenset(stem(word) for word in _KIND_WORDS.split()) | _QUANTITIES
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_TIMES = re.compile(
    rf"\b(?:{_MONTHS})\b|\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[:.]\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:19|20)\d\d\b"
    r"|\b(?:days?|weeks?|months?|years?|hours?|minutes?|morning|evening|night|daily|weekly|monthly|yearly)\b",
    re.IGNORECASE,
)
_CARDINALS = re.compile(r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", re.IGNORECASE)
_FREQUENCIES = re.compile(r"\b(?:once|twice|half|every|each|daily|weekly|monthly|yearly|quarterly)\b", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|may|must|should|will|would)\b", re.IGNORECASE
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
    if phrase and not _AUXILIARY.search(plain) and phrase.group().lower().startswith("what"):
        phrase = None  # "What brings on ...": a verb follows, not the thing wanted
    asked = (phrase.group(1) or phrase.group(2) or "") if phrase else ""
    if wanted is Wanted.ANYTHING and any(stem(word) in _QUANTITIES for word in content_list(asked)):
        wanted = Wanted.NUMBER
    focus = frozenset(word for word in content_list(asked) if word in predicates and stem(word) not in _KINDS)
    return Question(text, frozenset(named), predicates, focus, wanted)


def is_kind(word: str) -> bool:
    """Return whether a word only says what kind of thing is wanted."""
    return stem(word) in _KINDS


def answers_kind(question: Question, sentence: str) -> bool:
    """Return whether a sentence holds something of the kind that is wanted, apart from what the question itself
    says."""
    if question.wanted is Wanted.NUMBER:
        if NUMBER.search(sentence) or _CARDINALS.search(sentence):
            return True
        return bool(_FREQUENCIES.search(sentence)) and " many " not in f" {question.text.lower()} "
    if question.wanted is Wanted.TIME:
        return bool(_TIMES.search(sentence))
    if question.wanted is Wanted.PERSON:
        capitals = {
            stem(word.lower()) for word in WORD.findall(sentence)[1:] if word[0].isupper() and word.lower() not in STOP
        }
        return bool(capitals - question.names)
    return True
