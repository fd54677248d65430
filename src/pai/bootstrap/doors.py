"""The gateway's two listeners: one face while the installation is sealed, another when it is open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

from pai.adapters.cryptography.certificates import TlsFiles, sealed_certificates
from pai.adapters.cryptography.keystore_client import KeystoreClient
from pai.core.operations.events import Unsealed
from pai.entrypoints.console.app import socket_app
from pai.entrypoints.console.sealed import SealedConsole
from pai.entrypoints.http.sealed import Face, sealed_app
from pai.foundation.refs import ResourceRef
from pai.foundation.time import utc_now
from pai.settings import Settings

DRAIN_SECONDS = 9
CLOSE_SECONDS = 1
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Doors:
    """Serves HTTPS and the control socket on listeners that were bound before."""

    def __init__(self, settings: Settings, listener_fd: int, control_fd: int) -> None:
        self._settings = settings
        self._sockets = [socket.socket(fileno=listener_fd), socket.socket(fileno=control_fd)]
        self._context = _tls_context()
        self._faces = [Face(None), Face(None)]
        self._servers = [
            _server(self._faces[0], self._context),
            _server(self._faces[1], None, http=_owner_only()),
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._reason = "sealed"
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._drain)

    async def stay_sealed(self, keystore: KeystoreClient, tell: Callable[[dict[str, Any]], None]) -> Unsealed | None:
        """Serve refusals until the console opens the installation, or a stop is asked for. Returns what to record; None after a stop."""
        console = SealedConsole(keystore, lambda: "sealed" if keystore.gone() else self._reason)
        self._faces[0].inner = sealed_app(lambda: self._reason)
        self._faces[1].inner = socket_app(console.run)
        run = self._settings.home / "run"
        certificate, key = sealed_certificates(
            self._settings.home / "tls", run, self._settings.server.names, now=utc_now()
        )
        self._context.load_cert_chain(certificate, key)
        self._start()
        tell({"event": "sealed"})
        opened = asyncio.create_task(console.opened.wait())
        await asyncio.wait([opened, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            opened.cancel()
            return None
        self._reason = "starting"
        tell({"event": "unsealed"})
        return Unsealed(resource=ResourceRef("keystore", "root"), by=console.by, refused=console.refused)

    def stopped(self) -> bool:
        """Return whether a stop was asked for."""
        return any(server.should_exit for server in self._servers)

    def open(self, tls: TlsFiles, application: Any, console: Any) -> None:
        """Show the installation itself from now on."""
        # New handshakes take the new certificate; those that began have the other.
        self._context.load_cert_chain(tls.certificate, tls.key, tls.password.reveal().decode())
        self._faces[0].inner, self._faces[1].inner = application, console
        self._start()

    async def closed(self) -> None:
        """Wait until all requests have ended after a stop was asked for."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """End both servers. Answers that the drain cuts short still have their end to write down."""
        self._drain()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if cut := [task for server in self._servers for task in server.server_state.tasks]:
            await asyncio.wait(cut, timeout=CLOSE_SECONDS)

    def _start(self) -> None:
        if not self._tasks:
            pairs = zip(self._servers, self._sockets, strict=True)
            self._tasks = [asyncio.create_task(server.serve(sockets=[one])) for server, one in pairs]

    def _drain(self) -> None:
        for server in self._servers:
            server.should_exit = True


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    return context


def _owner_only() -> Any:
    """Return a protocol that hangs up on peers of another user, whatever the socket's mode has become."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class OwnerOnly(H11Protocol):
        """HTTP/1.1 for processes of the home's owner."""

        def connection_made(self, transport: Any) -> None:
            """Ask the kernel who connected (SO_PEERCRED)."""
            peer = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if int.from_bytes(peer[4:8], sys.byteorder) != os.getuid():
                transport.abort()
                return
            super().connection_made(transport)

    return OwnerOnly


def _server(app: Any, context: ssl.SSLContext | None, http: Any = "h11") -> Any:
    import uvicorn

    class Quiet(uvicorn.Server):
        """Signals belong to the gateway, not to one of its servers."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave signals alone."""
            yield

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", ws="none", server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS, limit_concurrency=512, timeout_keep_alive=30, http=http, loop="asyncio",
    )  # fmt: skip
    config.load()
    config.ssl = context
    return Quiet(config)
