"""Everything that touches data is recorded: each use case that a route, a command or a job can call writes an event, or is named here
with the reason why it need not.

The way to an event is followed in the source: methods of the class, functions of the room, use cases that it holds. A use case that is
new and records nothing fails here; so does an exemption that is not needed any more.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pai.entrypoints.console.commands import COMMANDS
from pai.entrypoints.http.services import Services

ROOT = Path(__file__).resolve().parents[2] / "src" / "pai"

_MODELS = "it tells of models of this installation, which are nobody's data"
_COUNTS = "it tells what state things are in, in words and numbers, of nobody"
_MEMORY = "it changes what this process holds in memory; what calls it has recorded the act"
_PART = "a part of use cases that record, inside their unit of work or right before them"
_SENSED = "it goes on with what its first half, which returns the model, has decided and recorded"
_STEP = "the first half of an act: a question to the browser; the second half is recorded, done or refused"
EXEMPT: dict[str, str] = {
    "Accounts.found": _PART,
    "Accounts.gated": _PART,
    "Approvals.rules": "how acts are approved, which is nobody's data; changing one is recorded",
    "Attaching.batch": "states and counts of files that one handed over; taking them was recorded",
    "Backups.list": "times, sizes and kinds of backups, which are nobody's data",
    "Custody.key_versions": _COUNTS,
    "Inference.ready": _MODELS,
    "ApiKeys.sweep": _MEMORY,
    "Login.drop": _MEMORY,
    "Login.kinds_of": _STEP,
    "Login.sweep": _MEMORY,
    "Login.user_of": _STEP,
    "Passkeys.begin_login": _STEP,
    "Passkeys.begin_registration": _STEP,
    "Passkeys.begin_step_up": _STEP,
    "People.address_of": "the address of an account, for whoever may list them all, which is recorded",
    "SecondFactors.begin_totp": _STEP,
    "SecondFactors.check": _PART,
    "SecondFactors.own": "one's own factors, to whoever is logged in; the log-in stands in the log",
    "Sessions.acknowledge": "one's own note that one has seen the browsers told; their log-ins stand in the log",
    "Sessions.news": "one's own log-ins, each of which stands in the log",
    "Sessions.proved": _MEMORY,
    "Accounts.me": "one's own account, to whoever holds its credential; the log-in or the key stands in the log",
    "ApiKeys.behalf": "a credential turned into an actor for work whose every step records itself",
    "ApiKeys.close_owner": _MEMORY,
    "ApiKeys.role_changed": _MEMORY,
    "Attaching.all_contents": "names of one's own and shared collections, and counts; documents are listed by use cases that record",
    "Attaching.contents": "the name of a collection that one has, and counts; documents are listed by use cases that record",
    "Batches.close": "a part of use cases inside their unit of work, each of which records the end",
    "Collections.list": "names of one's own and shared collections, which every page shows; what is in them is recorded",
    "Custody.status": _COUNTS,
    "Files.sealing": "a part of adding files; what is kept in the end is recorded with its row",
    "Hearing.hear": _SENSED,
    "Hearing.usual": "says whether a model that hears is here; no recording is there",
    "Seeing.usual": "says whether a model that reads is here; no picture is there",
    "Hearing.take": "bytes come in and nothing looks at them; that they are heard is recorded by Hearing.listener",
    "Inference.able": _MODELS,
    "Inference.loaded": _MODELS,
    "Inference.models": _MODELS,
    "Inference.show": _MODELS,
    "Ingest.jobs": "states and counts of one's own jobs, without names",
    "Ingest.report": "whoever sent the files, and nobody else, watches how far they are, several times a second; taking them was recorded",
    "Measuring.explained": _MODELS,
    "Meter.count": _COUNTS,
    "Meter.observe": _COUNTS,
    "Metrics.read": _COUNTS,
    "Oversight.verifier_key": "a public key, which is nobody's data",
    "Searching.still_may": "a decision once more before an answer is given; the question and the answer are recorded",
    "Seeing.read": _SENSED,
    "Sessions.close_owner": _MEMORY,
    "Sessions.reopen": _MEMORY,
}


def use_cases() -> dict[str, type]:
    """Return the classes that the ways in can call, by the name of their field."""
    hints = typing.get_type_hints(Services)
    return {name: kind for name, kind in hints.items() if str(getattr(kind, "__module__", "")).startswith("pai.core")}


def methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, found in vars(kind).items():
        if not name.startswith("_") and inspect.isfunction(found):
            yield name, found


class Follow:
    """Whether a function comes to ``...audit.record(...)``."""

    def __init__(self) -> None:
        self.seen: set[tuple[type | None, str]] = set()

    def records(self, function: Callable[..., Any], owner: type | None) -> bool:
        key = (owner, f"{function.__module__}.{function.__qualname__}")
        if key in self.seen:
            return False
        self.seen.add(key)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "record" and ast.unparse(node.value).endswith("audit"):
                return True
        return any(self.records(*one) for node in ast.walk(tree) for one in self.reached(node, function, owner))

    def reached(
        self, node: ast.AST, function: Callable[..., Any], owner: type | None
    ) -> Iterator[tuple[Callable[..., Any], type | None]]:
        module = inspect.getmodule(function)
        if isinstance(node, ast.Name):
            yield from self.callable_of(getattr(module, node.id, None))
        if not isinstance(node, ast.Attribute):
            return
        if isinstance(node.value, ast.Name):
            yield from self.attribute(node.value.id, node.attr, module, owner)
        elif isinstance(node.value, ast.Attribute) and ast.unparse(node.value.value) == "self" and owner is not None:
            held = typing.get_type_hints(owner).get(node.value.attr)
            if isinstance(held, type):
                yield from self.member(held, node.attr)

    def attribute(
        self, name: str, attr: str, module: Any, owner: type | None
    ) -> Iterator[tuple[Callable[..., Any], type | None]]:
        if name == "self" and owner is not None:
            yield from self.member(owner, attr)
        elif isinstance(found := getattr(module, name, None), type):
            yield from self.member(found, attr)

    def member(self, kind: type, name: str) -> Iterator[tuple[Callable[..., Any], type | None]]:
        found = inspect.getattr_static(kind, name, None)
        if inspect.isfunction(found) and found.__module__.startswith("pai.core"):
            yield found, kind

    def callable_of(self, found: Any) -> Iterator[tuple[Callable[..., Any], type | None]]:
        if inspect.isfunction(found) and found.__module__.startswith("pai.core"):
            yield found, None


def silent() -> set[str]:
    """Return the use cases from which no way leads to an event."""
    return {
        f"{kind.__name__}.{name}"
        for kind in use_cases().values()
        for name, found in methods(kind)
        if not Follow().records(found, kind)
    }


def test_there_is_something_to_check() -> None:
    every = [name for kind in use_cases().values() for name, _ in methods(kind)]
    assert len(every) > 80
    assert dataclasses.is_dataclass(Services)


def test_every_use_case_records_or_is_exempt_with_a_reason() -> None:
    found = silent()
    assert found - set(EXEMPT) == set(), "these touch data and write no event: record one, or say why not"
    assert set(EXEMPT) - found == set(), "these record by now: take them off the list"
    assert all(len(reason) > 20 for reason in EXEMPT.values())


def handlers() -> Iterator[tuple[str, str]]:
    """Yield the source of each route's handler and of each host command, by name."""
    for path in sorted((ROOT / "entrypoints").rglob("*.py")):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and any(
                "guarded(" in ast.unparse(one) for one in node.decorator_list
            ):
                yield f"{path.relative_to(ROOT)}:{node.name}", ast.unparse(node)


