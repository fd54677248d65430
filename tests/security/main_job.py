"""The main job as a script, so that it can run whole inside a namespace: init, serve, ingest, ask, chat, verify, stop."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from installation import Installation


def run(folder: Path) -> None:
    pai = Installation(folder / "pai")
    pai.init()
    pai.start()
    try:
        note = folder / "note.txt"
        note.write_text("The delivery of the blue cabinet is planned for 14 March 2031 at the harbour office.\n")
        key = {"PAI_API_KEY": pai.key()}
        pai.ok("collection", "create", "notes", **key)
        done = pai.ok("ingest", "notes", str(note), **key)
        assert len(done["accepted"]) == 1, done
        answer = pai.ok("ask", "notes", "When is the delivery of the blue cabinet planned?", **key)
        assert answer["sources"], answer
        assert pai.ok("audit", "verify")["ok"]
    finally:
        code = pai.stop()
    assert code == 0, code
    print(json.dumps({"job": "done"}))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
