"""The kind of thing that answers a question. Only kinds that can be seen in a text without understanding it."""

from __future__ import annotations

import re
from enum import StrEnum

from pai.core.knowledge.words import NUMBER, STOP, WORD, stem


class Wanted(StrEnum):
    """What has to be in a sentence that answers."""

    ANYTHING = "anything"
    NUMBER = "number"
    TIME = "time"
    PERSON = "person"
    REASON = "reason"


# A measure is told by its unit: "94.2 kg" is a weight without being called one.
MEASURES = {
    "weight": r"kg|kilos?|kilograms?|g|grams?|lbs?|pounds?|gramm|kilogramm|tonn?en?s?",
    "temperature": r"degrees?|celsius|fahrenheit|grad|°\s?[cf]?",
    "price": r"eur|euros?|€|usd|dollars?|\$|gbp|pounds?|£|chf|francs?|franken|cents?|kroner?|kronor",
    "dose": r"mg|µg|mcg|ml|g|milligrams?|units?|tablets?|drops?|puffs?|tropfen|tabletten?",
    "length": r"cm|mm|m|km|met(?:re|er)s?|kilomet(?:re|er)s?|miles?|feet|inch(?:es)?",
    "age": r"years?|months?|jahren?|monaten?",
    "duration": r"(?:second|minute|hour|day|night|week|month|year)s?|sekunden?|minuten?|stunden?|tagen?|wochen?|monaten?|jahren?",
    "percent": r"%|percent|per cent|prozent",
    "phone": r"(?!)",
}
_MEASURES = {
    key: re.compile(rf"(?<![^\W\d_])(?:{units})(?![^\W\d_])", re.IGNORECASE) for key, units in MEASURES.items()
}
_MEASURE_WORDS = {
    "weight": "weight weigh heavy gewicht schwer",
    "temperature": "temperature warm hot cold temperatur",
    "price": "price cost fee charge expense preis preise kosten kostet gebühr",
    "dose": "dose dosage dosis dosierung",
    "length": "height tall length distance far größe groß",
    "age": "old age alter alt",
    "duration": "duration dauer dauert",
    "percent": "percentage prozentsatz",
    "phone": "phone telephone telefonnummer telefon",
}
_CALLED = {stem(word): key for key, words in _MEASURE_WORDS.items() for word in words.split()}
MEASURE_OF = {**_CALLED, "pay": "price", "paid": "price"}  # what is asked for: who pays, pays money
_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|januar|februar|märz|mai|juni|juli|"
    "oktober|dezember"
)
MONTHS = frozenset(_MONTHS.split("|"))
_WEEK = "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag"
DAYS_AND_MONTHS = MONTHS | {day + ending for day in _WEEK.split() for ending in ("", "s")}
_DAYS = "(?:mon|tues|wednes|thurs|fri|satur|sun)days?|montags?|dienstags?|mittwochs?|donnerstags?|freitags?|samstags?|sonntags?"
_TIMES = re.compile(
    rf"\b(?:{_MONTHS})\b|\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}[:.]\d\d\b|\b(?:{_DAYS})\b|\b(?:19|20)\d\d\b"
    r"|\b(?:days?|weeks?|months?|years?|hours?|minutes?|morning|noon|midday|evening|night|midnight|summer|winter|daily|weekly|monthly|yearly)\b"
    r"|\b(?:tage?n?|wochen?|monate?n?|jahre?n?|stunden?|minuten?|uhr|morgens|mittags?|mitternacht|abends|täglich|wöchentlich|monatlich|jährlich)\b",
    re.IGNORECASE,
)
_POINT = re.compile(rf"\b(?:{_MONTHS})\b|\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}:\d\d\b|\b(?:{_DAYS})\b", re.IGNORECASE)
_ISO_MONTH = re.compile(r"\b\d{4}-(0[1-9]|1[0-2])-\d\d\b")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}\.\d{1,2}\.\d{2,4}\b")
_PHONE = re.compile(r"\+?\d[\d ()/-]{4,}\d")
_CARDINALS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|"
    r"nineteen|twenty|thirty|forty|fifty|hundred|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig)\b",
    re.IGNORECASE,
)
_FREQUENCIES = re.compile(r"\b(?:once|twice|half|every|each|daily|weekly|monthly|yearly|quarterly)\b", re.IGNORECASE)
_REASONS = re.compile(
    r"\b(?:because|due to|owing to|reasons?|causes?d?|since|so that|in order to|after|as|for|from|with|weil|wegen|grund|"
    r"ursache|denn|damit|zweck|indication|purpose)\b",
    re.IGNORECASE,
)
_PERSONS = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|Nurse|Herrn?|Frau)\b\.?\s+[^\W\d_]"
    r"|\b(?:[Dd]octor|[Nn]urse|[Mm]anager|[Dd]irector|[Hh]ead of|[Oo]fficer|[Ss]ecretary|sister|brother|mother|father|wife|husband|"
    r"daughter|son|parents?|partner|family|neighbours?|colleagues?|landlord|tenant|insurer|contractor|employer|Schwester|Bruder|Mutter|Vater|Frau|"
    r"Mann|Tochter|Sohn|Eltern|Nachbarn?|Kolleg(?:e|in|en))\b"
)


def holds(wanted: Wanted, measure: str, names: frozenset[str], text: str) -> bool:
    """Return whether ``text`` holds what is wanted, apart from the names that the question gives itself."""
    if wanted is Wanted.NUMBER:
        return _number(measure, text)
    if wanted is Wanted.TIME:
        return bool(_TIMES.search(text))
    if wanted is Wanted.PERSON:
        capitals = {
            stem(word.lower()) for word in WORD.findall(text)[1:] if word[0].isupper() and word.lower() not in STOP
        } - {stem(month) for month in MONTHS}
        return bool(capitals - names) or bool(_PERSONS.search(text))
    return wanted is not Wanted.REASON or bool(_REASONS.search(text))


def _number(measure: str, text: str) -> bool:
    if measure == "phone":
        return bool(_PHONE.search(_DATE.sub(" ", text)))
    plain = bool(NUMBER.search(text) or _CARDINALS.search(text))
    if measure == "often":
        return plain or bool(_FREQUENCIES.search(text))
    if not measure:
        return plain
    if _MEASURES[measure].search(text):
        return plain
    called = any(_CALLED.get(stem(word)) == measure for word in WORD.findall(text.lower()))
    return plain and called and measure != "duration"


def dated(text: str) -> bool:
    """Return whether a text holds a date or a time of day, not only a span of time."""
    return bool(_POINT.search(text))


def months_in(text: str) -> list[str]:
    """Return the names of the months that dates in figures ("2031-06-16") fall into."""
    names = _MONTHS.split("|")
    return [names[int(month) - 1] for month in _ISO_MONTH.findall(text)]


def measures(text: str) -> set[str]:
    """Return the measures whose units stand in a text."""
    return {key for key, pattern in _MEASURES.items() if pattern.search(text)}
