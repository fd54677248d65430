"""The main job with real weights, inside the walls."""

from __future__ import annotations

from pathlib import Path

import pytest

from installation import Installation

pytestmark = [pytest.mark.model, pytest.mark.slow]
SAMPLES = Path(__file__).resolve().parents[2] / "src" / "pai" / "samples" / "documents"


def test_real_models_answer_over_real_documents(tmp_path: Path) -> None:
    pai = Installation(tmp_path / "pai", models="small")
    pai.init()
    pai.start()
    try:
        assert "[W:" not in (pai.folder / "serve.err").read_text(), "a library's warning stands before the ready line"
        key = {"PAI_API_KEY": pai.key()}
        pai.ok("collection", "create", "samples", **key)
        told = pai.ok("ingest", "samples", str(SAMPLES), **key)
        kinds = {Path(f["path"]).suffix for f in told["accepted"]}
        assert {".pdf", ".docx", ".xlsx", ".csv", ".html", ".md"} <= kinds
        answer = pai.ok("ask", "samples", "Which allergy does Amara Okafor have?", **key)
        assert "penicillin" in answer["answer"].lower()
        assert answer["sources"][0]["document"] == "letter-okafor.docx"
        assert pai.ok("ask", "samples", "Which planet is the largest?", **key)["abstained"]
        _tamper(pai)
    finally:
        pai.stop()


def _tamper(pai: Installation) -> None:
    """A changed model file is refused at the next load."""
    assert pai.stop() == 0
    weights = pai.home / "models" / "qwen2.5-coder-0.5b-instruct" / "model.gguf"
    with weights.open("r+b") as file:
        file.seek(400_000_000)
        byte = file.read(1)
        file.seek(400_000_000)
        file.write(bytes([byte[0] ^ 1]))
    refused = pai.run("serve", timeout=60)
    assert refused.code == 1
    assert "is not the file that was signed" in refused.err
