"""Fuzzes the readers of model files: valid files are mutated; nothing but a refusal or a header may come of it, and soon.

``python tests/fuzz/model_formats.py --seconds 300 --state .cache/fuzz``: goes on where the last run stopped (the number of
the next input is kept there) and writes every input that broke a rule beside it. With ``--atheris`` (if it is installed)
the inputs come from coverage instead.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hostile"))

from make_models import corpus

from model_files import VALID, opened
from pai.adapters.models.formats import validate
from pai.foundation.errors import PaiError

MOST_BYTES = 64 << 20
MOST_SECONDS = 1.0
LONGEST_SEED = 1 << 16
CODES = {"bad_model_file", "truncated_model_file", "unsafe_model_file"}
INTERESTING = (
    0,
    1,
    2,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 62,
    (1 << 63) - 1,
    (1 << 64) - 1,
)

Files = Mapping[str, bytes]


def seeds() -> list[tuple[str, dict[str, bytes]]]:
    """Return small valid files, and hostile ones: most are one step away from another mistake."""
    found = [
        (kind, {name.replace("__", "."): data for name, data in files.items()}) for kind, files in VALID.items()
    ] * 20
    for kind, _, make in corpus().values():
        files = dict(make())
        if sum(map(len, files.values())) <= LONGEST_SEED:
            found.append((kind, files))
    return found


def mutated(data: bytes, source: random.Random, other: bytes = b"") -> bytes:
    """Return ``data`` with one to six random changes."""
    out = bytearray(data)
    for _ in range(source.randint(1, 6)):
        at = source.randrange(len(out) + 1)
        width = source.choice((1, 2, 4, 8))
        match source.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << source.randrange(8)
            case 1:
                out[at : at + width] = (source.choice(INTERESTING) % (1 << 8 * width)).to_bytes(width, "little")
            case 2:
                out[at : at + width] = source.randbytes(width)
            case 3:
                out[at:at] = source.randbytes(source.randint(1, 16))
            case 4:
                del out[at : at + source.randint(1, 64)]
            case 5:
                piece = out[at : at + source.randint(1, 256)]
                out[at:at] = piece * source.randint(1, 4)
            case 6 if source.random() < 0.3:
                del out[at:]
            case _ if other:
                start = source.randrange(len(other))
                out[at : at + width] = other[start : start + source.randint(1, 64)]
    return bytes(out)


def examine(kind: str, files: Files) -> str:
    """Read one model; return what came of it. Raises AssertionError when a rule is broken."""
    with opened(**{name.replace(".", "__"): data for name, data in files.items()}) as fds:
        tracemalloc.start()
        start = time.thread_time()
        try:
            validate(kind, fds)
            told = "accepted"
        except PaiError as error:
            told = error.code if len(error.message) < 200 else "a message too long to be one sentence"
        finally:
            spent, peak = time.thread_time() - start, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert told in {"accepted", *CODES}, told
    assert spent < MOST_SECONDS, f"{spent:.2f} s"
    assert peak < MOST_BYTES, f"{peak >> 20} MB"
    return told


def made(number: int, pool: list[tuple[str, dict[str, bytes]]]) -> tuple[str, Files]:
    """Return input ``number``: the same number gives the same input."""
    source = random.Random(number)
    kind, files = source.choice(pool)
    name = source.choice([*files][:1] * 4 + [*files])
    _, other = source.choice(pool)
    return kind, {**files, name: mutated(files[name], source, next(iter(other.values())))}


def run(seconds: float, first: int = 0) -> tuple[int, dict[str, int], list[tuple[int, str]]]:
    """Try inputs from number ``first`` on; return the next number, counts of what came of them, and what broke."""
    pool, end, number = seeds(), time.monotonic() + seconds, first
    counts: dict[str, int] = {}
    broken: list[tuple[int, str]] = []
    while time.monotonic() < end:
        kind, files = made(number, pool)
        try:
            told = f"{kind} {examine(kind, files)}"
        except Exception as error:  # noqa: BLE001  # everything that is no refusal is a find
            told = "BROKEN"
            broken.append((number, f"{kind}: {type(error).__name__}: {error}"))
        counts[told] = counts.get(told, 0) + 1
        number += 1
    return number, counts, broken


def with_coverage(seconds: float) -> None:
    """Let atheris choose the inputs: the first byte is the format."""
    atheris = importlib.import_module("atheris")  # of whoever has it: it is no dependency
    kinds = [*VALID]

    def one(data: bytes) -> None:
        kind = kinds[data[0] % len(kinds)] if data else kinds[0]
        first, *others = (name.replace("__", ".") for name in VALID[kind])
        examine(kind, {first: data[1:], **{name: bytes(24) for name in others}})

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", "-max_len=65536"], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--state", type=Path, default=Path(".cache/fuzz"))
    parser.add_argument("--atheris", action="store_true")
    chosen = parser.parse_args()
    if chosen.atheris:
        if importlib.util.find_spec("atheris") is None:
            parser.error("atheris is not installed")
        with_coverage(chosen.seconds)
        return 0
    chosen.state.mkdir(parents=True, exist_ok=True)
    state = chosen.state / "model_formats.json"
    kept = json.loads(state.read_text()) if state.exists() else {"next": 0, "seconds": 0.0, "counts": {}}
    number, counts, broken = run(chosen.seconds, kept["next"])
    for told, count in counts.items():
        kept["counts"][told] = kept["counts"].get(told, 0) + count
    pool = seeds()
    for found, why in broken:
        folder = chosen.state / f"broken-{found}"
        folder.mkdir(exist_ok=True)
        for name, data in made(found, pool)[1].items():
            (folder / name).write_bytes(data)
        (folder / "why.txt").write_text(why + "\n")
        print(f"input {found}: {why}")
    tried = number - kept["next"]
    kept |= {"next": number, "seconds": kept["seconds"] + chosen.seconds}
    state.write_text(json.dumps(kept, indent=1, sort_keys=True))
    print(
        f"model formats: {tried} inputs in {chosen.seconds:.0f} s, {len(broken)} broke a rule; in all {number} in {kept['seconds']:.0f} s"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
