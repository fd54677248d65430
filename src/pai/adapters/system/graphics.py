"""Graphics processors and their memory, from the kernel and, where a vendor's program is installed, from that."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from pai.core.models.values import Accelerator

_MB: Final = 1 << 20
_SECONDS: Final = 5.0
_VENDORS: Final = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_CARD: Final = re.compile(r"card[0-9]+", re.ASCII)
_SHARED: Final = "its memory is shared with the machine's"


def accelerators(root: Path, unknown: list[str]) -> tuple[Accelerator, ...]:
    """Return all graphics processors found below ``root``; add to ``unknown`` what could not be found out."""
    return (*_nvidia(root, unknown), *_cards(root, unknown), *_apple(root))


def _nvidia(root: Path, unknown: list[str]) -> list[Accelerator]:
    """Those that NVIDIA's driver serves; free memory is known to its own program only."""
    folder = root / "proc/driver/nvidia/gpus"
    if not folder.is_dir():
        return []
    found = [Accelerator(*row) for row in _asked()]
    if found:
        return found
    unknown.append("how much memory the NVIDIA GPU has free: nvidia-smi is not installed or did not answer")
    names = [_field(_text(gpu / "information"), "Model") or "GPU" for gpu in sorted(folder.iterdir())]
    return [Accelerator(name, "NVIDIA", None, None, "its memory is known to nvidia-smi only") for name in names]


def _asked() -> list[tuple[str, str, int | None, int | None, str]]:
    program = shutil.which("nvidia-smi", path="/usr/bin:/usr/local/bin:/usr/local/nvidia/bin:/bin")
    if program is None:
        return []
    wanted = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(
            [program, *wanted], capture_output=True, text=True, timeout=_SECONDS, check=False, env={"LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return rows(told.stdout) if told.returncode == 0 else []


def rows(text: str) -> list[tuple[str, str, int | None, int | None, str]]:
    """Return name, vendor, memory, free memory and note of each line that nvidia-smi told."""
    found = []
    for line in text.splitlines():
        name, *sizes = (part.strip() for part in line.split(","))
        total, free = (int(size) * _MB if size.isdecimal() else None for size in (*sizes, "", "")[:2])
        note = "" if total else _SHARED  # boards with one memory for all report none
        found.append((name, "NVIDIA", total, free, note))
    return found


def _cards(root: Path, unknown: list[str]) -> list[Accelerator]:
    """AMD's and Intel's, and NVIDIA's without its driver, as the kernel's graphics layer lists them."""
    found = []
    for card in sorted((root / "sys/class/drm").glob("card*")):
        vendor = _VENDORS.get(_text(card / "device/vendor").strip())
        if vendor is None or not _CARD.fullmatch(card.name):
            continue
        if vendor == "AMD":
            found.append(_amd(root, card))
        elif vendor == "Intel":
            found.append(_intel(card, unknown))
        elif not (root / "proc/driver/nvidia").is_dir():
            unknown.append("how much memory the NVIDIA GPU has: its own driver is not loaded")
            found.append(Accelerator("NVIDIA GPU", "NVIDIA", None, None, "its own driver is not loaded"))
    return found


def _amd(root: Path, card: Path) -> Accelerator:
    total, used = (_number(card / f"device/mem_info_vram_{what}") for what in ("total", "used"))
    name = _text(card / "device/product_name").strip() or "AMD GPU"
    note = "" if (root / "sys/class/kfd/kfd").exists() else "the kernel's compute driver (kfd) is not loaded"
    if total is not None and total <= 1024 * _MB:
        note = note or f"{_SHARED}, beyond a small part"
    return Accelerator(name, "AMD", total, total - used if total is not None and used is not None else None, note)


def _intel(card: Path, unknown: list[str]) -> Accelerator:
    total = _number(card / "lmem_total_bytes")
    if total is None:
        return Accelerator("Intel GPU", "Intel", None, None, _SHARED)
    free = _number(card / "lmem_avail_bytes")
    if free is None:
        unknown.append("how much memory the Intel GPU has free: its driver does not say")
    return Accelerator("Intel GPU", "Intel", total, free)


def _apple(root: Path) -> list[Accelerator]:
    if "apple," in _text(root / "proc/device-tree/compatible"):
        return [Accelerator("Apple GPU", "Apple", None, None, _SHARED)]
    return []


def _field(text: str, name: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
