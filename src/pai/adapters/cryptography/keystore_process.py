"""Starting the keystore process: a fresh exec with one socket, an environment from nothing, no secret in sight."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pai.adapters.cryptography.keystore_client import KeystoreClient
from pai.foundation.redaction import Secret

PROGRAM: Final[tuple[str, ...]] = ("-m", "pai.bootstrap.keystore")
_STOP_SECONDS: Final = 5.0


class KeystoreProcess:
    """A running keystore. ``client`` speaks to it until ``release_socket`` gives the socket to another process."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.process = process
        self.client = KeystoreClient(connection)

    def open(self, passphrase: Secret) -> None:
        """Open the root key; raises as ``KeystoreAdministration.open``."""
        self.client.open(passphrase)

    def create(self, passphrase: Secret, kdf: str) -> Secret:
        """Make the root key and return the recovery code; raises as ``KeystoreAdministration.create``."""
        return self.client.create(passphrase, kdf)

    def release_socket(self) -> socket.socket:
        """Give the socket up so that the gateway gets it; ``client`` is of no use from then on."""
        return self.client.release_socket()

    def stop(self) -> None:
        """Close our end and wait; the process wipes its keys and ends when no one holds the socket any more."""
        self.client.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_keystore(home: Path, environment: Mapping[str, str]) -> KeystoreProcess:
    """Start the keystore of ``home`` (sealed until ``open``). It ends when its socket closes or its parent thread dies.

    ``environment`` is the child's whole environment. Secrets go over the socket only.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", *PROGRAM, "--fd", str(theirs.fileno()), "--home", str(home.absolute())],
            env=dict(environment),
            pass_fds=(theirs.fileno(),),
            close_fds=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
    return KeystoreProcess(process, ours)
