"""Programs of a member that use the shared installation: OpenAI's SDK, and plain HTTP with the same key."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import openai
import pytest

from installation import Installation


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference,knowledge")


@pytest.fixture(scope="module")
def web(served: Installation, key: str) -> Iterator[httpx.Client]:
    with served.web(key) as found:
        yield found


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted)) as found:
        yield found
