"""Start of every ``pai`` command: quiet the libraries, then hand over to the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    from pai.bootstrap.telemetry import switch_off

    switch_off()
    from pai.bootstrap import command_line
    from pai.entrypoints.cli.app import run

    sys.exit(run(command_line.context()))


if __name__ == "__main__":
    main()
