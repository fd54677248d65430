"""What commands print: JSON alone on stdout when asked for, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from pai.foundation.errors import PaiError

START: Final = "`make start` or `pai serve`"
"""How a server is started, for hints: the one who reads them may know only one of the two."""


def show_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    # File names may hold bytes that are no UTF-8; JSON may not (RFC 8259 section 8.1).
    sys.stdout.write(utf8(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def utf8(text: str) -> str:
    """Return a text from the file system or the command line with marks where its bytes were no UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def count(number: int, what: str) -> str:
    """Return a number with its noun: ``1 page``, ``2 pages``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def say(text: str) -> None:
    """Print a line for people on stdout."""
    # Terminal control characters in names or quotes must not reach the terminal.
    sys.stdout.write("".join(c for c in text if c.isprintable() or c in "\n\t") + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line of progress on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def show_error(error: PaiError, *, as_json: bool) -> None:
    """Print an error: one clear line, and what to do."""
    if as_json:
        told = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        sys.stderr.write(utf8(json.dumps(told, ensure_ascii=False)) + "\n")
    else:
        line = utf8(f"pai: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        # One line, whatever a file is called.
        sys.stderr.write("".join(c if c.isprintable() else " " for c in line) + "\n")
    sys.stderr.flush()


def answer_text(value: dict[str, Any]) -> str:
    """Return an answer with its sources as text, then the passages nearest to what was not found."""
    told = [(f"[{one['n']}]", one) for one in value["sources"]] + [
        ("nearest passage:", one) for one in value["nearest"]
    ]
    quotes = [
        f'  {mark} {", ".join(filter(None, [one["document"], one["place"]]))}: "{one["quote"]}"' for mark, one in told
    ]
    return "\n".join([value["answer"], *quotes])
