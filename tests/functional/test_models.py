"""The main job with real weights, inside the walls."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import openai
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


def test_a_real_model_calls_a_function_and_reads_its_result(tmp_path: Path) -> None:
    pai = Installation(tmp_path / "pai", models="small")
    pai.init()
    pai.start()
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    tool: Any = {
        "type": "function", "name": "get_weather", "description": "The weather in a city now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }  # fmt: skip
    try:
        with openai.OpenAI(
            base_url=f"{pai.url}/v1",
            api_key=pai.key("inference"),
            http_client=httpx.Client(verify=trusted),
            timeout=120,
        ) as sdk:
            asked: Any = [{"role": "user", "content": "What is the weather in Oslo?"}]
            first = sdk.responses.create(
                model="default",
                input=asked,
                tools=[tool],
                tool_choice="required",
                parallel_tool_calls=False,
                temperature=0,
            )
            [call] = first.output
            assert call.type == "function_call"
            assert "oslo" in json.loads(call.arguments)["city"].lower()
            output: Any = {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": "11 degrees and heavy rain",
            }
            # A model this small calls again unless it is told to speak; what it says has to come from the result.
            speak = {"role": "user", "content": "Tell me in one plain sentence how the weather in Oslo is."}
            second = sdk.responses.create(
                model="default", input=[*asked, call.to_dict(), output, speak], tools=[tool], tool_choice="none",
                temperature=0,
            )  # fmt: skip
            assert "rain" in second.output_text.lower()
            assert second.usage is not None
            assert second.usage.input_tokens > 20
    finally:
        pai.stop()
