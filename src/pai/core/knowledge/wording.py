"""How questions are worded, in English and German: what asks for what, and words that say only which kind of thing is
meant."""

from __future__ import annotations

import re
from enum import StrEnum

from pai.core.knowledge.words import stem, word_set


class Order(StrEnum):
    """What is asked of rows that can be put in order."""

    NEXT = "next"
    FIRST = "first"
    LAST = "last"
    LEAST = "least"
    MOST = "most"


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in word_set(text))


_WH = "who|whom|whose|what|which|when|where|why|how|wer|wen|wem|wessen|was|welche[rsnm]?|wann|wo|warum|wieso|weshalb|wie|wogegen|womit"
_AUXILIARIES = "is|are|was|were|do|does|did|has|have|had|can|could|may|might|must|should|will|would"
_PREPOSITIONS = (
    "by|with|at|in|on|for|from|to|of|until|since|after|within|up to|bis|seit|ab|mit|bei|in|an|um|für|von|nach"
)
AND = re.compile(
    rf"(?:[,;]?\s+(?:and|und|sowie|as well as)|[;?.])\s+(?=(?:(?:{_PREPOSITIONS})\s+)?(?:{_WH})\b|(?:{_AUXILIARIES})\s)",
    re.IGNORECASE,
)
ASKS = re.compile(
    rf"^(?:please\s+)?(?:tell me\s+)?(?:(?:{_PREPOSITIONS})\s+)?(?:{_WH}|{_AUXILIARIES})\b", re.IGNORECASE
)
NUMBER = re.compile(
    r"\bhow (?:much|many|often|long|old|high|large|far|tall|heavy|warm|hot|cold)\b|\bwhat (?:amount|price|percentage|share|dose)\b"
    r"|\bwie (?:viele?n?|oft|lange|alt|hoch|groß|schwer|weit|warm|kalt)\b",
    re.IGNORECASE,
)
SPAN_OF_TIME = re.compile(
    r"\s+(?:minutes|hours|days|nights|weeks|months|years|minuten|stunden|tagen?|wochen|monaten?|jahren?)\b",
    re.IGNORECASE,
)
TIME = re.compile(
    r"\b(?:when|wann)\b|\b(?:what|which) (?:date|days?|time|year|month)\b|\bby when\b|\ban welche[mn] (?:tag|datum)\b",
    re.IGNORECASE,
)
PERSON = re.compile(
    r"\b(?:who(?:m|se)?|wer|wen|wem)\b|\b(?:which|what) (?:doctor|person|nurse|lawyer|employee|patient|people|customer|client|guest|"
    r"colleague|visitor|participant)s?\b",
    re.IGNORECASE,
)
REASON = re.compile(r"\b(?:why|warum|wieso|weshalb|for what reason)\b", re.IGNORECASE)
FOCUS = re.compile(
    r"\b(?:what|which|welche[rsnm]?)(?: (?:is|was|are|were|does|did))?(?: the| a| an)? (.*?)"
    r"(?= (?:of|for|in|on|at|from|to|by|with|does|did|do|is|was|are|were|has|have|had|may|must|can|should|will|hat|haben|ist|sind|wird)\b"
    r"|[?.]*$)|\b(?:how many|wie viele?n?) (\S+)",
    re.IGNORECASE,
)
SEVERAL = re.compile(
    r"^\W*(?:please\s+)?(?:list|enumerate|name all|show all|nenne|liste)\b"
    r"|\b(?:which|what|whose)(?: (?:are|were))?(?: the| all)? (?:[\w-]+ ){0,2}?"
    r"(?!does\b|has\b|was\b)(?:[\w-]{2,}[^sui\W]s|people|children|staff)"
    r"(?= (?:does|do|did|is|are|was|were|has|have|had|can|may|must|should|will|of|in|at|on)\b|[?.]*$)"
    r"|\bwhat (?:are|were)\b|\bwelche\b|\bwas sind\b"
    r"|\bwho (?:all|attended|was present|were|are|took part|is on|was there)\b|\b(?:what|which) (?:has|have|needs?) to be\b",
    re.IGNORECASE,
)
VERB = re.compile(rf"\b(?:{_AUXILIARIES})\b", re.IGNORECASE)
# How people type: "whats", "who's", "wieviel".
SHORT = (
    (re.compile(r"\b(what|who|where|when|how|which)['\u2019]?s\b", re.IGNORECASE), r"\1 is"),
    (re.compile(r"\bwieviele?n?\b", re.IGNORECASE), "wie viel"),
)
POSSESSIVE = re.compile(r"['\u2019]s\b|(?<=s)['\u2019](?=\s)")
POINTS = re.compile(
    r"\b(?:he|she|it|his|her|hers|him|its|they|them|their|this|that|these|those|there|er|sie|es|ihn|ihm|ihr|sein|seine|ihre|dort|davon)\b",
    re.IGNORECASE,
)
# A sentence that says only half of what it means without the one before: it opens with a pronoun, or goes on from there.
LEANS = re.compile(
    rf"^(?:\S+\s+){{0,3}}?{POINTS.pattern}|^(?:Dies(?:e[rsnm]?)?|Danach|Dann|Then|After that|Before that|In that case|Otherwise|Without|"
    r"But|And|Both|For the|Everything else|The (?:same|other|rest))\b",
    re.IGNORECASE,
)
CODE = re.compile(r"\d|[A-Z].*[A-Z]")  # "HbA1c", "MRI": what is asked for, not whom
TITLES = word_set("mr mrs ms dr prof herr herrn frau nurse")
GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|des|ein|eine|einen|einer|ist|sind|wird|werden|wurde|wurden|und|wann|wer|wo|wie|welche[rsnm]?|warum|"
    r"hat|haben|kommt|für|von|mit|nicht|herr|herrn|frau|im|zum|zur|beim|vom|ich|sie|steht|gibt|soll|muss|darf|nimmt|kostet)\b",
    re.IGNORECASE,
)
# Kinds of thing that a text states without calling them so: "1000 mg" is a dose, "Bergen" a city.
_KIND_WORDS = """city country date day dosage dose drug hour kind medicine medication minute month name number period person place
 thing time town type week year age amount cost distance dosage fee height length load percentage price rate size speed sum
 temperature weight date reason doctor people item medikament medikamente name datum grund"""
