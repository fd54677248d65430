"""The HTTPS client of content commands."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.output import START
from pai.foundation.errors import PaiError, Unavailable, Usage


class Client:
    """Speaks to one server with one key."""

    def __init__(self, http: Any) -> None:
        self.http = http

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of a request. Raises PaiError as the server told it, Unavailable when it does not answer."""
        import httpx

        try:
            response = self.http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise unreachable(self.http.base_url, error) from None
        return answer_of(response)


def answer_of(response: Any) -> Any:
    """Return a response's JSON, or raise its error."""
    try:
        told = response.json()
    except ValueError:
        raise Unavailable(
            f"the server answered {response.status_code} without JSON", hint="is this PAI's address?"
        ) from None
    if response.status_code >= 400:
        error = told.get("error") if isinstance(told, dict) else None
        if not isinstance(error, dict):
            raise Unavailable(f"the server answered {response.status_code}", hint="is this PAI's address?")
        raise PaiError(error.get("message", "refused"), code=error.get("code", "refused"), hint=error.get("hint", ""))
    return told


def unreachable(url: object, error: Exception) -> Unavailable:
    """Return the error for a server that cannot be reached."""
    if "CERTIFICATE_VERIFY" in str(error).upper():
        return Unavailable(
            f"the certificate of {url} is not trusted", hint="set PAI_CA_FILE to the server's tls/ca.pem"
        )
    return Unavailable(
        f"{url} does not answer ({type(error).__name__})",
        code="unreachable",
        hint=f"start it with {START}, or set PAI_URL",
    )


@contextmanager
def connect(context: Context) -> Iterator[Client]:
    """Open a client by PAI_URL, PAI_API_KEY and PAI_CA_FILE; without them, the local server. Raises Usage without a key."""
    import httpx

    settings = context.settings()
    if not settings.api_key:
        raise Usage(
            "an API key is needed", code="no_key",
            hint="make one with `pai key create --owner YOU --name cli --scopes inference,knowledge` and set PAI_API_KEY",
        )  # fmt: skip
    if not (settings.api_key.isascii() and settings.api_key.isprintable()):
        raise Usage(
            "the API key holds characters that no key has", code="no_key", hint="copy it into PAI_API_KEY again"
        )
    url = (settings.url or f"https://{settings.server.called}:{context.port(settings)}").rstrip("/")
    if not url.startswith("https://"):
        raise Usage("PAI_URL must begin with https://", code="not_https", hint="such as https://localhost:8443")
    trusted = _trusted(settings.ca_file or settings.home / "tls" / "ca.pem")
    headers = {"authorization": f"Bearer {settings.api_key}"}
    try:
        http = httpx.Client(base_url=url, verify=trusted, headers=headers, timeout=600, trust_env=False)
    except httpx.InvalidURL as error:
        raise Usage(f"PAI_URL is no address: {error}", code="bad_url", hint="such as https://localhost:8443") from None
    with http:
        yield Client(http)


def _trusted(ca: Path) -> ssl.SSLContext:
    if not ca.exists():
        raise Usage(
            f"the certificate authority {ca} is not there", hint="set PAI_CA_FILE, or run `pai init` on this machine"
        )
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError as error:  # ssl.SSLError, too, for a file that holds no certificate
        raise Usage(
            f"the certificate authority {ca} cannot be read ({error.strerror or type(error).__name__})",
            hint="set PAI_CA_FILE to the server's tls/ca.pem",
        ) from None
