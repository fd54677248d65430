"""Words as retrieval and evidence compare them: lower case, stemmed, without those that carry no meaning (English)."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+")
NUMBER = re.compile(r"\d[\d.,:/-]*\d|\d")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set: how lists of words are kept readable."""
    return frozenset(text.split())


_STOP_WORDS = """a about after all also am an and any are as at be been before being but by can could did do does doing for from had
 has have having he her hers him his how i if in into is it its itself just me more most my no nor not of on once only or
 other our out over own per please same she should so some such tell than that the their them then there these they
 this those through to too under until up us very was we were what when where which while who whom whose why will
 with would you your may might must shall mr mrs ms dr prof give given gave show find list name many much long often
 say says said state states stated mention mentioned told take takes taken get gets got each every within again case soon along"""
STOP = word_set(_STOP_WORDS)
_GERMAN_STOP_WORDS = """aber alle alles als also am an auch auf aus bei beim bin bis bitte da damit dann das dass dem den der des die dies
 diese diesem diesen dieser dieses dort du ein eine einem einen einer eines er es etwas für gegen haben hat hatte herr herrn frau ich
 ihm ihn ihr ihre im in ist ja kann kein keine können man mehr mein mich mir mit muss müssen nach nicht noch nur ob oder ohne sehr sein
 seine sich sie sind so soll sollen sowie über um und uns unter viel viele vielen vom von vor wann war waren warum was wegen weil welche
 welchem welchen welcher welches wem wen wenn wer werden wessen weshalb wie wieso wird wo wogegen womit wurde wurden zu zum zur zwischen
 hoch lange oft alt"""
GERMAN_STOP = word_set(_GERMAN_STOP_WORDS)
_SAME = {"eur": "euro", "usd": "dollar", "gbp": "pound", "pct": "percent", "tel": "telephone", "phone": "telephone"}
_ENDINGS = (
    "ations",
    "ation",
    "ated",
    "ating",
    "ates",
    "ate",
    "itions",
    "ition",
    "ments",
    "ment",
    "ings",
    "ing",
    "ies",
    "ied",
    "ed",
    "es",
    "s",
    "ly",
)
_NUMBER_WORDS = "one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {word: str(value) for value, word in enumerate(_NUMBER_WORDS.split(), 1)}


def stem(word: str) -> str:
    """Return a crude English stem: enough to match plural and past forms. Number words become figures."""
    if word in _NUMBERS:
        return _NUMBERS[word]
    word = _SAME.get(word, word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + ("y" if ending in {"ies", "ied"} else "")
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]  # stopp(ed) -> stop
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def content_words(text: str) -> set[str]:
    """Return the stems of the words that carry meaning, numbers included."""
    return {stem(word) for word in WORD.findall(text.lower()) if word not in STOP}


def content_list(text: str) -> list[str]:
    """Return the words that carry meaning as they stand, lower case, each stem once, in order."""
    found: dict[str, str] = {}
    for word in WORD.findall(text.lower()):
        if word not in STOP:
            found.setdefault(stem(word), word)
    return list(found.values())


def numbers(text: str) -> set[str]:
    """Return the numbers of a text without thousands separators; number words count."""
    figures = {figure.replace(",", "").rstrip(".:-/") for figure in NUMBER.findall(text)}
    return figures | {_NUMBERS[word] for word in WORD.findall(text.lower()) if word in _NUMBERS}
