"""The command group. Commands are imported when they are called, so that ``pai --help`` is quick."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import show_error
from pai.foundation.errors import PaiError, Usage

COMMANDS = {
    "init": ("setup", "Make a new installation."),
    "serve": ("host", "Serve until stopped."),
    "status": ("host", "Tell whether the server is ready."),
    "doctor": ("host", "Say whether everything holds: walls, keys, models, disk, port, memory."),
    "version": ("host", "Show the version."),
    "env": ("host", "Show what SDKs need to reach this server."),
    "user": ("people", "Accounts: add, list, role, clearance, disable, reset-login."),
    "session": ("people", "Browser sessions: list, kill."),
    "key": ("people", "API keys for programs: create, list, revoke."),
    "keys": (
        "keys",
        "The root key and its recovery code: status, unseal, rotate, shred, change-passphrase, confirm-recovery, renew-recovery.",
    ),
    "approvals": ("approvals", "What takes a second person: list, show, approve, refuse, run, rules."),
    "models": ("models", "Models: list, show, add, import, convert, activate, advise."),
    "audit": ("audit", "The audit log: tail, query, verify, checkpoint, key, prove, export."),
    "backup": ("backup", "Encrypted backups: create, verify, restore, drill, list, identity."),
    "witness": (
        "witness",
        "A second party, elsewhere, that co-signs the audit log while it only grows: init, cosign, status.",
    ),
    "tls": ("host", "The local certificate authority: show, trust."),
    "completion": ("host", "Print a completion script for a shell."),
    "collection": ("collections", "Collections: create, list, share, shares, unshare, delete."),
    "document": ("content", "Documents: list, show, delete."),
    "job": ("content", "Jobs: list, show, cancel."),
    "ingest": ("content", "Take files or folders into a collection."),
    "ask": ("content", "Ask a collection; the answer cites its sources."),
    "chat": ("content", "Chat with the default model."),
    "ocr": ("perception", "Read the text of a scan or a photo."),
    "transcribe": ("perception", "Write down what is said in a recording."),
    "demo": ("demo", "Run the main job on sample documents."),
}


class LazyGroup(click.Group):
    """Knows names and one-line helps; imports a command's module when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pai.entrypoints.cli.commands.{COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def pai() -> None:
    """PAI: a personal AI for confidential data, on hardware you own.

    Example: pai collection create letters && pai ingest letters ./files && pai ask letters "When is the next appointment?"
    """


def run(context: Context) -> int:
    """Run the command of this process; return its exit code."""
    arguments: list[str] = sys.argv[1:]
    context.json = "--json" in arguments
    try:
        result: Any = pai.main(arguments, standalone_mode=False, obj=context)
    except click.ClickException as error:
        show_error(Usage(error.format_message(), hint="see --help"), as_json=context.json)
        return 2
    except click.Abort:
        return 1
    except PaiError as error:
        show_error(error, as_json=context.json)
        return 2 if isinstance(error, Usage) else 1
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D where something was asked
        return 1
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UnicodeEncodeError:
        told = Usage("an argument holds bytes that are no UTF-8", code="not_utf8", hint="type it in a UTF-8 terminal")
        show_error(told, as_json=context.json)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        show_error(
            PaiError(
                f"{where}{error.strerror or type(error).__name__}", code="system",
                hint="check that the file is there, its mode, and that the disk is writable and not full",
            ),
            as_json=context.json,
        )  # fmt: skip
        return 1
    return result if isinstance(result, int) else 0
