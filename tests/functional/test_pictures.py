"""Pictures in chats, as the vendors' own SDKs send them: to a model that sees (a tiny one, whose weights are noise) and to one that does not."""

from __future__ import annotations

import base64
import io
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from installation import Installation
from tiny_vision import tiny_vision


def picture(colour: str, kind: str = "PNG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(made, kind)
    return made.getvalue()


def uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def asked(*urls: str) -> Any:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": "what is this"}, *parts]}]


@pytest.fixture(scope="module")
def pai(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("pictures")
    made = Installation(folder / "pai")
    shutil.copytree(initialised, made.home)
    tiny_vision(folder / "brought")
    made.start()
    told = made.ok("models", "import", str(folder / "brought"), "--name", "seeing", "--licence", "none")
    assert (told["engine"], told["format"]) == ("llama.cpp", "gguf")
    yield made
    made.stop(sig=9)


@pytest.fixture(scope="module")
def key(pai: Installation) -> str:
    return pai.key("inference,audit,knowledge")


@pytest.fixture(scope="module")
def web(pai: Installation, key: str) -> Iterator[httpx.Client]:
    with pai.web(key) as found:
        yield found


@pytest.fixture(scope="module")
def sdk(pai: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    with openai.OpenAI(
        base_url=f"{pai.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted), max_retries=0
    ) as found:
        yield found


def said(sdk: openai.OpenAI, *urls: str) -> tuple[str, int]:
    told = sdk.chat.completions.create(model="seeing", messages=asked(*urls), max_tokens=8, temperature=0)
    assert told.usage is not None
    return told.choices[0].message.content or "", told.usage.prompt_tokens


def test_openais_sdk_shows_pictures(sdk: openai.OpenAI) -> None:
    red, blue, none = said(sdk, uri(picture("red"))), said(sdk, uri(picture("blue"))), said(sdk)
    assert len({red[0], blue[0], none[0]}) == 3
    assert red[1] == blue[1] > none[1]
    assert said(sdk, uri(picture("red", "GIF"), "gif")) == red, "what counts is what is on it"
    told = sdk.responses.create(
        model="seeing", max_output_tokens=8, temperature=0,
        input=[{"role": "user", "content": [{"type": "input_text", "text": "what is this"},
                                            {"type": "input_image", "image_url": uri(picture("red")), "detail": "auto"}]}],
    )  # fmt: skip
    assert told.output_text == red[0]


def test_anthropics_and_ollamas_clients_show_them_too(pai: Installation, key: str, sdk: openai.OpenAI) -> None:
    import anthropic
    import httpx2
    import ollama

    trusted = ssl.create_default_context(cafile=str(pai.ca))
    source: Any = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(picture("red")).decode()}
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "what is this"}, {"type": "image", "source": source}]}
    ]
    expected = said(sdk, uri(picture("red")))
    with anthropic.Anthropic(base_url=pai.url, api_key=key, http_client=httpx2.Client(verify=trusted)) as client:
        told = client.messages.create(model="seeing", max_tokens=8, messages=messages, extra_body={"temperature": 0})
        assert told.content[0].text == expected[0]  # type: ignore[union-attr]
        assert client.messages.count_tokens(model="seeing", messages=messages).input_tokens == expected[1]
        with pytest.raises(anthropic.BadRequestError, match="cannot do: image-input"):
            client.messages.create(model="echo", max_tokens=8, messages=messages)
    options = {"temperature": 0, "num_predict": 8}
    with ollama.Client(host=pai.url, headers={"Authorization": f"Bearer {key}"}, verify=trusted) as local:
        shown = local.chat(
            model="seeing",
            messages=[{"role": "user", "content": "what is this", "images": [picture("red")]}],
            options=options,
        )
        assert shown.message.content == expected[0]
        assert "vision" in (local.show("seeing").capabilities or [])
        assert "vision" not in (local.show("echo").capabilities or [])


def refused(web: httpx.Client, *urls: str, model: str = "seeing") -> tuple[int, str]:
    answer = web.post("/v1/chat/completions", json={"model": model, "messages": asked(*urls), "max_tokens": 4})
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_model_that_does_not_see_says_so(web: httpx.Client) -> None:
    assert refused(web, uri(picture("red")), model="echo") == (400, "missing_capability")
    # Not even decoded: it is the model that is wrong, whatever the picture holds.
    assert refused(web, uri(b"no picture"), model="echo") == (400, "missing_capability")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a.png", "https://localhost/a.png", "file:///etc/passwd", "data:text/html;base64,AAAA", ""]
)
def test_addresses_are_never_fetched(web: httpx.Client, url: str) -> None:
    status, _ = refused(web, url)
    assert status == 400


def test_bad_pictures_are_400_and_the_next_one_is_seen(web: httpx.Client, sdk: openai.OpenAI) -> None:
    assert refused(web, uri(b"no picture")) == (400, "bad_picture")
    assert refused(web, uri(picture("red")[:-60])) == (400, "bad_picture")
    assert refused(web, uri(picture("red")), uri(b"%PDF-1.7")) == (400, "bad_picture")
    assert refused(web, *[uri(picture("red"))] * 17) == (400, "too_many_pictures")
    assert refused(web, uri(bytes(2 << 20))) == (400, "bad_picture")
    answer = web.post("/v1/chat/completions", json={"model": "seeing", "messages": asked(uri(bytes(50 << 20)))})
    assert (answer.status_code, set(answer.json()["error"])) == (413, {"message", "type", "param", "code", "hint"})
    assert said(sdk, uri(picture("red")))[0]


@pytest.mark.slow
def test_pictures_are_in_no_log_and_no_file(pai: Installation, web: httpx.Client, sdk: openai.OpenAI) -> None:
    data = picture("rebeccapurple")
    said(sdk, uri(data))
    marks = [base64.b64encode(data), data]
    files = [path for path in pai.folder.rglob("*") if path.is_file()]
    assert [path for path in files if any(mark in path.read_bytes() for mark in marks)] == []
