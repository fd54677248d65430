"""The facts of a machine as a table for people and as values for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pai.core.models.values import Accelerator, DiskSpeed, Machine


def gigabytes(size: int | None) -> str:
    """Return a size in GB (10^9 bytes), or a question mark."""
    return "?" if size is None else f"{size / 1e9:.2f} GB" if size < 1e10 else f"{size / 1e9:.1f} GB"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with aligned columns, indented."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)


def machine_value(machine: Machine) -> dict[str, Any]:
    """Return a machine as plain values; sizes in bytes."""
    disk = machine.disk
    return {
        "architecture": machine.architecture, "processor": machine.processor, "cores": machine.cores, "processors": machine.processors,
        "instructions": list(machine.instructions),
        "memory": {"total": machine.memory, "available": machine.available, "held_by_engines": machine.held},
        "disk": {"free": machine.disk_free, "read": disk and _disk_value(disk)},
        "accelerators": [
            {"name": one.name, "vendor": one.vendor, "memory": one.memory, "free": one.free, "note": one.note}
            for one in machine.accelerators
        ],
        "unknown": list(machine.unknown),
    }  # fmt: skip


def machine_text(machine: Machine) -> str:
    """Return a machine as a small table."""
    held = f", {gigabytes(machine.held)} held by PAI's engines" if machine.held else ""
    rows = [
        [
            "processor",
            f"{machine.processor} ({machine.architecture}), {machine.cores} of {machine.processors} cores usable",
        ],
        ["instructions", " ".join(machine.instructions) or "none that engines use"],
        ["memory", f"{gigabytes(machine.memory)}, {gigabytes(machine.available)} available{held}"],
        ["disk", f"{gigabytes(machine.disk_free)} free{_disk_text(machine.disk)}"],
        *(["GPU", _accelerator_text(one)] for one in machine.accelerators),
        *([] if machine.accelerators else [["GPU", "none found"]]),
        *(["not known", text] for text in machine.unknown),
    ]
    return f"Machine\n{columns(rows)}"


def _disk_value(disk: DiskSpeed) -> dict[str, Any]:
    rate = int(disk.size / disk.seconds) if disk.seconds else 0
    return {
        "bytes": disk.size,
        "seconds": round(disk.seconds, 3),
        "bytes_per_second": rate,
        "past_the_cache": disk.direct,
    }


def _disk_text(disk: DiskSpeed | None) -> str:
    if disk is None or not disk.seconds:
        return ""
    rate = gigabytes(int(disk.size / disk.seconds))
    doubt = "" if disk.direct else ", pages that engines hold may have come from memory"
    return f", reads {rate}/s ({disk.size >> 20} MB of a model file{doubt})"


def _accelerator_text(one: Accelerator) -> str:
    sizes = f", {gigabytes(one.memory)}, {gigabytes(one.free)} free" if one.memory is not None else ""
    return one.name + sizes + (f" ({one.note})" if one.note else "")
