"""Members' key pairs (HPKE, RFC 9180: X25519, HKDF-SHA256, AES-256-GCM) and the wraps of their private halves.

A private half is wrapped as a record (see ``aead``) whose plaintext is private key (32 bytes) || user id (UTF-8),
so that an opened wrap tells whose it is. A data key is encrypted to a public key with the context
(``collection:ID``) as HPKE's info.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from pai.adapters.cryptography.aead import Buffer, bind, derive, open_versioned, seal_versioned
from pai.foundation.errors import Corrupt, Invalid

DATA_KEY_BYTES = 32
_PRIVATE_BYTES = 32
_WRAP_VERSION = b"\x01"
_WRAP_BYTES = 1 + 32 + DATA_KEY_BYTES + 16
_INFO = b"pai/data-key/1\x00"


@dataclass(slots=True)
class OpenMember:
    """A member's private key held open. ``wipe`` overwrites it."""

    user_id: str
    private_key: bytearray

    def __repr__(self) -> str:
        return f"OpenMember({self.user_id!r}, ***)"

    def wipe(self) -> None:
        """Overwrite the key. (Copies that the cryptographic library made for a moment are beyond our reach.)"""
        self.private_key[:] = bytes(len(self.private_key))


@dataclass(frozen=True, slots=True, repr=False)
class PasswordKeys:
    """What one Argon2id run gives: the verifier that is stored, and the key that wraps."""

    verifier: bytes
    wrapping_key: bytes


def new_member_key(user_id: str) -> tuple[OpenMember, bytes]:
    """Return a fresh private key and its 32-byte public key."""
    private = X25519PrivateKey.generate()
    return OpenMember(user_id, bytearray(private.private_bytes_raw())), private.public_key().public_bytes_raw()


def password_keys(stretched: bytes, salt: bytes) -> PasswordKeys:
    """Split an Argon2id output in two independent halves; the verifier is hashed once more, so it opens nothing."""
    proof = derive(stretched, salt=salt, info=b"pai/member/password/verifier/1")
    return PasswordKeys(
        hashlib.sha256(proof).digest(), derive(stretched, salt=salt, info=b"pai/member/password/wrap/1")
    )


def verifier_matches(keys: PasswordKeys, verifier: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(keys.verifier, verifier)


def wrap_member(member: OpenMember, key: Buffer | list[bytearray], *, factor: str, bound_to: str) -> bytes:
    """Wrap the private key under ``key`` (or the last version of it) for one factor; ``bound_to`` is the user id or the API key's id."""
    return seal_versioned(
        key if isinstance(key, list) else [key],
        bytes(member.private_key) + member.user_id.encode(),
        purpose=f"member/{factor}",
        associated=bound_to.encode(),
    )


def unwrap_member(wrap: bytes, key: Buffer | list[bytearray], *, factor: str, bound_to: str) -> OpenMember:
    """Open a wrap. Raises Corrupt when it is another's, another factor's, changed, or the key is wrong."""
    keys = key if isinstance(key, list) else [key]
    plaintext = open_versioned(keys, wrap, purpose=f"member/{factor}", associated=bound_to.encode())
    if len(plaintext) <= _PRIVATE_BYTES:
        raise Corrupt("a member's key is cut short")
    return OpenMember(plaintext[_PRIVATE_BYTES:].decode(), bytearray(plaintext[:_PRIVATE_BYTES]))


def wrap_data_key(data_key: bytes, context: str, public_key: bytes) -> bytes:
    """Encrypt a data key to a member.

    Layout: version (1) || enc (32) || ciphertext (32) || tag (16). Raises Invalid for a bad key.
    """
    try:
        recipient = X25519PublicKey.from_public_bytes(public_key)
        return _WRAP_VERSION + _suite().encrypt(data_key, recipient, info=_info(context))
    except ValueError:  # wrong length, or a point of small order (RFC 9180 section 7.1.4)
        raise Invalid("a recipient's public key is not usable", code="bad_public_key") from None


def unwrap_data_key(member: OpenMember, context: str, wrap: bytes) -> bytes:
    """Open a data key. Raises Corrupt when the wrap is another member's, for another context, or changed."""
    if len(wrap) != _WRAP_BYTES or wrap[:1] != _WRAP_VERSION:
        raise Corrupt("a wrapped data key is cut short or of an unknown version", hint="restore it from a backup")
    private = X25519PrivateKey.from_private_bytes(bytes(member.private_key))
    try:
        return _suite().decrypt(wrap[1:], private, info=_info(context))
    except (InvalidTag, ValueError):
        raise Corrupt(
            "a wrapped data key does not open", hint="it was changed, moved, or made for someone else"
        ) from None


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _info(context: str) -> bytes:
    return _INFO + bind(context.encode())
