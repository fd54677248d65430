"""What ``pai doctor`` says: one verdict in plain words, then a sentence for each group and what it rests on."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pai.settings import Settings

_GB: Final = 1e9
_SPARE: Final = 1 << 29
"""Bytes of memory that an answer needs beside the weights."""


@dataclass(frozen=True, slots=True)
class Group:
    """One thing that was looked at. ``holds`` is None when it could not be measured."""

    name: str
    holds: bool | None
    says: str
    lines: tuple[str, ...] = ()


def groups_of(settings: Settings, told: dict[str, Any], port: int, *, running: bool) -> list[Group]:
    """Return the groups of an installation, from what its server or its home tells and from this machine."""
    return [
        _protection(told), _keys(told["keys"]), _models(told["models"]), _disk(settings), _port(port, running=running),
        _memory(told["models"], running=running),
    ]  # fmt: skip


def verdict(groups: Sequence[Group]) -> str:
    """Return one sentence on all groups."""
    wrong = [group.name for group in groups if group.holds is False]
    unknown = [group.name for group in groups if group.holds is None]
    if wrong:
        return f"Not everything holds; look at: {', '.join(wrong)}."
    return (
        f"Everything that was measured holds; not measured: {', '.join(unknown)}." if unknown else "Everything holds."
    )


def text_of(groups: Sequence[Group]) -> str:
    """Return verdict and groups for people."""
    width = max(len(group.name) for group in groups)
    lines = [verdict(groups)]
    for group in groups:
        mark = {True: "ok", False: "NO", None: "? "}[group.holds]
        lines += [
            f"{mark}  {group.name.ljust(width)}  {group.says}",
            *(f"{'':{width + 6}}{line}" for line in group.lines),
        ]
    return "\n".join(lines)


def value_of(groups: Sequence[Group]) -> dict[str, Any]:
    """Return verdict and groups for programs."""
    told = [{"name": group.name, "holds": group.holds, "says": group.says} for group in groups]
    return {"ok": all(group.holds for group in groups), "verdict": verdict(groups), "groups": told}


def _protection(told: dict[str, Any]) -> Group:
    if not told["layers"]:
        return Group("protection", None, "It is measured when the server starts: run `make start` or `pai serve` once.")
    if told["missing"]:
        says = f"This kernel lacks a wall around the server: {', '.join(told['missing'])}."
    else:
        says = (
            "The kernel refuses the server every outside connection and every new program (measured at its last start)."
        )
    return Group("protection", not told["missing"], says, tuple(told["layers"]))


def _keys(told: dict[str, Any]) -> Group:
    if told["recovery_confirmed"]:
        return Group("keys", True, "The root key is protected by the passphrase; its recovery code was written down.")
    return Group(
        "keys", False, "Nobody has confirmed the recovery code: a lost passphrase would lose everything.",
        ("pai keys confirm-recovery",),
    )  # fmt: skip


def _models(models: Sequence[dict[str, Any]]) -> Group:
    by_alias = {alias: model["name"] for model in models for alias in model["aliases"]}
    lines = tuple(f"{alias}: {by_alias[alias]}" for alias in sorted(by_alias))
    missing = [
        what for alias, what in (("default", "answer"), ("default-embedding", "search")) if alias not in by_alias
    ]
    if missing:
        return Group("models", False, f"There is no model to {' or '.join(missing)}.", lines)
    return Group(
        "models",
        True,
        "There are models to answer and to search; each is checked by hash and signature when loaded.",
        lines,
    )


def _disk(settings: Settings) -> Group:
    free, floor = shutil.disk_usage(settings.home).free, settings.storage.free_disk_floor_mb << 20
    says = f"{free / _GB:.1f} GB are free; below {floor / _GB:.1f} GB no more documents are taken in."
    return Group("disk", free > floor, says)


def _port(port: int, *, running: bool) -> Group:
    if running:
        return Group("port", True, f"The server answers at https://localhost:{port}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return Group("port", False, f"No server of this home is running, and another program has port {port}.")
    return Group("port", True, f"No server is running; port {port} is free for it.")


def _memory(models: Sequence[dict[str, Any]], *, running: bool) -> Group:
    weights = sum(int(model["size"]) for model in models)
    try:
        rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        available = int(rows["MemAvailable"].split()[0]) << 10
    except (OSError, ValueError, KeyError):
        return Group("memory", None, "This system does not tell how much memory is available.")
    if running:
        return Group(
            "memory",
            True,
            f"The models ({weights / _GB:.1f} GB) are loaded; {available / _GB:.1f} GB are still available.",
        )
    says = f"{available / _GB:.1f} GB are available; the models' weights take {weights / _GB:.1f} GB."
    return Group("memory", available > weights + _SPARE, says)
