"""What commands print: JSON alone on stdout when asked for, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from pai.foundation.errors import PaiError


def show_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


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
        sys.stderr.write(json.dumps(told) + "\n")
    else:
        sys.stderr.write(f"pai: {error.message}" + (f" ({error.hint})" if error.hint else "") + "\n")
    sys.stderr.flush()
