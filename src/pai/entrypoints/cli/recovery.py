"""The recovery code at the terminal: shown apart, so that neither the screen nor its history keeps it, and typed back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from pai.entrypoints.cli.output import note

MEANS = """\
It opens this installation if the passphrase is lost, and is for nothing else: to log in you type e-mail and password, at a start
the passphrase. Write it down on paper, away from this machine. PAI does not show it again."""


def ask_back(code: str, wrong: str) -> str:
    """Show a new recovery code and return what was typed back, empty for later. ``wrong`` says what was wrong the last time."""
    with second_screen() as apart:
        if wrong:
            note(f"{wrong[:1].upper()}{wrong[1:]}. Once more:")
        note(f"\nRecovery code: {code}\n{MEANS}\n")
        typed = click.prompt(
            "Type the code to confirm that you wrote it down (Enter: later)", default="", show_default=False, err=True
        )
    if not apart:
        note("The recovery code is still on the screen: clear it, and the history of this terminal.")
    return str(typed)


@contextmanager
def second_screen() -> Iterator[bool]:
    """Write on the terminal's alternate screen meanwhile, which has no history and vanishes; False when it has none."""
    enter, leave = _sequences()
    apart = bool(enter and leave)
    if apart:
        _put(enter)
    try:
        yield apart
    finally:
        if apart:
            _put(leave)


def _sequences() -> tuple[bytes, bytes]:
    """Return how this terminal enters and leaves its alternate screen (terminfo: smcup, rmcup)."""
    try:
        import curses
    except ImportError:  # some builds of Python come without it
        return b"", b""
    if not sys.stderr.isatty():
        return b"", b""
    try:
        curses.setupterm(fd=sys.stderr.fileno())
    except curses.error:  # an unknown terminal
        return b"", b""
    # Entered at its top: where the cursor stood on the first screen says nothing here.
    enter, home = curses.tigetstr("smcup"), curses.tigetstr("clear")
    return (enter + (home or b"") if enter else b""), curses.tigetstr("rmcup") or b""


def _put(sequence: bytes) -> None:
    sys.stderr.flush()
    sys.stderr.buffer.write(sequence)
    sys.stderr.buffer.flush()
