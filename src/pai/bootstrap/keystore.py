"""The keystore process: hardens itself, then answers on its one socket until that closes."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the keystore; return its exit code. The folder of keys is made before the walls go up."""
    parser = argparse.ArgumentParser(prog="pai.bootstrap.keystore", description="Internal: started by PAI itself.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    # Ctrl-C reaches the whole foreground group; the keystore outlives the gateway's orderly end and goes by its socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not stat.S_ISSOCK(os.fstat(chosen.fd).st_mode):
        print("keystore: the descriptor given is no socket", file=sys.stderr)
        return 2
    os.set_inheritable(chosen.fd, False)

    from pai.adapters.cryptography.process_guard import end_with_parent, lock_memory
    from pai.adapters.system.sandbox import SandboxProfile, apply, runtime_paths

    if not end_with_parent():
        return 1
    folder = chosen.home / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    locked = lock_memory()
    # The key folder is all it may change; no new socket, program or process can be had. Its one socket is open already.
    walls = apply(SandboxProfile(readable=runtime_paths(), writable=(folder,)))
    protections = (locked, *walls.lines())

    from pai.adapters.cryptography.keystore import KeyVault
    from pai.adapters.cryptography.keystore_server import KeystoreServer

    with socket.socket(fileno=chosen.fd) as connection:
        connection.settimeout(None)
        KeystoreServer(connection, KeyVault(folder, protections=protections)).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
