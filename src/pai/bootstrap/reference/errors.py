"""Errors: the classes with their statuses, and every code with the sentences it comes with."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pai
from pai.bootstrap.reference.markdown import code, document, first, plain, table
from pai.foundation import errors
from pai.foundation.errors import PaiError

_ROOT: Final = Path(pai.__file__).parent
_ERRORS: Final = "pai.foundation.errors"
_INTRODUCTION = """
An error has a stable `code` for programs, one sentence for people, and often a hint that says what to do. Over HTTP it is
`{"error": {"code", "message", "hint"}}` with the status of its class. Where another vendor's dialect is spoken it has that vendor's shape
(see `openapi.json`), and the statuses its clients know: what is not supported is 400 there, and 503 is 529 in Anthropic's. A command prints
it on stderr and exits with 1, or with 2 for wrong usage. In the sentences, [words] stand for what is filled in; content and secrets
never are.
"""
_OWN = {kind.__name__: kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PaiError)}


@dataclass(frozen=True, slots=True)
class _Site:
    """A place in the code where an error is made."""

    code: str
    kind: str
    status: int
    message: str
    room: str


def page() -> str:
    """Return the page on errors."""
    kinds = sorted(_OWN.values(), key=lambda kind: (kind.status, kind.__name__))
    classes = [(code(kind.__name__), str(kind.status), code(kind.default_code), first(kind)) for kind in kinds]
    by_code: dict[str, list[_Site]] = {}
    for site in _sites():
        for one in site.code.split(" or "):
            by_code.setdefault(one, []).append(site)
    rows = [_row(name, sites) for name, sites in sorted(by_code.items())]
    return document(
        "Errors", "`src/pai/foundation/errors.py` and every place that raises one", _INTRODUCTION, "## Classes",
        table(("class", "status", "code, when no other is given", "meaning"), classes), "## Codes",
        table(("code", "status", "says", "room"), rows),
    )  # fmt: skip


def _row(name: str, sites: list[_Site]) -> tuple[str, ...]:
    statuses = ", ".join(str(status) for status in sorted({site.status for site in sites}))
    sentences = "; ".join(dict.fromkeys(plain(site.message) for site in sites if site.message))
    return code(name), statuses, sentences, ", ".join(sorted({site.room for site in sites}))


def _sites() -> Iterator[_Site]:
    for path in sorted(_ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        room = ".".join(path.relative_to(_ROOT).with_suffix("").parts[:2])
        kinds = _kinds(tree)
        constants = _constants(tree)
        for node in ast.walk(tree):
            found = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found = _call(node, kinds, constants, room)
            elif isinstance(node, ast.Dict):
                found = _mapping(node, room)
            if found is not None:
                yield found


def _kinds(tree: ast.Module) -> dict[str, tuple[int, str]]:
    """Return status and default code of each error class that a module imports or defines."""
    found: dict[str, tuple[int, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == _ERRORS:
            found |= {
                name.asname or name.name: (_OWN[name.name].status, _OWN[name.name].default_code) for name in node.names
            }
    for node in tree.body:
        base = node.bases[0] if isinstance(node, ast.ClassDef) and node.bases else None
        if isinstance(node, ast.ClassDef) and isinstance(base, ast.Name) and base.id in found:
            status, default = found[base.id]
            own = {
                t.id: s.value
                for s in node.body
                if isinstance(s, ast.Assign)
                for t in s.targets
                if isinstance(t, ast.Name)
            }
            given = {name: value.value for name, value in own.items() if isinstance(value, ast.Constant)}
            found[node.name] = (int(str(given.get("status", status))), str(given.get("default_code", default)))
    return found


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return what the names at the top of a module stand for."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _call(node: ast.Call, kinds: dict[str, tuple[int, str]], constants: dict[str, ast.expr], room: str) -> _Site | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in kinds:
        return None
    status, default = kinds[name]
    given = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
    told = default if given is None else _text(given)
    if not told:
        return None  # an error of another process, passed on with its own code
    message = node.args[0] if node.args else ast.Constant("")
    if isinstance(message, ast.Name):
        message = constants.get(message.id, ast.JoinedStr([ast.FormattedValue(message, -1)]))
    return _Site(told, name, status, _text(message), room)


def _mapping(node: ast.Dict, room: str) -> _Site | None:
    """Return an error that is written as the mapping it becomes, as worker processes do."""
    pairs = zip(node.keys, node.values, strict=True)
    told = {key.value: _text(value) for key, value in pairs if isinstance(key, ast.Constant)}
    kind = _OWN.get(told.get("class", ""), errors.Invalid)
    if not told.get("code") or not told.get("message"):
        return None
    return _Site(told["code"], kind.__name__, kind.status, told["message"], room)


def _text(node: ast.expr) -> str:
    """Return a text with [names] for what is filled in; nothing for what is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value) for value in values)
        case ast.FormattedValue(value=value):
            return f"[{_filled(value)}]"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + (_text(right) or "[…]")
        case ast.IfExp(body=body, orelse=otherwise):
            return " or ".join(text for text in (_text(body), _text(otherwise)) if text)
    return ""


def _filled(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name.strip("_").replace("_", " ").lower()
        case ast.Attribute(attr="__name__", value=ast.Call(args=[ast.Name(id=name)])):
            return f"kind of {name}"
        case ast.Attribute(attr="value" | "name" | "__name__", value=inner):
            return _filled(inner)
        case ast.Attribute(attr=name):
            return name.strip("_").replace("_", " ").lower()
        case ast.Subscript(value=inner) | ast.Call(func=ast.Attribute(value=inner)):
            return _filled(inner)
    return "…"
