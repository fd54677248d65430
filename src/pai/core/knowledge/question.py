"""What a question asks: whom it speaks of, the words that say what is wanted of them, and the kind of thing that would
answer it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pai.core.knowledge.kinds import DAYS_AND_MONTHS, MEASURE_OF, Wanted
from pai.core.knowledge.likeness import compound, meanings
from pai.core.knowledge.wording import (
    AND,
    ASKS,
    CODE,
    COMPARED,
    FOCUS,
    GERMAN,
    HAS_TO,
    KINDS,
    LIGHT,
    NUMBER,
    ORDERS,
    PERSON,
    POINTS,
    POSSESSIVE,
    QUANTITIES,
    REASON,
    SEVERAL,
    SHORT,
    SPAN_OF_TIME,
    TIME,
    TITLES,
    VERB,
    Order,
)
from pai.core.knowledge.words import GERMAN_STOP, STOP, WORD, content_list, stem
from pai.foundation.errors import Invalid

Name = tuple[str, ...]
MOST_PARTS = 4  # each costs as much as a question of its own


@dataclass(frozen=True, slots=True)
class Question:
    """``names`` are whom it speaks of, each as stems; ``predicates`` are words as asked; ``focus`` are those of them that
    name the thing wanted ("Which blood group does ...": blood, group). ``several`` says that a list may be meant. ``topics`` are
    the words of the question before, when this one only points at it. ``meant`` is what is embedded, ``called`` the words of the
    names as asked."""

    text: str
    names: tuple[Name, ...]
    predicates: tuple[str, ...]
    focus: frozenset[str]
    wanted: Wanted
    measure: str = ""
    several: bool = False
    order: Order | None = None
    topics: tuple[str, ...] = ()
    meant: str = ""
    called: tuple[str, ...] = ()

    @property
    def name_stems(self) -> frozenset[str]:
        """The stems of all names."""
        return frozenset(stem for name in self.names for stem in name)


def understand(text: str, proper: frozenset[str] = frozenset()) -> Question:
    """Return what a question asks. ``proper`` holds stems of words that the documents use as names only: a question in
    small letters is about them too."""
    plain = POSSESSIVE.sub("", text)
    german = is_german(plain)
    named = _names(plain, proper, german)
    stems = {one for name in named for one in name}
    predicates = tuple(word for word in _content(plain, german) if stem(word) not in stems and word not in TITLES)
    duties = not predicates and bool(HAS_TO.search(plain))
    if duties:
        predicates = ("task",)
    asked = _asked(plain)
    wanted, measure = _kind(plain, predicates, content_list(asked))
    several = duties or bool(SEVERAL.search(plain))
    return Question(
        text,
        named,
        predicates,
        frozenset(word for word in _content(asked, german) if word in predicates and stem(word) not in KINDS | LIGHT),
        wanted,
        measure,
        several and wanted in {Wanted.ANYTHING, Wanted.PERSON},
        next((order for order, pattern in ORDERS if re.search(pattern, plain, re.IGNORECASE)), None),
        meant=text,
        called=tuple(word for word in content_list(plain) if stem(word) in stems),
    )


def parts(text: str, proper: frozenset[str] = frozenset()) -> list[Question]:
    """Return the questions that stand in one, in order. One that only points at the one before ("... and why?") is given
    its names and topics. Raises Invalid (``too_many_questions``)."""
    for short, full in SHORT:
        text = short.sub(full, text)
    pieces = [piece.strip(" ?.;,") for piece in AND.split(text) if piece.strip(" ?.;,")]
    if len(pieces) < 2 or not ASKS.match(pieces[0]):
        return [understand(text, proper)]
    if len(pieces) > MOST_PARTS:
        raise Invalid(
            f"these are {len(pieces)} questions; at most {MOST_PARTS} are answered at once", code="too_many_questions",
            hint="ask them one after the other",
        )  # fmt: skip
    found = [understand(f"{pieces[0]}?", proper)]
    for piece in pieces[1:]:
        found.append(_after(found[0], understand(f"{piece}?", proper), piece))
    return found


def _after(first: Question, asked: Question, piece: str) -> Question:
    points = bool(POINTS.search(piece)) or not asked.predicates
    if not points:
        return asked
    names, called = (asked.names, asked.called) if asked.names else (first.names, first.called)
    kept = tuple(word for word in first.predicates if not is_kind(word) and stem(word) not in LIGHT)
    meant = f"{asked.meant} {first.text}"
    return replace(asked, names=names, called=called, topics=kept, meant=meant)


def small_names(question: str, texts: Sequence[str]) -> frozenset[str]:
    """Return the stems of words that a question writes small and texts write with a capital only: names. One by itself has to
    stand within an English sentence; two that follow each other ("walter pyms") follow each other there too."""
    asked = WORD.findall(question)
    small = {word for word in asked if word[0].islower() and word not in STOP and not meanings(word)}
    bare = {form: word for word in small for form in _singular(word)}
    wanted = [(_singular(one), _singular(other)) for one, other in itertools.pairwise(asked) if {one, other} <= small]
    pairs = [(x, y) for ones, others in wanted for x in ones for y in others]
    found: set[str] = set()
    for text in texts:
        told = set(WORD.findall(text))
        capitals = {one.lower() for one in told if one[0].isupper()}
        for one, other in pairs:
            if {one, other} <= capitals and re.search(rf"\b{one.capitalize()} {other.capitalize()}\b", text):
                found |= {one, other}
        english = len(GERMAN.findall(text)) * 20 < len(told)
        single = (form for form in bare.keys() & capitals if english and form not in told)
        found |= {form for form in single if re.search(rf"[a-z,] {form.capitalize()}\b", text)}
    held = {word for text in texts for word in WORD.findall(text)}
    return frozenset(stem(word) for form in found - held for word in (form, bare[form]))


def _singular(word: str) -> tuple[str, ...]:
    """A name may stand in the possessive, with the apostrophe left out."""
    return (word, word[:-1]) if word.endswith("s") and len(word) > 3 else (word,)


def is_german(text: str) -> bool:
    """Return whether a short text reads as German."""
    hits = len(GERMAN.findall(text))
    return hits >= 2 or (
        hits == 1
        and bool(re.match(r"\W*(?:wer|wen|wem|was|wann|wo|wie|welche|warum|wieso|wogegen)", text, re.IGNORECASE))
    )


def is_kind(word: str) -> bool:
    """Return whether a word only says what kind of thing is wanted."""
    return stem(word) in KINDS


def _kind(plain: str, predicates: tuple[str, ...], asked: Sequence[str]) -> tuple[Wanted, str]:
    """Return what would answer, and the measure of a number. ``asked`` are the words of the thing wanted."""
    called = next((MEASURE_OF[stem(word)] for word in predicates if stem(word) in MEASURE_OF), "")
    if called == "phone":
        return Wanted.NUMBER, called
    if match := NUMBER.search(plain):
        word = match.group().lower().split()[-1]
        spans = SPAN_OF_TIME.match(plain, match.end())
        return Wanted.NUMBER, "duration" if spans and word in {"many", "viele", "vielen"} else _measure(word, called)
    for kind, pattern in ((Wanted.TIME, TIME), (Wanted.PERSON, PERSON), (Wanted.REASON, REASON)):
        if pattern.search(plain):
            return kind, ""
    if any(stem(word) in QUANTITIES for word in asked):
        return Wanted.NUMBER, next((MEASURE_OF[stem(word)] for word in asked if stem(word) in MEASURE_OF), "")
    return Wanted.ANYTHING, ""


def _measure(word: str, called: str) -> str:
    """Return the measure that "how <word>" asks for."""
    if word in {"many", "viele", "vielen"}:
        return ""
    if word in {"often", "oft"}:
        return "often"
    if word in {"long", "lange"}:
        return "duration"
    return MEASURE_OF.get(stem(word), called)


def _asked(plain: str) -> str:
    phrase = FOCUS.search(plain)
    if phrase and not VERB.search(plain) and phrase.group().lower().startswith("what"):
        return ""  # "What brings on ...": a verb follows, not the thing wanted
    return (phrase.group(1) or phrase.group(2) or "") if phrase else ""


def _content(text: str, german: bool) -> list[str]:
    found: dict[str, str] = {}
    for word in content_list(COMPARED.sub(" ", text)):
        if not (german and word in GERMAN_STOP):
            for part in (compound(word) if german else ()) or (word,):
                found.setdefault(stem(part), part)
    return list(found.values())


def _names(text: str, proper: frozenset[str], german: bool) -> tuple[Name, ...]:
    """Words with a capital that do not begin the question, those that follow each other as one name. In German every noun
    has a capital, so there a name has two words or follows a title."""
    words = [(m.group(), m.start(), m.end()) for m in WORD.finditer(text)]
    found: list[list[str]] = []
    last = -2
    titled = False
    for n, (word, at, _) in enumerate(words):
        lower = word.lower()
        if lower in TITLES:
            titled = True
            continue
        small = stem(lower) in proper and lower not in STOP
        if (_is_name(text, words, n) or small) and lower not in DAYS_AND_MONTHS and len(word) > 1:
            joined = n == last + 1 and "," not in text[words[n - 1][2] : at]
            if joined and found:
                found[-1].append(stem(lower))
            elif not german or titled or small or _is_pair(words, n):
                found.append([stem(lower)])
            else:
                titled = False
                continue
            last = n
        titled = False
    return tuple(tuple(name) for name in found)


def _is_name(text: str, words: list[tuple[str, int, int]], n: int) -> bool:
    word, at, _ = words[n]
    if not word[0].isupper() or word.lower() in STOP or CODE.search(word):
        return False
    titled = n > 0 and words[n - 1][0].lower() in TITLES  # "Mr. Brandt": that stop ends no sentence
    begins = not titled and bool(re.search(r"(?:^|[.!?:]\s|\n)\W*$", text[:at]))
    return not begins or _is_pair(words, n)


def _is_pair(words: list[tuple[str, int, int]], n: int) -> bool:
    if n + 1 >= len(words) or words[n + 1][1] - words[n][2] > 2:
        return False
    both = words[n][0], words[n + 1][0]
    return all(word[0].isupper() and word.lower() not in STOP | GERMAN_STOP | TITLES for word in both)
