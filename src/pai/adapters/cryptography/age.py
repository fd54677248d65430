"""Sealing to recovery keys or a passphrase: the age format (age-encryption.org/v1), by the library ``pyrage``.

A recipient is a public key (``age1...``), an identity the private key to it (``AGE-SECRET-KEY-1...``). With a passphrase age uses
scrypt, at a cost that takes about a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyrage

from pai.foundation.errors import Corrupt, Invalid, Unauthenticated
from pai.foundation.redaction import Secret

MIN_PASSPHRASE = 8
_MAGIC = b"age-encryption.org/v1\n"


@dataclass(frozen=True, slots=True)
class Sealing:
    """Who can open: holders of the identities of ``recipients``, or whoever knows ``passphrase``. One of the two is given."""

    recipients: tuple[str, ...] = ()
    passphrase: Secret | None = None

    def check(self) -> None:
        """Raise Invalid for a recipient that is none, or a passphrase that is too short."""
        _recipients(self.recipients)
        if self.passphrase is not None:
            if len(self.passphrase.reveal()) < MIN_PASSPHRASE:
                raise Invalid(
                    f"the backup's passphrase is shorter than {MIN_PASSPHRASE} bytes", code="weak_passphrase",
                    hint="use several random words, and not the passphrase of the installation",
                )  # fmt: skip
        elif not self.recipients:
            raise Invalid("nobody could open this backup", code="no_recipient", hint="give --to or --passphrase-file")

    def seal(self, data: bytes) -> bytes:
        """Return ``data`` as an age file."""
        if self.passphrase is not None:
            return bytes(pyrage.passphrase.encrypt(data, _text(self.passphrase)))
        return bytes(pyrage.encrypt(data, _recipients(self.recipients)))


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens an age file: the text of an identity file, or a passphrase."""

    identities: Secret | None = None
    passphrase: Secret | None = None

    def open(self, sealed: bytes) -> bytes:
        """Return what an age file holds.

        Raises Invalid for an identity file without an identity, Unauthenticated (``wrong_backup_key``) when this is not the key,
        Corrupt when the file was changed.
        """
        if not sealed.startswith(_MAGIC):
            raise Corrupt("this is no age file", hint="it was changed, or is not part of a backup")
        try:
            if self.passphrase is not None:
                return bytes(pyrage.passphrase.decrypt(sealed, _text(self.passphrase)))
            return bytes(pyrage.decrypt(sealed, _identities(self.identities)))
        except pyrage.DecryptError:
            # age does not tell a wrong key from a changed file; the person is told the likelier one.
            raise Unauthenticated(
                "this key does not open the backup", code="wrong_backup_key",
                hint="give the identity of a recipient it was made for (--identity-file), or its passphrase (--passphrase-file)",
            ) from None  # fmt: skip


def new_identity() -> tuple[Secret, str]:
    """Return a fresh identity and its recipient."""
    identity = pyrage.x25519.Identity.generate()
    return Secret(str(identity).encode()), str(identity.to_public())


def _recipients(texts: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    try:
        return [pyrage.x25519.Recipient.from_str(text.strip()) for text in texts]
    except pyrage.RecipientError:
        raise Invalid(
            "a recipient is not an age public key",
            code="bad_recipient",
            hint="it begins with age1; `pai backup identity` makes one",
        ) from None


def _identities(file: Secret | None) -> list[pyrage.x25519.Identity]:
    lines = file.reveal().decode("utf-8", "replace").splitlines() if file else []
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    try:
        found = [pyrage.x25519.Identity.from_str(text) for text in texts]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise Invalid(
            "the identity file holds no age identity", code="bad_identity", hint="its line begins with AGE-SECRET-KEY-1"
        )
    return found


def _text(passphrase: Secret) -> str:
    try:
        return passphrase.reveal().decode()
    except UnicodeDecodeError:
        raise Invalid("the backup's passphrase is no UTF-8 text", code="bad_passphrase") from None
