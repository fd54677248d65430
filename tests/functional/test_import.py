"""A model brought as a folder: from the command to an answer, and what is refused on the way."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import httpx
import pytest

from installation import Installation
from tiny_families import tiny_folder

pytestmark = [pytest.mark.extra, pytest.mark.slow]


def test_a_folder_becomes_a_model_that_answers(tmp_path: Path) -> None:
    tiny_folder(tmp_path / "brought", "qwen")
    (tmp_path / "brought" / "modeling_own.py").write_text("raise SystemExit")
    pai = Installation(tmp_path / "pai")
    pai.init()
    command = ("models", "import", str(tmp_path / "brought"), "--name", "tiny-qwen", "--licence", "none")
    told = pai.run(*command)
    assert told.code == 1
    assert "pai serve" in told.err
    pai.start()
    try:
        made = pai.ok(*command)
        assert (made["engine"], made["format"], made["licence"]) == ("transformers", "safetensors", "none")
        assert made["training_data"] == "not stated"
        kept = {path.name for path in (pai.home / "models" / "tiny-qwen").iterdir()}
        assert kept == {"model.safetensors", "config.json", "tokenizer.json", "chat.json"}
        assert not any((pai.home / "tmp").iterdir())
        assert pai.run(*command).code == 1  # the name is taken
        assert not any((pai.home / "tmp").iterdir())
        pai.ok("models", "activate", "tiny-qwen")
        body = {"model": "default", "messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 5}
        trusted = ssl.create_default_context(cafile=str(pai.ca))
        with httpx.Client(base_url=pai.url, verify=trusted, timeout=60) as client:
            answer = client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {pai.key()}"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["usage"]["completion_tokens"] == 5
        names = [event["name"] for event in pai.ok("audit", "tail", "--limit", "20")["events"]]
        assert {"models:model:import", "models:model:activate"} <= {*names}

        told = pai.ok("models", "convert", "tiny-qwen", "--to", "gguf", "--quantisation", "F16", timeout=240)
        model = told["model"]
        assert (model["name"], model["engine"], model["licence"]) == ("tiny-qwen-f16", "llama.cpp", "none")
        assert "Made into GGUF (F16) here, from " in model["origin"]
        assert told["before"]["generated_tokens_per_second"] > 0 < told["after"]["generated_tokens_per_second"]
        assert told["before"]["right"] == told["after"]["right"] == 0  # noise knows nothing, before and after
        told = pai.ok("models", "convert", "tiny-qwen", "--to", "openvino", timeout=240)["model"]
        assert (told["name"], told["engine"]) == ("tiny-qwen-q8_0-openvino", "openvino")
        assert "GGUF (Q8_0)" in told["origin"]
        assert "OpenVINO's format here, from " in told["origin"]
        assert pai.run("models", "convert", "tiny-qwen-f16", "--to", "gguf").code == 1

        config = tmp_path / "brought" / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "auto_map": {"AutoModel": "modeling_own.M"}}))
        refused = pai.run("models", "import", str(tmp_path / "brought"), "--name", "other")
        assert refused.code == 1
        assert "auto_map" in refused.err
        assert not (pai.home / "models" / "other").exists()
    finally:
        pai.stop(sig=9)
