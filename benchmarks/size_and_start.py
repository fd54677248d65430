"""How long `pai --help` and a start take, and what the idle processes hold in memory, without models.

    python benchmarks/size_and_start.py [--runs 7]

The peer of `pai --help` is a bare Python that starts and ends. Memory is Pss (proportional set size) of /proc/PID/smaps_rollup.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import keep, middle, ratios

from installation import Installation


def timed(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def memory(pid: int) -> dict[str, float]:
    """Return Pss and Rss in MB of a process and each of its children, by what they run."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
            parent = int(re.search(r"PPid:\s+(\d+)", text)[1])  # type: ignore[index]
            if parent != pid and int(status.parent.name) != pid:
                continue
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
            name = b" ".join(words[3:6] if words[1] == b"-I" else words[1:4]).decode()
            rollup = (status.parent / "smaps_rollup").read_text()
        except (OSError, TypeError):
            continue
        found[f"{status.parent.name} {name[:60]}"] = {
            key.lower(): round(int(re.search(rf"^{key}:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1024, 1)  # type: ignore[index]
            for key in ("Pss", "Rss")
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    helped, bare = [], []
    pai = str(Path(sys.executable).with_name("pai"))
    for _ in range(arguments.runs):
        helped.append(timed([pai, "--help"]))
        bare.append(timed([sys.executable, "-c", "pass"]))
    result["help_seconds"] = {"pai": middle(helped), "bare_python": middle(bare), "ratio": ratios(helped, bare)}
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(Path(folder), models="echo")
        installation.init()
        starts, told = [], []
        for number in range(arguments.runs):
            began = time.monotonic()
            installation.start()
            starts.append(time.monotonic() - began)
            log = (Path(folder) / "serve.err").read_text()
            told.append(float(re.findall(r"started in ([\d.]+) s", log)[-1]))
            if number == arguments.runs - 1:
                time.sleep(5)
                assert installation.server is not None
                result["idle_memory_mb"] = memory(installation.server.pid)
            installation.stop()
    result["ready_seconds"] = {"wall": middle(starts), "apart_from_unsealing_and_models": middle(told)}
    keep("size_and_start", result)


if __name__ == "__main__":
    main()
