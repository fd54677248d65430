"""Audit events: names, meanings and fields."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from itertools import groupby

import pai.core
from pai.bootstrap.reference.markdown import code, document, first, table
from pai.core.audit.values import Event, Outcome, type_names

_INTRODUCTION = """
An event is recorded before what it tells of, or in the same transaction. It is named `source:subject:action` and holds metadata only:
never content, file names, prompts, answers or secrets.
`pai audit tail` shows the newest events; `pai audit verify` recomputes the whole log. How the log is kept: [formats](../formats.md).
"""
_ALWAYS = (
    ("index", "number", "the leaf in the tree"),
    ("at", "time", "when it was recorded (UTC)"),
    ("name", "text", "the name of the event"),
    ("actor", "object", "who: id, kind, role, and the session or key they came with"),
)
_MEANINGS = {
    "resource": "what it is about: kind, id, owner, label, purpose",
    "purpose": "the purpose that was named",
    "subjects": "data subjects whose data was touched, by id",
    "model": "the model, by name and SHA-256",
    "label": "the label of what was touched",
    "outcome": "how the act ended: " + ", ".join(code(outcome.value) for outcome in Outcome),
    "reason": "why not, when it was refused or failed",
}
_TYPES = {
    "str": "text", "int": "number",
    "int | None": "number", "bool": "yes or no", "tuple[str, ...]": "list of text", "ResourceRef | None": "object",
    "str | None": "text", "tuple[SubjectRef, ...]": "list", "ModelRef | None": "object", "Label | None": "text", "Outcome": "text",
}  # fmt: skip


def page() -> str:
    """Return the page on audit events."""
    for found in pkgutil.walk_packages(pai.core.__path__, "pai.core."):
        importlib.import_module(found.name)
    common = [(code(name), kind, text) for name, kind, text in _ALWAYS]
    common += [
        (code(field.name), _TYPES[str(field.type)], _MEANINGS[field.name]) for field in dataclasses.fields(Event)
    ]
    parts = ["## In every event", table(("field", "value", "meaning"), common)]
    for source, names in groupby(sorted(type_names), lambda name: name.split(":")[0]):
        rows = [(code(name), first(type_names[name]), _fields(type_names[name])) for name in names]
        parts += [f"## {source}", table(("event", "when", "its own fields"), rows)]
    return document("Audit events", "the classes `Event` in `src/pai/core`", _INTRODUCTION, *parts)


def _fields(kind: type[Event]) -> str:
    common = {field.name for field in dataclasses.fields(Event)}
    own = [field for field in dataclasses.fields(kind) if field.name not in common]
    return ", ".join(f"{code(field.name)} ({_TYPES[str(field.type)]})" for field in own)
