"""What `pai env` prints is all that the three SDKs need, and every dialect tells the id of a request."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys

import httpx
import openai
import pytest

from installation import Installation

SCRIPT = """
import anthropic, ollama, openai
ask = [{"role": "user", "content": "hello"}]
told = openai.OpenAI().chat.completions.create(model="default", messages=ask)
assert told.choices[0].message.content == "Echo: hello"
told = anthropic.Anthropic().messages.create(model="default", messages=ask, max_tokens=9)
assert told.content[0].text == "Echo: hello"
assert ollama.chat(model="default", messages=ask).message.content == "Echo: hello"
"""


def test_the_environment_of_pai_env_suffices(served: Installation) -> None:
    told = served.ok("env")
    key = served.key("inference")
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_API_KEY"), key)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**kept, **told, **keys}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_openais_sdk_is_told_ids_and_400_for_what_a_model_cannot_do(served: Installation) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    client = httpx.Client(verify=trusted)
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key("inference"), http_client=client) as sdk:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        with pytest.raises(openai.BadRequestError) as blind:
            sdk.chat.completions.create(model="default", messages=[{"role": "user", "content": [image]}])  # type: ignore[list-item]
        assert blind.value.code == "missing_capability"
        assert blind.value.request_id is not None
        stream = sdk.chat.completions.with_raw_response.create(
            model="default", messages=[{"role": "user", "content": "x"}], stream=True
        )
        assert stream.headers["x-request-id"].startswith("req_")
        assert stream.headers["x-request-id"] != blind.value.request_id
        list(stream.parse())


def test_what_pai_env_prints_is_safe_to_run_in_a_shell(served: Installation) -> None:
    told = served.run("env", PAI_HOME="/tmp/a home; touch oops $(id)").out
    shell = ["/bin/sh", "-c", f'{told}\nprintf %s "$SSL_CERT_FILE"']
    done = subprocess.run(shell, capture_output=True, text=True, check=True, env={})
    assert done.stdout == "/tmp/a home; touch oops $(id)/tls/ca.pem"
