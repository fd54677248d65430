"""Ed25519 signatures (RFC 8032)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_BYTES = 32


def new_signing_seed() -> bytes:
    """Return the 32-byte seed of a fresh key (RFC 8032 section 5.1.5)."""
    return os.urandom(SEED_BYTES)


def sign_message(seed: bytes | bytearray, message: bytes) -> bytes:
    """Return the 64-byte signature of ``message``."""
    return Ed25519PrivateKey.from_private_bytes(bytes(seed)).sign(message)


def public_key_of(seed: bytes | bytearray) -> bytes:
    """Return the 32-byte public key of a seed."""
    return Ed25519PrivateKey.from_private_bytes(bytes(seed)).public_key().public_bytes_raw()


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is ``message`` signed by the holder of ``public_key``.

    A malformed key or signature is a no.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
