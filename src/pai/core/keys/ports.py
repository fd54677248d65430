"""The keystore as the core sees it, and where wraps are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pai.core.keys.values import Factor, KeystoreStatus, KeyWrap, MemberWrap, NewDataKey, NewMember, Rewrapped
from pai.foundation.redaction import Secret


class Keystore(Protocol):
    """Operations on keys that never leave the keystore process. Synchronous, callable from any thread.

    ``handle`` is an opaque name of a member key held open in the keystore until ``forget``. ``context`` binds a wrap to
    what it is for (``collection:ID``) and whose it is; a wrap moved elsewhere does not open. Raises Sealed when no root
    key is there, Unauthenticated for a wrong password or key, Corrupt for a wrap that does not authenticate.
    """

    def new_member(self, user_id: str, password: Secret, *, console: bool) -> NewMember:
        """Make a key pair (HPKE, RFC 9180); wrap its private half by password, recovery code and, if asked, server."""
        ...

    def unlock_with_password(self, user_id: str, password: Secret, *, salt: bytes, verifier: bytes, wrap: bytes) -> str:
        """Check the password (Argon2id, RFC 9106 second profile) and open the private key; return its handle."""
        ...

    def spend_password_time(self, password: Secret) -> None:
        """Do the work of one password check for an account that does not exist, so that timing tells nothing."""
        ...

    def wrap_for_password(self, handle: str, user_id: str, password: Secret) -> tuple[bytes, bytes, bytes]:
        """Return (salt, verifier, wrap) for a new password."""
        ...

    def wrap_for_api_key(self, handle: str, key_id: str, secret: Secret) -> bytes:
        """Wrap the open private key under a high-entropy API key."""
        ...

    def unlock_with_api_key(self, key_id: str, secret: Secret, wrap: bytes) -> str:
        """Open the private key with an API key; return its handle."""
        ...

    def wrap_for_passkey(self, handle: str, passkey_id: str, secret: Secret) -> bytes:
        """Wrap the open private key under what a passkey's PRF gives (W3C Web Authentication level 3, section 10.1.4; 32 bytes)."""
        ...

    def unlock_with_passkey(self, passkey_id: str, secret: Secret, wrap: bytes) -> str:
        """Open the private key with what the passkey's PRF gave; return its handle."""
        ...

    def wrap_for_console(self, handle: str, user_id: str) -> bytes:
        """Wrap the open private key under a key of this server, which holds it from then on."""
        ...

    def unlock_from_console(self, user_id: str, wrap: bytes) -> str:
        """Open a private key that this server holds itself (first administrator, service accounts)."""
        ...

    def unlock_with_recovery(self, user_id: str, code: Secret, wrap: bytes) -> str:
        """Open the private key with the member's recovery code."""
        ...

    def forget(self, handle: str) -> None:
        """Wipe an open private key. Unknown handles are ignored."""
        ...

    def new_data_key(self, context: str, recipients: Sequence[bytes]) -> NewDataKey:
        """Make a 32-byte data key and wrap it for each recipient's public key."""
        ...

    def open_data_key(self, handle: str, context: str, wrap: bytes) -> Secret:
        """Return the raw data key of a wrap made for this member."""
        ...

    def share_data_key(self, handle: str, context: str, wrap: bytes, recipient: bytes) -> bytes:
        """Return a wrap of the same data key for another member's public key."""
        ...

    def grant_to_job(self, handle: str, context: str, wrap: bytes, *, job_id: str, expires_at: datetime) -> bytes:
        """Return a grant that lets this one job open the data key until ``expires_at``, also after a restart."""
        ...

    def open_job_grant(self, context: str, grant: bytes, *, job_id: str) -> Secret:
        """Return the raw data key of a grant. Raises Unauthenticated when it has expired or is for another job."""
        ...

    def database_key(self) -> Secret:
        """Return the raw key of the main database."""
        ...

    def seal(self, purpose: str, associated: bytes, plaintext: bytes) -> bytes:
        """Encrypt a small record under the server key of ``purpose`` (AES-256-GCM)."""
        ...

    def unseal(self, purpose: str, associated: bytes, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` made. Raises Corrupt."""
        ...

    def rewrap(self, purpose: str, records: Sequence[tuple[bytes, bytes]]) -> Sequence[bytes]:
        """Return records, given as (associated data, sealed), under the newest version of their key; those that are stay as they are.
        Purposes: ``seal/audit`` and the like, ``grant``, ``member/console``. Raises Corrupt for one that does not open, and changes none.
        """
        ...

    def unseal_many(self, purpose: str, records: Sequence[tuple[bytes, bytes]]) -> Sequence[bytes | None]:
        """Decrypt (associated, sealed) pairs; None where one was changed or moved. For whoever reads many."""
        ...

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Sign with the Ed25519 key of ``purpose`` (``checkpoint``, ``model``)."""
        ...

    def verify_key(self, purpose: str) -> bytes:
        """Return the 32-byte Ed25519 public key of ``purpose``."""
        ...


class KeystoreAdministration(Protocol):
    """What start-up, ``pai init`` and ``pai keys`` do with the root key; each call with a passphrase runs Argon2id."""

    def status(self) -> KeystoreStatus:
        """Tell whether a root key exists and is open. Never raises Sealed."""
        ...

    def create(self, passphrase: Secret, kdf: str) -> Secret:
        """Make the root and server keys, open them and return the recovery code.

        May be run again until the code is confirmed: with the same passphrase it keeps the keys and returns a new code.
        Raises Unauthenticated (``wrong_passphrase``) for another one, Conflict (``keystore_exists``) once confirmed.
        """
        ...

    def open(self, passphrase: Secret) -> None:
        """Open all keys. Raises NotFound (``no_keystore``), Unauthenticated (``wrong_passphrase``), Corrupt."""
        ...

    def open_with_recovery(self, code: Secret) -> None:
        """Open by recovery code. Raises Invalid (``recovery_code_typo``), Unauthenticated (``wrong_recovery_code``)."""
        ...

    def confirm_recovery(self, code: Secret) -> None:
        """Mark the recovery code as written down, once it was typed back right. Raises as ``open_with_recovery``."""
        ...

    def renew_recovery(self) -> Secret:
        """Replace the recovery code (unconfirmed again) and return it; the old one opens nothing from now on."""
        ...

    def set_passphrase(self, passphrase: Secret, kdf: str) -> None:
        """Wrap the open root under another passphrase; the old one opens nothing from now on."""
        ...

    def rotate_root(self, passphrase: Secret, kdf: str) -> Secret:
        """Replace the root key by a new one that the same passphrase opens, and wrap the server keys under it. Returns the new recovery
        code, unconfirmed; the old one opens nothing from now on. Raises Unauthenticated (``wrong_passphrase``)."""
        ...

    def rotate_keys(self) -> Mapping[str, int]:
        """Give each key that encrypts keys and records a new version, under which all that comes is sealed; older ones decrypt only.
        Returns the number of each key's newest version."""
        ...

    def key_versions(self) -> Mapping[str, int]:
        """Return the number of each server key's newest version."""
        ...


class WrapRepository(Protocol):
    """Where wraps are kept (main database)."""

    def add_member_wrap(self, wrap: MemberWrap) -> None: ...
    def member_wrap(self, user_id: str, factor: Factor, factor_id: str = "") -> MemberWrap | None: ...
    def members_with(self, factor: Factor) -> frozenset[str]:
        """Return the accounts whose private key is wrapped by this kind of factor."""
        ...

    def remove_member_wraps(self, user_id: str, factor: Factor, factor_id: str = "") -> None: ...
    def add_key_wrap(self, wrap: KeyWrap) -> None: ...
    def key_wrap(self, resource: str, recipient: str) -> KeyWrap | None: ...
    def recipients(self, resource: str) -> Sequence[str]: ...
    def resources(self, recipient: str) -> Sequence[str]: ...
    def remove_key_wraps(self, resource: str, recipient: str | None = None) -> None: ...
    def remove_recipient(self, recipient: str) -> None: ...


class SealedRepository(Protocol):
    """Records in the main database that are sealed under server keys."""

    kinds: tuple[str, ...]

    def rewrap(self, kind: str, after: str, limit: int) -> Rewrapped: ...


class KeysUnit(Protocol):
    """A unit of work that carries wraps."""

    @property
    def wraps(self) -> WrapRepository:
        """Where wraps are kept."""
        ...
