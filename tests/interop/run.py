"""Outside clients against a served installation, each in an environment of its own. See README.md beside this file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / ".cache" / "interop"
sys.path.insert(0, str(HERE.parent))

from installation import Installation  # noqa: E402


@dataclass(frozen=True)
class Client:
    """``packages`` are what is installed, ``script`` what is run; for a checker ``arguments``, and ``refused``: its check -> why not.
    ``scopes`` are those of its key."""

    name: str
    packages: tuple[str, ...]
    script: str = ""
    arguments: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    scopes: str = "inference,knowledge"

    @property
    def folder(self) -> Path:
        """Clients with the same packages share it."""
        name = "+".join(self.packages) + ("-node" if self.script.endswith(".mjs") else "")
        return FOLDER / name.translate(str.maketrans(dict.fromkeys("<>=,", "-")))


BLIND = "no installed model reads pictures"
COMPLY = ("llm-comply>=0.5",)
ANTHROPIC_HEADERS = ("--auth-header", "x-api-key", "--no-bearer", "-H", "anthropic-version:2023-06-01")
LLAMA_INDEX = ("llama-index-llms-openai-like", "llama-index-embeddings-openai-like")
ALL_SCOPES = "inference,knowledge,perception,prediction,audit,metrics,admin"
CLIENTS = (
    Client("openai 2", ("openai>=2,<3",), "openai_client.py"),
    Client("openai 3", ("openai>=3,<4",), "openai_client.py"),
    Client("openai for Node", ("openai",), "openai_client.mjs"),
    Client("langchain-openai", ("langchain-openai",), "langchain_client.py"),
    Client("llama-index openai-like", LLAMA_INDEX, "llama_index_client.py"),
    Client("litellm", ("litellm",), "litellm_client.py"),
    Client("llm", ("llm",), "llm_client.py"),
    Client("anthropic", ("anthropic",), "anthropic_client.py"),
    Client("ollama", ("ollama",), "ollama_client.py"),
    Client("llm-comply openai-chat", COMPLY, "", ("openai-chat",), {"Image Input": BLIND}),
    Client("llm-comply anthropic", COMPLY, "", ("anthropic", *ANTHROPIC_HEADERS), {"Image Input": BLIND}),
    Client("llm-comply open-responses", COMPLY, "", ("open-responses",), {"Image Input": BLIND}),
    Client("schemas of llm-comply", (*COMPLY, "jsonschema", "httpx"), "schemas_client.py"),
    # The last one: it leaves a mess.
    Client("schemathesis", ("schemathesis>=4.32,<5",), "schemathesis_client.py", scopes=ALL_SCOPES),
)


def install(client: Client) -> Path:
    """Return the folder of the client's environment, made when it is not there yet or was made for other packages."""
    folder, stamp = client.folder, client.folder / "installed.txt"
    wanted = "\n".join(client.packages)
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if client.script.endswith(".mjs"):
        run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), *client.packages])
    else:
        venv.create(folder, with_pip=True)
        run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *client.packages])
    stamp.write_text(wanted)
    return folder


def run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "the installer failed")


def version(client: Client, folder: Path) -> str:
    name = client.packages[0].split(">")[0]
    if client.script.endswith(".mjs"):
        return str(json.loads((folder / "node_modules" / name / "package.json").read_text())["version"])
    call = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run(
        [folder / "bin" / "python", "-c", call], capture_output=True, text=True, check=True
    ).stdout.strip()


def scripted(client: Client, folder: Path, environment: dict[str, str]) -> tuple[bool, str]:
    """Run a client's script; return whether it ended well and its last line."""
    if client.script.endswith(".mjs"):
        script = folder / client.script  # Node looks for packages beside the script
        shutil.copyfile(HERE / "clients" / client.script, script)
        command = ["node", str(script)]
    else:
        command = [str(folder / "bin" / "python"), str(HERE / "clients" / client.script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    lines = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip().splitlines()
    return done.returncode == 0, lines[-1][:300] if lines else ""


def checked(client: Client, folder: Path, environment: dict[str, str]) -> tuple[bool, str]:
    """Run the conformance checker; return whether only what is refused on purpose failed, and the count."""
    form, *more = client.arguments
    command = [
        str(folder / "bin" / "llm-comply"), "run", "-u", f"{environment['PAI_URL']}/v1", "-k", environment["PAI_API_KEY"],
        "-m", "default", "--format", form, "--json", "--timeout", "120", *more,
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    told = json.loads(done.stdout)
    failed = [one for one in told["results"] if one["status"] == "failed"]
    wrong = [f"{one['name']}: {one['errors'][0]}" for one in failed if one["name"] not in client.refused]
    refused = [
        f"{one['name']} refused: {client.refused[one['name']]}" for one in failed if one["name"] in client.refused
    ]
    # What the checker itself leaves out for every model but its vendor's own.
    skipped = [f"{one['name']} skipped: {one['errors'][0]}" for one in told["results"] if one["status"] == "skipped"]
    passed, total = told["summary"]["passed"], told["summary"]["total"]
    return not wrong, "; ".join([f"{passed} of {total}", *refused, *skipped, *wrong])[:400]


def environment_of(pai: Installation, scopes: str) -> dict[str, str]:
    """Return what a client is told: address, key, whom to trust; and that it is to fetch and report nothing by itself."""
    trust = str(pai.ca)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept, "PAI_URL": pai.url, "PAI_API_KEY": pai.key(scopes), "PAI_CA_FILE": trust, "SSL_CERT_FILE": trust,
        "REQUESTS_CA_BUNDLE": trust, "NODE_EXTRA_CA_CERTS": trust, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def measured(client: Client, environment: dict[str, str]) -> dict[str, str]:
    """Return one line of the report."""
    try:
        folder = install(client)
    except OSError as error:
        return {"client": client.name, "version": "", "result": "not measured", "detail": str(error)}
    work: Callable[[Client, Path, dict[str, str]], tuple[bool, str]] = scripted if client.script else checked
    try:
        good, detail = work(client, folder, environment)
    except (subprocess.TimeoutExpired, ValueError) as error:
        good, detail = False, str(error)[:200]
    return {
        "client": client.name,
        "version": version(client, folder),
        "result": "passed" if good else "FAILED",
        "detail": detail,
    }


def main(wanted: Sequence[str]) -> int:
    unknown = set(wanted) - {client.name for client in CLIENTS}
    if unknown:
        print(f"no such client: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    report = []
    with tempfile.TemporaryDirectory() as folder:
        pai = Installation(Path(folder), models=os.environ.get("INTEROP_MODELS") or "echo")
        pai.init()
        pai.start()
        try:
            for client in CLIENTS:
                if not wanted or client.name in wanted:
                    line = measured(client, environment_of(pai, client.scopes))
                    report.append(line)
                    print(f"{line['client']:28} {line['version']:10} {line['result']:13} {line['detail']}", flush=True)
        finally:
            pai.stop()
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    results = {line["result"] for line in report}
    return 1 if "FAILED" in results else 3 if "not measured" in results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
