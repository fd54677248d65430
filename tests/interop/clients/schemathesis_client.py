"""Schemathesis over PAI's own description of all routes, with a key of all scopes: no request is answered with 5xx."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import requests

HERE = Path(__file__).resolve().parent
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "150"))
SPARES = 10
"""Things of each kind that it may delete."""
URL, KEY = os.environ["PAI_URL"], os.environ["PAI_API_KEY"]
web = requests.Session()
web.headers["authorization"] = f"Bearer {KEY}"
LETTER = b"The ferry to Harbour Island leaves at 14:40 from pier nine.\n"


def ask(method: str, path: str, **more: object) -> dict:
    answer = web.request(method, URL + path, **more)
    assert answer.status_code < 300, f"{path}: {answer.text[:300]}"
    return answer.json()


def file(purpose: str = "assistants", data: bytes = LETTER) -> str:
    return ask("POST", "/v1/files", data={"purpose": purpose}, files={"file": ("letter.txt", data)})["id"]


def response() -> str:
    return ask("POST", "/v1/responses", json={"model": "default", "input": "hello", "store": True})["id"]


def collection() -> str:
    return ask("POST", "/pai/v1/collections", json={"name": f"c{time.time_ns()}"})["id"]


def document(within: str) -> tuple[str, str]:
    """Return a document that has been taken in, and the job that did it."""
    name = f"letter {time.time_ns()}.txt"
    job = ask("POST", f"/pai/v1/collections/{within}/documents", files={"file": (name, LETTER + name.encode())})["id"]
    end = time.monotonic() + 60
    while ask("GET", f"/pai/v1/jobs/{job}")["state"] not in ("done", "failed"):
        assert time.monotonic() < end
        time.sleep(0.1)
    return ask("GET", f"/pai/v1/collections/{within}/documents")["documents"][0]["id"], job


def key() -> str:
    return ask("POST", "/pai/v1/keys", json={"name": "spare", "scopes": ["inference"]})["id"]


def known() -> dict[str, object]:
    """Make one of everything, so that requests get further than to 404, and spares to be deleted."""
    store = collection()
    here, job = document(store)
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "default-embedding", "input": "x"},
    }
    asked = file("batch", json.dumps(line).encode())
    made = {"input_file_id": asked, "endpoint": "/v1/embeddings", "completion_window": "24h"}
    return {
        "values": {
            "collection": store, "document": here, "job": job, "file": file(), "response": response(), "name": "default",
            "batch": ask("POST", "/v1/batches", json=made)["id"], "batch_file": asked,
        },
        "spares": {
            "file": [file() for _ in range(SPARES)], "response": [response() for _ in range(SPARES)],
            "collection": [collection() for _ in range(SPARES)], "document": [document(store)[0] for _ in range(SPARES)],
            "key": [key() for _ in range(SPARES)],
        },
    }  # fmt: skip


with tempfile.TemporaryDirectory() as folder:
    facts, told = Path(folder, "known.json"), Path(folder, "told.json")
    facts.write_text(json.dumps(known()))
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run", f"{URL}/pai/v1/openapi.json", "-u", URL,
        "-H", f"Authorization: Bearer {KEY}", "--tls-verify", os.environ["PAI_CA_FILE"], "--checks", "not_a_server_error",
        "--max-time", str(SECONDS), "--workers", "2", "--continue-on-failure", "--request-timeout", "30", "--no-shrink",
        "--generation-with-security-parameters", "false", "--generation-database", "none", "--warnings", "off",
    ]  # fmt: skip
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE),
        "PAI_KNOWN": str(facts), "PAI_TOLD": str(told),
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if not told.exists():
        sys.exit(f"it did not begin: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    statuses = {route: Counter(found) for route, found in json.loads(told.read_text()).items()}

described = ask("GET", "/pai/v1/openapi.json")["paths"]
count = Counter(status[0] for found in statuses.values() for status in found.elements())
if done.returncode != 0 or count["5"]:
    print(done.stdout, file=sys.stderr)
    sys.exit(f"{count['5']} of {count.total()} requests got 5xx, or it failed: see above")
routes = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
never = sorted(route for route in routes if not any(status[0] == "2" for status in statuses.get(route, ())))
if "--verbose" in sys.argv:
    print(done.stdout, *(f"{route} {dict(statuses.get(route, {}))}" for route in never), sep="\n")
# A run that is refused everywhere would find nothing either.
assert len(never) < len(routes) / 3, f"not answered once: {never}"
reached = f"{len(routes) - len(never)} of {len(routes)} operations answered with 2xx too"
print(f"{count.total()} requests ({dict(sorted(count.items()))} by first digit), no 5xx; {reached}")