KINDS = _stems(_KIND_WORDS)
QUANTITIES = _stems(
    "age amount cost distance dosage dose fee height length load number percentage price rate size speed sum temperature weight"
)
# Verbs that say hardly anything: a name and a date are enough for "When does X come?".
LIGHT = _stems(
    "come comes coming came back go goes going went need needs happen happens use used made done concern kind must "
    "kommt kommen gibt geben geht there sort see sees meet here still already yet"
)
ORDERS = (
    (Order.NEXT, r"\b(?:next|soonest|upcoming|nächste[rsnm]?)\b"),
    (Order.FIRST, r"\b(?:earliest|first|oldest|erste[rsnm]?|früheste[rsnm]?)\b"),
    (Order.LAST, r"\b(?:latest|last|most recent|newest|letzte[rsnm]?|späteste[rsnm]?)\b"),
    (
        Order.LEAST,
        r"\b(?:cheapest|lowest|smallest|least|shortest|lightest|fewest|least expensive|billigste[rsnm]?|günstigste[rsnm]?)\b",
    ),
    (
        Order.MOST,
        r"\b(?:dearest|most expensive|highest|largest|biggest|greatest|longest|heaviest|costliest|most|teuerste[rsnm]?|höchste[rsnm]?|"
        r"größte[rsnm]?)\b",
    ),
)
# Kinds of person: "Which patients ..." is answered by their names.
PEOPLE = _stems(
    "patient people person employee customer client guest colleague visitor member participant child children parent pupil student"
)
HAS_TO = re.compile(
    r"\b(?:have|has|need|needs) to do\b|\b(?:must|should|shall) (?:\S+ ){1,3}do\b|\b(?:muss|soll) (?:\S+ ){1,3}(?:tun|machen)\b",
    re.IGNORECASE,
)
COMPARED = re.compile("|".join(pattern for _, pattern in ORDERS) + r"|\bexpensive\b", re.IGNORECASE)