def test_ways_in_reach_data_through_use_cases_only() -> None:
    """No handler has storage, a unit of work or a repository in its hands."""
    for name, source in handlers():
        assert not re.search(r"\b(storage|unit|UnitOfWork|keystore)\b\.", source), name
    assert len(list(handlers())) > 60
    fields = set(typing.get_type_hints(Services))
    for name, command in COMMANDS.items():
        used = set(re.findall(r"services\.(\w+)", inspect.getsource(command)))
        assert used <= fields, name
        assert "storage" not in used, name


@pytest.mark.parametrize("path", sorted((ROOT / "bootstrap").rglob("*.py")), ids=lambda path: path.stem)
def test_composition_that_writes_also_records(path: Path) -> None:
    """Start, stop and initialisation write to storage without a use case: where they do, an event stands beside it."""
    text = path.read_text("utf-8")
    if re.search(r"storage\.(run|run_sync)\(", text):
        assert re.search(r"audit\.(record|checkpoint)\(", text), path.name


def test_the_following_finds_ways_and_their_absence() -> None:
    """Which keeps this file honest: a class that records through others, and one that does not."""
    from pai.core.knowledge.answering import Answering
    from pai.core.operations.metrics import Metrics

    assert Follow().records(Answering.ask, Answering)
    assert not Follow().records(Metrics.read, Metrics)
