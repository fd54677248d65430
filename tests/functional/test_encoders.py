"""An embedding model as safetensors: from the folder that an operator brings to answers over a collection."""

from __future__ import annotations

from pathlib import Path

import pytest

from installation import Installation
from tiny_encoder import CONFIG, tiny_encoder


@pytest.mark.slow
def test_an_encoder_is_imported_converted_activated_and_each_collection_keeps_its_own(
    fresh: Installation, tmp_path: Path
) -> None:
    pai = fresh
    pai.start()
    tiny_encoder(tmp_path / "brought")
    (tmp_path / "note.txt").write_text("The ferry leaves at noon.\n\nRoses are red.\n")
    key = pai.key("inference,knowledge")
    pai.ok("collection", "create", "old", PAI_API_KEY=key)
    pai.ok("ingest", "old", str(tmp_path / "note.txt"), PAI_API_KEY=key)

    made = pai.run(
        "models", "import", str(tmp_path / "brought"), "--name", "tiny", "--task", "embedding", "--licence", "none"
    )
    assert (made.code, "pai models convert tiny" in made.out) == (0, True), made.err
    assert pai.ok("models", "show", "tiny")["engine"] == "encoder"
    told = pai.run("models", "activate", "tiny", "--alias", "default-embedding")
    assert (told.code, "pai models convert tiny" in told.err) == (1, True)
    with pai.web(key) as web:
        answer = web.post("/v1/embeddings", json={"model": "tiny", "input": "ferry"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_converted"), answer.text

    new = pai.ok("models", "convert", "tiny", timeout=240)["model"]
    assert (new["name"], new["engine"], new["format"], new["aliases"]) == ("tiny-onnx-int8", "onnxruntime", "onnx", [])
    assert "Made into ONNX (INT8) here, from " in new["origin"]
    assert "to the full weights over" in new["known_gaps"]
    pai.ok("models", "activate", "tiny-onnx-int8", "--alias", "default-embedding")
    with pai.web(key) as web:
        answer = web.post("/v1/embeddings", json={"model": "default-embedding", "input": "ferry"}).json()
        assert len(answer["data"][0]["embedding"]) == CONFIG.width

    pai.ok("collection", "create", "new", PAI_API_KEY=key)
    for name in ("new", "old"):
        # Vectors of two models in one collection could not be compared; each goes on with the one that it began with.
        (tmp_path / f"{name}.txt").write_text(f"The {name} invoice is due at noon.")
        pai.ok("ingest", name, str(tmp_path / f"{name}.txt"), PAI_API_KEY=key)
        asked = pai.run("ask", name, f"When is the {name} invoice due?", "--json", PAI_API_KEY=key)
        assert asked.code == 0, asked.err
        assert "due at noon" in asked.out
