"""Settings: names, defaults, bounds and meanings."""

from __future__ import annotations

import types
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from pai.bootstrap.reference.markdown import code, document, plain, table, told
from pai.settings.load import NEVER_IN_FILE, PLAIN, SECTIONS, SHORT, known_names
from pai.settings.values import Settings

_HEADS = ("setting", "environment", "value", "default", "meaning")
_INTRODUCTION = """
A setting is taken from a flag of the command, else from the environment, else from `pai.toml` in `PAI_HOME`, else it has its
default. An empty variable counts as not set. A name that PAI does not know is an error (exit code 2), in the file and, when it has
the form `PAI_SECTION__NAME`, in the environment. Files that hold secrets may be readable by their owner only (mode 0600); one newline
at their end is left out.

```toml
# pai.toml
[server]
port = 9443

[limits]
document_mb = 50
```
"""


def page() -> str:
    """Return the page on settings."""
    sections = [part for name, struct in SECTIONS.items() for part in _section(name, struct)]
    return document(
        "Settings", "`src/pai/settings/values.py`", _INTRODUCTION, "## Without a section", _plain(), *sections
    )


def _plain() -> str:
    names = {field: name for name, field in PLAIN.items()} | {"home": "PAI_HOME"}
    rows = [row for row in _rows(Settings, lambda field: [names[field]]) if row[0].strip("`") not in SECTIONS]
    absent = " and ".join(code(name) for name in sorted(NEVER_IN_FILE))
    return f"{table(_HEADS, rows)}\n\n{absent} cannot stand in `pai.toml`."


def _section(name: str, struct: type[msgspec.Struct]) -> tuple[str, str, str]:
    long = {field: variable for variable, (section, field) in known_names().items() if section == name}
    short = {field: variable for variable, (section, field) in SHORT.items() if section == name}

    def variables(field: str) -> list[str]:
        return [long[field], *([short[field]] if field in short else [])]

    return f"## [{name}]", told(struct), table(_HEADS, _rows(struct, variables))


def _rows(struct: type[msgspec.Struct], variables: Any) -> list[tuple[str, ...]]:
    hints = get_type_hints(struct, include_extras=True)
    rows: list[tuple[str, ...]] = []
    for field in msgspec.structs.fields(struct):
        kind = hints[field.name]
        if get_origin(kind) is not Annotated:
            continue
        inner, meta = get_args(kind)[:2]
        names = ", ".join(code(name) for name in variables(field.name))
        rows.append((code(field.name), names, _value(inner, meta), _default(field), plain(meta.description or "")))
    return rows


def _value(kind: Any, meta: msgspec.Meta) -> str:
    """Return in words what a value may be."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_value(one, meta) for one in get_args(kind) if one is not type(None))
    if origin is Literal:
        return ", ".join(code(one) for one in get_args(kind))
    if origin is tuple:
        return "list of text"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(code(one.value) for one in kind)
    if kind is int:
        bounds = [f"from {meta.ge}"] * (meta.ge is not None) + [f"to {meta.le}"] * (meta.le is not None)
        return " ".join(["number", *bounds])
    return {Path: "path", str: "text"}[kind]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.name == "home":
        return code("~/.local/share/pai")
    value = field.default
    if value is None or value is msgspec.NODEFAULT:
        return "none"
    return code(value) if value != () else "empty"
