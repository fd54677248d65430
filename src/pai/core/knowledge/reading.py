"""A document as a question meets it: its units, and whom it is about."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pai.core.knowledge.kinds import Wanted
from pai.core.knowledge.question import Name, Question
from pai.core.knowledge.units import Shape, Unit, read, subject_lines
from pai.core.knowledge.values import Chunk
from pai.core.knowledge.wording import POINTS
from pai.core.knowledge.words import content_words, word_set

WHOLE = 200  # passages; of longer documents only what lies around the hits is read
_TITLE = r"(?:Mr|Mrs|Ms|Dr|Prof|Nurse|Herrn?|Frau)\.?\s+"
_PERSON = re.compile(rf"(?:{_TITLE})*([A-ZÄÖÜ][\w'’-]+(?:\s+(?:de|van|von|der|den|la|di)\b)*(?:\s+[A-ZÄÖÜ][\w'’-]+)+)")  # noqa: RUF001
_NAME = r"[A-ZÄÖÜ][\w'-]+"
_OPENS = re.compile(rf"^(?:(?:{_TITLE})+{_NAME}(?:\s+{_NAME})*|{_NAME}(?:\s+{_NAME})+)(?=\s+[a-zäöü])")
_DEFINED = re.compile(
    r"\b([A-Z][\w.'&-]*(?:\s+[A-Z][\w.'&-]*){0,4})\s+\((?:hereinafter\s+)?[\"“']?(?:the\s+)?[\"“']?([A-Z][a-z]+)[\"”']?\)"
)
_ARTICLES = word_set("the a an this that these those our their his her its my your der die das ein eine")
_CAPITAL = re.compile(r"([A-ZÄÖÜ][\w'-]+)\s+$")
_DOCTOR = re.compile(r"^(?:Dr|Prof|Nurse)\b")


@dataclass(frozen=True)
class Document:
    """``chunks`` in order; ``whole`` says whether none is left out."""

    id: str
    name: str
    chunks: Sequence[Chunk]
    whole: bool = True
    _known: dict[tuple[int, Name], bool] = field(default_factory=dict, compare=False)

    @cached_property
    def units(self) -> list[Unit]:
        """All units, in order."""
        return read(self.chunks)

    @cached_property
    def title(self) -> str:
        """The document's name and headings above its first passage."""
        path = self.chunks[0].heading if self.chunks else ""
        return f"{self.name} {path}"

    @cached_property
    def title_words(self) -> frozenset[str]:
        """Lower-case words of the title, its file's ending apart."""
        bare = re.sub(r"\.[A-Za-z0-9]{1,8}\b", "", self.title)
        return frozenset(re.findall(r"[^\W_]+", bare.lower()))

    @cached_property
    def text(self) -> str:
        """All that was read."""
        return "\n".join(chunk.text for chunk in self.chunks)

    @cached_property
    def words(self) -> set[str]:
        """Stems of all that was read, and of the title."""
        return content_words(f"{self.title} {self.text}")

    @cached_property
    def defined(self) -> dict[str, tuple[str, ...]]:
        """What stands for what: contracts say 'Lindenhof Clinic (the "Client")' once and "Client" from there on."""
        found: dict[str, tuple[str, ...]] = {}
        for match in _DEFINED.finditer(self.text):
            found.setdefault(match[2].lower(), tuple(word.lower() for word in re.findall(r"[^\W_]+", match[1])))
        return found

    def full(self, text: str) -> str:
        """Return a text with the names that its defined words stand for."""
        meant = [" ".join(self.defined.get(word.lower(), ())) for word in re.findall(r"\b[A-Z][a-z]+", text)]
        return f"{text} {' '.join(meant)}" if any(meant) else text

    @cached_property
    def subject(self) -> str:
        """The lines that say whom it is about; empty unless they name a person."""
        lines = "\n".join(subject_lines(self.chunks))
        return lines if _PERSON.search(lines.partition(":")[2]) else ""

    @cached_property
    def opening(self) -> str:
        """The title, and what stands before the second heading, and the parties of a contract: what all of the
        document is about. Rows are about themselves."""
        first = next((unit.section for unit in self.units if unit.shape is not Shape.HEADER), "")
        told = itertools.takewhile(lambda unit: unit.shape is Shape.HEADER or unit.section == first, self.units)
        parties = (" ".join(words).title() for words in self.defined.values())
        return "\n".join([self.title, *parties, *(unit.text for unit in told if unit.shape is not Shape.ROW)])

    @cached_property
    def headings(self) -> frozenset[str]:
        """Lines under which something stands."""
        return frozenset(unit.section for unit in self.units if unit.shape is not Shape.HEADER)

    def members(self, group: int) -> list[Unit]:
        """Return the rows or items of a list or table, in order."""
        return self._groups.get(group, []) if group else []

    @cached_property
    def tables(self) -> list[list[Unit]]:
        """The tables of more than one row, each as its rows."""
        rows = ([unit for unit in units if unit.shape is Shape.ROW] for group, units in self._groups.items() if group)
        return [table for table in rows if len(table) > 1]

    def section_of(self, unit: Unit) -> list[Unit]:
        """Return the sentences in a row that a unit is one of, of one section."""
        place = self.units.index(unit)
        first = last = place
        while first > 0 and _beside(self.units[first - 1], unit):
            first -= 1
        while last + 1 < len(self.units) and _beside(self.units[last + 1], unit):
            last += 1
        return self.units[first : last + 1]

    def list_after(self, unit: Unit) -> list[Unit]:
        """Return the items of the list that follows a unit; empty when none does."""
        following = self.units[self.units.index(unit) + 1 :][:1]
        return self.members(following[0].group) if following and following[0].shape is Shape.ITEM else []

    @cached_property
    def _groups(self) -> dict[int, list[Unit]]:
        found: dict[int, list[Unit]] = {}
        for unit in self.units:
            found.setdefault(unit.group, []).append(unit)
        return found

    def on_namesake(self, name: Name) -> bool:
        """Return whether it is about somebody else of this last name: "Erik Lindqvist" is asked for, the letter is on
        Torben Lindqvist."""
        key = (0, name)
        if key not in self._known:
            other = len(name) > 1 and name[0] not in self.words
            self._known[key] = other and _other_first_name(name, f"{self.title}\n{self.text}")
        return self._known[key]

    def group_names(self, group: int, name: Name) -> bool:
        """Return whether a row or an item of a list or table names someone."""
        key = (group, name)
        if key not in self._known:
            self._known[key] = any(named_in(name, unit.text) for unit in self.members(group))
        return self._known[key]


