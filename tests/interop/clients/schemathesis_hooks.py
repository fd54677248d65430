"""What Schemathesis is told of this installation: ids and models that are here, in half of its requests; and a count of the answers."""

import atexit
import itertools
import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import schemathesis

KNOWN = json.loads(Path(os.environ["PAI_KNOWN"]).read_text())
VALUES, SPARES = KNOWN["values"], KNOWN["spares"]
OWN_KEY = os.environ["PAI_API_KEY"].split("_")[1]
FIELDS = {
    "file_id": VALUES["file"], "file_ids": [VALUES["file"]], "input_file_id": VALUES["batch_file"],
    "vector_store_ids": [VALUES["collection"]], "previous_response_id": VALUES["response"],
    "messages": [{"role": "user", "content": "hello"}],
}  # fmt: skip
told: dict[str, Counter[str]] = defaultdict(Counter)
turn = itertools.count()


@schemathesis.hook
def before_call(context: object, case: object, **kwargs: object) -> None:
    """Put what is here into every second request. Deleted are spares only, and never the key that asks."""
    route, places = case.operation.path, case.path_parameters or {}
    for name, value in places.items():
        if name == "key" and OWN_KEY in str(value):
            places[name] = "key_of_nobody"
    if next(turn) % 2:
        return
    for name in places:
        if case.method == "DELETE":
            last = route.endswith(f"{{{name}}}")
            spare = SPARES.get(name) if last else None
            places[name] = spare.pop() if spare else places[name] if last else VALUES.get(name, places[name])
        else:
            places[name] = VALUES.get(name, places[name])
    if isinstance(case.body, dict):
        if "model" in case.body:
            case.body["model"] = "default-embedding" if "embed" in route else "default"
        if "rerank" in route:
            case.body["model"] = "default-reranker"
        for name in FIELDS.keys() & case.body.keys():
            case.body[name] = FIELDS[name]


@schemathesis.hook
def after_call(context: object, case: object, response: object) -> None:
    """Count the answer."""
    told[f"{case.method} {case.operation.path}"][str(response.status_code)] += 1


@atexit.register
def keep() -> None:
    """Write the counts for who started this."""
    Path(os.environ["PAI_TOLD"]).write_text(json.dumps(told))
