"""Commands of ``pai`` with their arguments and options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

from pai.bootstrap.reference.markdown import code, document, plain, table
from pai.entrypoints.cli.app import COMMANDS, pai

_EXAMPLE: Final = re.compile(r"\s*Example: (.*?)\s*\Z", re.DOTALL)
_INTRODUCTION = """
Every command has `--help` (`-h`) and, where nothing else is said, `--json`: stdout then holds the JSON alone; progress and errors go to
stderr, an error as `{"error": {"code", "message", "hint"}}` ([errors](errors.md)).

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 partly done. Secrets are never arguments: they come from files with mode
0600, from the environment (`PAI_API_KEY`) or from the terminal.
"""
_WHERE: Final = {
    "setup": ("To begin", "Once, on the machine of the installation; `make start` does it with `--ask`."),
    "content": (
        "On content",
        "These speak HTTPS to a server with an API key: `PAI_URL`, `PAI_API_KEY`, `PAI_CA_FILE`; without `PAI_URL`, the server of"
        " this machine.",
    ),
    "collections": ("On collections", "Likewise over HTTPS, with a key of the scope `knowledge`."),
    "host": (
        "On the machine",
        "These run on the machine of the installation and ignore `PAI_URL`. With a server running they go through its control socket,"
        " which only the owner of `PAI_HOME` may use; otherwise they open the installation themselves with the passphrase. Both ways the"
        " actor is `operator@console`, who has no right to anybody's content.",
    ),
    "perception": (
        "On pictures and sound",
        "Clients over HTTPS like the commands on content, with a key of the scope `perception`. What is sent is not kept.",
    ),
    "demo": ("To try it", "It makes a collection of its own and speaks to the server like the commands on content."),
    "audit": (
        "On the audit log",
        "Likewise on the machine of the installation; auditors elsewhere have the same over HTTP.",
    ),
    "witness": (
        "Of a witness",
        "These run on another machine, with a folder and a key of their own; they need no installation there.",
    ),
    "models": ("On models", "Likewise on the machine of the installation."),
    "approvals": (
        "On what takes a second person",
        "`list`, `show`, `approve` and `refuse` speak HTTPS with an API key, like the commands on content; `run`, `withdraw`, `rules`,"
        " `rule` and `list --console` run on the machine of the installation.",
    ),
    "backup": (
        "On backups",
        "These run with the rights of whoever holds the console; `create`, `drill` and `list` use the installation as the commands above,"
        " `verify`, `restore` and `identity` need none.",
    ),
    "keys": ("On the root key", "Likewise on the machine of the installation."),
    "people": ("On people and keys", "Likewise on the machine of the installation."),
}


def page() -> str:
    """Return the page on commands."""
    root = click.Context(pai, info_name="pai")
    parts: list[str] = []
    if unplaced := {module for module, _ in COMMANDS.values()} - set(_WHERE):
        raise KeyError(f"the reference has no place for the commands of {sorted(unplaced)}")
    for module, (title, text) in _WHERE.items():
        parts += [f"## {title}", text]
        for name in (name for name, (found, _) in COMMANDS.items() if found == module):
            command = pai.get_command(root, name)
            if command is not None:
                parts += _command(command, click.Context(command, root, name), 3)
    return document("Commands", "`src/pai/entrypoints/cli`", _INTRODUCTION, *parts)


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    text = " ".join(inspect.cleandoc(command.help or "").replace("``", "`").split())
    example = _EXAMPLE.search(text)
    usage = "" if isinstance(command, click.Group) else " ".join(["", *command.collect_usage_pieces(context)])
    yield f"{'#' * level} {context.command_path}"
    yield _EXAMPLE.sub("", text)
    if usage and all("--json" not in option.opts for option in command.params):
        yield "It has no `--json`."
    if usage:
        yield f"```\n{context.command_path}{usage}\n```"
    yield table(("option", "meaning"), _options(command))
    if example:
        yield f"For example:\n\n```sh\n{example[1]}\n```"
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(inner, click.Context(inner, context, name), level + 1)


def _options(command: click.Command) -> Iterator[tuple[str, str]]:
    for option in command.params:
        if isinstance(option, click.Option) and "--json" not in option.opts:
            kind = f" {option.make_metavar(click.Context(command))}" if not option.is_flag else ""
            yield f"{', '.join(code(name + kind) for name in option.opts)}", _meaning(option)


def _meaning(option: click.Option) -> str:
    notes = ["required"] if option.required else []
    notes += ["may be repeated"] if option.multiple and "repeatable" not in (option.help or "") else []
    notes += [f"default: {code(option.default)}"] if option.show_default else []
    return "; ".join([plain((option.help or "").rstrip(".")), *notes] if option.help else notes)
