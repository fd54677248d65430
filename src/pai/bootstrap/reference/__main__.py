"""``python -m pai.bootstrap.reference`` writes ``docs/reference``; with ``--check`` it only tells what has drifted."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pai.bootstrap.reference import commands, errors, events, permissions, routes, settings

FOLDER: Final = Path(__file__).resolve().parents[4] / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings.page,
    "commands.md": commands.page,
    "routes.md": routes.page,
    "permissions.md": permissions.page,
    "audit-events.md": events.page,
    "errors.md": errors.page,
    "openapi.json": routes.openapi,
}
"""Every file of the folder, and what makes it."""


def drift(folder: Path) -> list[str]:
    """Return the differences between the files and the code, as lines of unified diffs; none when they agree."""
    found: list[str] = []
    for name, make in PAGES.items():
        path = folder / name
        written = path.read_text("utf-8") if path.exists() else ""
        found += difflib.unified_diff(
            written.splitlines(), make().splitlines(), f"docs/reference/{name}", "code", lineterm="", n=1
        )
    extra = sorted(path.name for path in folder.iterdir() if path.name not in PAGES) if folder.exists() else []
    return [*found, *(f"docs/reference/{name} is made by nothing" for name in extra)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the reference, or check it; return the exit code."""
    parser = argparse.ArgumentParser(prog="pai.bootstrap.reference", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when the files and the code disagree"
    )
    chosen = parser.parse_args(arguments)
    if chosen.check:
        found = drift(chosen.folder)
        if found:
            print("\n".join([*found, "", "the reference has drifted; run: make docs"]), file=sys.stderr)
        return 1 if found else 0
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (chosen.folder / name).write_text(make(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
