"""Argon2id with little memory, for tests whose matter is not what a guess costs.

The real function on the real secrets and salts; only memory, passes and lanes are small. The product knows nothing of it: this file patches
the one place that stretches, and starts the keystore and `pai` through itself, so that their processes do the same.
Tests marked ``real_argon2`` and benchmarks go without it.

As a program: ``python -I cheap_argon2.py MODULE ARGUMENTS...`` runs a module of PAI as ``python -m`` does.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from argon2.low_level import hash_secret_raw

from pai.adapters.cryptography import keystore_process, passphrase

PROGRAM = str(Path(__file__).resolve())
"""Goes between ``python -I`` and the name of a module."""


def cheap(secret: bytes, salt: bytes, **cost: Any) -> bytes:
    """Argon2id with 64 KiB, one pass and one lane."""
    return hash_secret_raw(secret, salt, **cost | {"time_cost": 1, "memory_cost": 64, "parallelism": 1})


def cheapen() -> None:
    """Make stretching cheap in this process, and in keystores that it starts."""
    passphrase.hash_secret_raw = cheap
    keystore_process.PROGRAM = (PROGRAM, "pai.bootstrap.keystore")


if __name__ == "__main__":
    cheapen()
    sys.argv.pop(0)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