def _beside(one: Unit, other: Unit) -> bool:
    return one.shape is other.shape is Shape.SENTENCE and one.section == other.section


def document_of(
    document_id: str, name: str, chunks: Sequence[Chunk], hit_ordinals: Sequence[int], *, whole: int = WHOLE
) -> Document:
    """Return a document read whole, or, when it is long, its beginning and what lies around the hits."""
    if len(chunks) <= whole:
        return Document(document_id, name, chunks)
    near = {0, 1, *(at + step for at in hit_ordinals for step in (-2, -1, 0, 1, 2))}
    return Document(document_id, name, [chunk for chunk in chunks if chunk.ordinal in near], whole=False)


def anchored(asked: Question, unit: Unit, document: Document) -> bool:
    """Return whether a unit speaks of everyone whom the question names: a sentence about another person never answers."""
    return all(_anchored(name, asked, unit, document) for name in asked.names)


def named_in(name: Name, text: str) -> bool:
    """Return whether a text names someone: by all words, or by the last one without another first name before it."""
    words = content_words(text)
    held = [part for part in name if part in words]
    if len(held) == len(name):
        return True
    return name[-1] in held and not _other_first_name(name, text)


def _anchored(name: Name, asked: Question, unit: Unit, document: Document) -> bool:
    if document.on_namesake(name):
        return False
    near = unit.before[-1:] if unit.shape is Shape.SENTENCE and POINTS.search(unit.text) else ()  # "You get her on ..."
    if named_in(name, document.full("\n".join([unit.section, *near, unit.text]))):
        return True
    if name[0] in content_words(unit.text) and len(name) > 1:
        # "His daughter Hester has a key" in a letter on Walter Pym is about Hester Pym.
        return named_in(name, f"{unit.text}\n{document.subject or document.opening}")
    if unit.group and document.group_names(unit.group, name):
        return False  # other rows of the table name them
    if asked.wanted is not Wanted.PERSON and _about_another(unit, document):
        return False
    if unit.shape is Shape.HEADER:
        return bool(document.subject) and named_in(name, document.subject)
    return named_in(name, document.subject or document.opening)


def _about_another(unit: Unit, document: Document) -> bool:
    opens = unit.shape is not Shape.ROW and _OPENS.match(unit.text)
    if not opens or unit.text.split()[0].lower() in _ARTICLES:
        return False
    return not (document.subject and _DOCTOR.match(unit.text))


def _other_first_name(name: Name, text: str) -> bool:
    for match in re.finditer(r"[^\W\d_]+", text):
        if content_words(match.group()) == {name[-1]}:
            before = _CAPITAL.search(text[max(0, match.start() - 30) : match.start()])
            if before and before.group(1) not in _TITLES and not content_words(before.group(1)) & set(name):
                return True
    return False


_TITLES = word_set("Mr Mrs Ms Dr Prof Nurse Herr Herrn Frau Re Dear The To Von An Patient Mister")
