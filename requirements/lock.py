"""Writes the lock files: exact versions with SHA-256, no addresses. Run with the Python of an empty environment: ``make lock``.

The downloader that ``tokenizers`` names as a dependency is left out on purpose (docs/decisions/0002): PAI loads no model by network.
So is OpenVINO's package of usage data (docs/decisions/0011). The extra ``transformers`` gets a lock of its own, beside the default one:
its library imports that downloader, which stays offline and behind walls there (docs/decisions/0017). So does the extra ``speech``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEFT_OUT = {
    "huggingface-hub", "hf-xet", "tqdm", "fsspec", "filelock", "pyyaml", "typer", "typer-slim", "shellingham", "httpx2", "httpcore2",
    "truststore", "openvino-telemetry",
}  # fmt: skip

EXTRA_NEEDS = {"huggingface-hub", "tqdm", "fsspec", "filelock", "pyyaml", "httpx2", "httpcore2", "truststore"}
"""What the extra's library imports as it is loaded, though nothing is looked up."""
NOT_IMPORTED = {"markdown-it-py", "mdurl", "pygments", "rich", "annotated-doc"}
"""What only its command line needs."""
CPU = "torch==2.13.0+cpu"
"""The build without graphics processors: the ordinary one brings several GB of libraries for them."""


def resolve(requirements: list[str]) -> dict[str, tuple[str, str, set[str]]]:
    """Return name -> (version, sha256, dependencies' names) of everything that pip would install."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-"]
    report = json.loads(subprocess.run([*command, *requirements], capture_output=True, text=True, check=True).stdout)
    found = {}
    for item in report["install"]:
        name = item["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
        found[name] = (item["metadata"]["version"], item["download_info"]["archive_info"]["hashes"]["sha256"], set())
    return found


def main() -> None:
    """Write all lock files."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    default = [*project["dependencies"], "setuptools>=65"]
    for name, wanted in (("default", default), ("test", [*default, *project["optional-dependencies"]["test"]])):
        keep = LEFT_OUT - ({"tqdm", "httpx2", "httpcore2", "truststore"} if name == "test" else set())
        found = sorted(resolve(wanted).items())
        lines = [f"{package}=={told[0]} --hash=sha256:{told[1]}" for package, told in found if package not in keep]
        (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")
        print(f"{name}: {len(lines)} packages")  # noqa: T201
    pinned = {line.split("==")[0]: line.split(" ")[0] for line in (HERE / "default.txt").read_text().splitlines()}
    found = sorted(resolve([*pinned.values(), *project["optional-dependencies"]["transformers"], CPU]).items())
    keep = LEFT_OUT - EXTRA_NEEDS | {*pinned} | NOT_IMPORTED
    lines = [f"{package}=={told[0]} --hash=sha256:{told[1]}" for package, told in found if package not in keep]
    (HERE / "transformers.txt").write_text("\n".join(lines) + "\n")
    print(f"transformers: {len(lines)} packages")  # noqa: T201
    found = sorted(resolve([*pinned.values(), *project["optional-dependencies"]["speech"]]).items())
    # PyYAML is named for converters, which are imported by nobody here.
    lines = [f"{package}=={told[0]} --hash=sha256:{told[1]}" for package, told in found if package not in {*pinned} | LEFT_OUT]
    (HERE / "speech.txt").write_text("\n".join(lines) + "\n")
    print(f"speech: {len(lines)} packages")  # noqa: T201


if __name__ == "__main__":
    main()
