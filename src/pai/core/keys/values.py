"""Values of the keys room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pai.foundation.errors import Invalid
from pai.foundation.redaction import Secret

MIN_PASSPHRASE = 12
"""Characters of a new root passphrase. NIST SP 800-63B-4 section 3.1.1.2 asks 15 of a password that stands alone and 8 beside a second
factor; this one is of use only with the files of the home, and a guess costs Argon2id over 2 GiB. An earlier one still opens."""


class Factor(StrEnum):
    """What opens a member's private key."""

    PASSWORD = "password"  # noqa: S105  the name of a factor, not a secret
    API_KEY = "api-key"
    RECOVERY = "recovery"
    PASSKEY = "passkey"
    CONSOLE = "console"


RESET = "reset"
"""Factor id of a password that logs in but opens no content: the old content key was not at hand when it was set."""


@dataclass(frozen=True, slots=True)
class NewMember:
    """A fresh member key pair. ``password_salt``/``password_verifier`` check log-ins; wraps hold the private half."""

    public_key: bytes
    password_salt: bytes
    password_verifier: bytes
    password_wrap: bytes
    recovery_code: Secret
    recovery_wrap: bytes
    console_wrap: bytes | None


@dataclass(frozen=True, slots=True)
class MemberWrap:
    """A member's private key wrapped by one factor. ``factor_id`` is the id of the API key or passkey for those
    factors, ``RESET`` for a password that opens no content, else empty."""

    id: str
    user_id: str
    factor: Factor
    factor_id: str
    blob: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyWrap:
    """A data key of ``resource`` (``collection:ID`` or ``conversations:USER``) wrapped for one recipient
    (a user id, or ``job:ID`` for an expiring grant)."""

    id: str
    resource: str
    recipient: str
    blob: bytes
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewDataKey:
    """A fresh data key: the raw key for immediate use and one wrap per recipient, in the order asked."""

    key: Secret
    wraps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class KeystoreStatus:
    """State of the keystore. ``created``: a root key exists on disk; ``opened``: it is held open; ``kdf`` names the
    RFC 9106 profile of the passphrase; ``protections`` tells what hardening of the process holds and what not.
    """

    created: bool
    opened: bool
    installation: str = ""
    recovery_confirmed: bool = False
    kdf: str = ""
    protections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """One step of moving records to the newest version of their key: how many were looked at and moved, and the name of the last one;
    empty when there are no more."""

    looked_at: int
    moved: int
    last: str


def check_passphrase(passphrase: Secret) -> None:
    """Raise Invalid (``weak_passphrase``) for a new root passphrase that is too short."""
    if len(passphrase.reveal().decode("utf-8", "replace")) < MIN_PASSPHRASE:
        raise Invalid(
            f"the passphrase is shorter than {MIN_PASSPHRASE} characters",
            code="weak_passphrase",
            hint="use several random words; it protects everything",
        )
