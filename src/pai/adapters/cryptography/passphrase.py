"""Secrets that people type: Argon2id (RFC 9106) for passphrases and passwords, and recovery codes."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final

from argon2.low_level import Type, hash_secret_raw

from pai.foundation.errors import Invalid
from pai.foundation.redaction import Secret

SALT_BYTES = 16
CODE_BYTES = 20
CODE_CHARACTERS = 36
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = {character: value for value, character in enumerate(_ALPHABET)}
# Crockford's base 32: letters that people mistake for digits are read as those digits.
_READ |= {"O": 0, "I": 1, "L": 1}


@dataclass(frozen=True, slots=True)
class Profile:
    """Argon2id parameters. ``memory`` is in KiB, ``passes`` is t, ``lanes`` is p."""

    name: str
    memory: int
    passes: int
    lanes: int


PROFILES: Final = {
    "rfc9106-first": Profile("rfc9106-first", memory=2 * 1024 * 1024, passes=1, lanes=4),
    "rfc9106-second": Profile("rfc9106-second", memory=64 * 1024, passes=3, lanes=4),
}
PASSWORD_PROFILE: Final = PROFILES["rfc9106-second"]


def profile_named(name: str) -> Profile:
    """Return the profile of RFC 9106 section 4 with this name. Raises Invalid for any other."""
    try:
        return PROFILES[name]
    except KeyError:
        raise Invalid(
            f"unknown key derivation profile {name!r}", code="unknown_kdf", hint=f"use one of: {', '.join(PROFILES)}"
        ) from None


def stretch(secret: Secret, salt: bytes, profile: Profile) -> bytes:
    """Return 32 bytes of Argon2id over ``secret``. Releases the interpreter lock while it works."""
    return hash_secret_raw(
        secret.reveal(),
        salt,
        time_cost=profile.passes,
        memory_cost=profile.memory,
        parallelism=profile.lanes,
        hash_len=32,
        type=Type.ID,
    )


def new_recovery_code() -> Secret:
    """Return a fresh recovery code: 160 random bits and a 20-bit checksum as nine groups of four characters."""
    return format_recovery_code(os.urandom(CODE_BYTES))


def format_recovery_code(secret: bytes) -> Secret:
    """Return the code that stands for these 20 bytes."""
    bits = int.from_bytes(secret, "big") << 20 | _checksum(secret)
    characters = "".join(_ALPHABET[bits >> shift & 31] for shift in range(175, -1, -5))
    return Secret("-".join(characters[at : at + 4] for at in range(0, CODE_CHARACTERS, 4)).encode())


def read_recovery_code(code: Secret) -> bytes:
    """Return the 20 secret bytes of a typed code; spaces, dashes and case do not matter.

    Raises Invalid (code ``recovery_code_typo``) when it is incomplete or its checksum tells of a mistyped character.
    """
    hint = "compare it with what you wrote down: nine groups of four letters or digits"
    text = code.reveal().decode("utf-8", "replace").upper()
    characters = [character for character in text if character not in "- \t\r\n"]
    if len(characters) != CODE_CHARACTERS:
        raise Invalid(
            f"the recovery code has {len(characters)} characters instead of {CODE_CHARACTERS}",
            code="recovery_code_typo",
            hint=hint,
        )
    bits = 0
    for character in characters:
        if character not in _READ:
            raise Invalid(
                "the recovery code holds a character that such codes never have", code="recovery_code_typo", hint=hint
            )
        bits = bits << 5 | _READ[character]
    secret = (bits >> 20).to_bytes(CODE_BYTES, "big")
    if not hmac.compare_digest((bits & 0xFFFFF).to_bytes(3, "big"), _checksum(secret).to_bytes(3, "big")):
        raise Invalid("the recovery code has a typing error", code="recovery_code_typo", hint=hint)
    return secret


def _checksum(secret: bytes) -> int:
    # A typing check, not an authenticator: it is part of the code and tells nothing that the code does not.
    return int.from_bytes(hashlib.sha256(b"pai recovery code 1\x00" + secret).digest()[:3], "big") >> 4
