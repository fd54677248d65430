"""The logic of the keystore: what its process does for each operation, and what tests use in-process.

Only this class ever holds the root key, the server keys and members' private keys. They are kept in bytearrays and
overwritten when forgotten; copies that Python or the cryptographic library make for a moment are beyond our reach,
which is why the process around it is not dumpable and its memory is locked where the system allows.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from pai.adapters.cryptography.aead import Buffer, bind, derive, open_versioned, seal_versioned, version_of
from pai.adapters.cryptography.members import (
    DATA_KEY_BYTES,
    OpenMember,
    PasswordKeys,
    new_member_key,
    password_keys,
    unwrap_data_key,
    unwrap_member,
    verifier_matches,
    wrap_data_key,
    wrap_member,
)
from pai.adapters.cryptography.passphrase import (
    PASSWORD_PROFILE,
    SALT_BYTES,
    new_recovery_code,
    read_recovery_code,
    stretch,
)
from pai.adapters.cryptography.root import SERVER_KEYS
from pai.adapters.cryptography.root_keeper import RootKeeper
from pai.adapters.cryptography.signatures import public_key_of, sign_message
from pai.core.keys.values import Factor, KeystoreStatus, NewDataKey, NewMember
from pai.foundation.errors import Corrupt, Denied, Invalid, Unauthenticated, Unavailable
from pai.foundation.redaction import Secret
from pai.foundation.time import utc_now

SEAL_PURPOSES: Final = ("audit", "console", "job", "tls", "server")
REWRAPPED: Final = {f"seal/{name}": name for name in SEAL_PURPOSES} | {"grant": "job", "member/console": "console"}
"""What records under server keys are for, and which key it is."""
SIGN_PURPOSES: Final = ("checkpoint", "model")
GRANT_DAYS_LIMIT: Final = 7
_MAX_OPEN = 10_000
_MIN_API_SECRET = 16
_TIME_BYTES = 8


class KeyVault(RootKeeper):
    """Implements ``core.keys.ports.Keystore`` and ``KeystoreAdministration``.

    Thread-safe; at most two Argon2id runs at once.
    """

    def __init__(
        self, folder: Path, *, now: Callable[[], datetime] = utc_now, protections: tuple[str, ...] = ()
    ) -> None:
        super().__init__(folder)
        self._now = now
        self._protections = protections
        self._open: dict[str, OpenMember] = {}
        self._guard = threading.Lock()
        # 64 MiB each: a burst of log-ins must not take the machine's memory.
        self._stretching = threading.BoundedSemaphore(2)

    def status(self) -> KeystoreStatus:
        """See the port."""
        return self._status(self._protections)

    def new_member(self, user_id: str, password: Secret, *, console: bool) -> NewMember:
        """See the port."""
        server = self._server_keys("console")
        member, public_key = new_member_key(user_id)
        try:
            salt, keys = self._stretch_password(password)
            code = new_recovery_code()
            return NewMember(
                public_key=public_key,
                password_salt=salt,
                password_verifier=keys.verifier,
                password_wrap=wrap_member(member, keys.wrapping_key, factor=Factor.PASSWORD, bound_to=user_id),
                recovery_code=code,
                recovery_wrap=wrap_member(member, read_recovery_code(code), factor=Factor.RECOVERY, bound_to=user_id),
                console_wrap=wrap_member(member, server, factor=Factor.CONSOLE, bound_to=user_id) if console else None,
            )
        finally:
            member.wipe()

    def unlock_with_password(self, user_id: str, password: Secret, *, salt: bytes, verifier: bytes, wrap: bytes) -> str:
        """See the port."""
        self._require_open()
        if len(salt) != SALT_BYTES:
            raise Corrupt("the salt of a password has the wrong length")
        with self._stretching:
            keys = password_keys(stretch(password, salt, PASSWORD_PROFILE), salt)
        if not verifier_matches(keys, verifier):
            raise Unauthenticated("the password is not right", code="wrong_password")
        return self._hold(unwrap_member(wrap, keys.wrapping_key, factor=Factor.PASSWORD, bound_to=user_id), user_id)

    def spend_password_time(self, password: Secret) -> None:
        """See the port."""
        self._require_open()
        _, keys = self._stretch_password(password)
        verifier_matches(keys, bytes(32))

    def wrap_for_password(self, handle: str, user_id: str, password: Secret) -> tuple[bytes, bytes, bytes]:
        """See the port."""
        member = self._member(handle)
        if member.user_id != user_id:
            raise Denied("an open key may only be wrapped for its own account")
        salt, keys = self._stretch_password(password)
        return salt, keys.verifier, wrap_member(member, keys.wrapping_key, factor=Factor.PASSWORD, bound_to=user_id)

    def wrap_for_api_key(self, handle: str, key_id: str, secret: Secret) -> bytes:
        """See the port."""
        return wrap_member(
            self._member(handle), _random_secret(secret, "api-key"), factor=Factor.API_KEY, bound_to=key_id
        )

    def unlock_with_api_key(self, key_id: str, secret: Secret, wrap: bytes) -> str:
        """See the port."""
        self._require_open()
        key = _random_secret(secret, "api-key")
        return self._hold(self._checked(wrap, key, Factor.API_KEY, key_id, "the API key is not right"))

    def wrap_for_passkey(self, handle: str, passkey_id: str, secret: Secret) -> bytes:
        """See the port."""
        key = _random_secret(secret, "passkey")
        return wrap_member(self._member(handle), key, factor=Factor.PASSKEY, bound_to=passkey_id)

    def unlock_with_passkey(self, passkey_id: str, secret: Secret, wrap: bytes) -> str:
        """See the port."""
        self._require_open()
        key = _random_secret(secret, "passkey")
        return self._hold(self._checked(wrap, key, Factor.PASSKEY, passkey_id, "the passkey does not open this"))

    def wrap_for_console(self, handle: str, user_id: str) -> bytes:
        """See the port."""
        member, server = self._member(handle), self._server_key("console")
        if member.user_id != user_id:
            raise Denied("an open key may only be wrapped for its own account")
        return wrap_member(member, server, factor=Factor.CONSOLE, bound_to=user_id)

    def unlock_from_console(self, user_id: str, wrap: bytes) -> str:
        """See the port."""
        server = self._server_keys("console")
        return self._hold(unwrap_member(wrap, server, factor=Factor.CONSOLE, bound_to=user_id), user_id)

    def unlock_with_recovery(self, user_id: str, code: Secret, wrap: bytes) -> str:
        """See the port."""
        self._require_open()
        key = read_recovery_code(code)
        return self._hold(self._checked(wrap, key, Factor.RECOVERY, user_id, "the recovery code is not right"), user_id)

    def forget(self, handle: str) -> None:
        """See the port."""
        with self._guard:
            member = self._open.pop(handle, None)
        if member is not None:
            member.wipe()

    def new_data_key(self, context: str, recipients: Sequence[bytes]) -> NewDataKey:
        """See the port."""
        self._require_open()
        if not recipients:
            raise Invalid("a data key needs at least one recipient", hint="nobody could ever open it again")
        key = os.urandom(DATA_KEY_BYTES)
        return NewDataKey(Secret(key), tuple(wrap_data_key(key, context, recipient) for recipient in recipients))

    def open_data_key(self, handle: str, context: str, wrap: bytes) -> Secret:
        """See the port."""
        return Secret(unwrap_data_key(self._member(handle), context, wrap))

    def share_data_key(self, handle: str, context: str, wrap: bytes, recipient: bytes) -> bytes:
        """See the port."""
        return wrap_data_key(unwrap_data_key(self._member(handle), context, wrap), context, recipient)

    def grant_to_job(self, handle: str, context: str, wrap: bytes, *, job_id: str, expires_at: datetime) -> bytes:
        """See the port. A grant reaches at most seven days ahead."""
        remaining = expires_at - self._now()
        if remaining.total_seconds() <= 0 or remaining.days >= GRANT_DAYS_LIMIT:
            raise Invalid(f"a job's grant must end within {GRANT_DAYS_LIMIT} days", code="bad_expiry")
        data_key = unwrap_data_key(self._member(handle), context, wrap)
        expiry = int(expires_at.timestamp() * 1000).to_bytes(_TIME_BYTES, "big")
        return seal_versioned(
            self._server_keys("job"),
            expiry + data_key,
            purpose="grant",
            associated=bind(context.encode(), job_id.encode()),
        )

    def open_job_grant(self, context: str, grant: bytes, *, job_id: str) -> Secret:
        """See the port."""
        keys = self._server_keys("job")
        try:
            opened = open_versioned(keys, grant, purpose="grant", associated=bind(context.encode(), job_id.encode()))
        except Corrupt:
            raise Unauthenticated("the grant is not for this job, or was changed", code="bad_grant") from None
        if self._now().timestamp() * 1000 >= int.from_bytes(opened[:_TIME_BYTES], "big"):
            raise Unauthenticated("the job's grant has expired", code="grant_expired", hint="submit the job again")
        return Secret(opened[_TIME_BYTES:])

    def database_key(self) -> Secret:
        """See the port."""
        return Secret(bytes(self._server_key("database")))

    def seal(self, purpose: str, associated: bytes, plaintext: bytes) -> bytes:
        """See the port. Purposes: ``audit``, ``console``, ``job``, ``tls``, ``server``."""
        return seal_versioned(self._seal_keys(purpose), plaintext, purpose=f"seal/{purpose}", associated=associated)

    def unseal(self, purpose: str, associated: bytes, sealed: bytes) -> bytes:
        """See the port."""
        return open_versioned(self._seal_keys(purpose), sealed, purpose=f"seal/{purpose}", associated=associated)

    def rewrap(self, purpose: str, records: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """See the port."""
        name = REWRAPPED.get(purpose)
        if name is None:
            raise Invalid(f"nothing is wrapped for {purpose[:20]!r}", code="unknown_purpose")
        keys, made = self._server_keys(name), []
        for associated, sealed in records:
            if version_of(sealed) == len(keys):
                made.append(sealed)
                continue
            opened = open_versioned(keys, sealed, purpose=purpose, associated=associated)
            made.append(seal_versioned(keys, opened, purpose=purpose, associated=associated))
        return made

    def unseal_many(self, purpose: str, records: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
        """See the port."""
        keys, found = self._seal_keys(purpose), list[bytes | None]()
        for associated, sealed in records:
            try:
                found.append(open_versioned(keys, sealed, purpose=f"seal/{purpose}", associated=associated))
            except Corrupt:
                found.append(None)
        return found

    def sign(self, purpose: str, message: bytes) -> bytes:
        """See the port."""
        return sign_message(self._seed(purpose), message)

    def verify_key(self, purpose: str) -> bytes:
        """See the port."""
        return public_key_of(self._seed(purpose))

    def close(self) -> None:
        """Wipe everything that is held open; the keystore is sealed again."""
        with self._guard:
            members = list(self._open.values())
            self._open.clear()
        for member in members:
            member.wipe()
        self._wipe_root()

    def _seal_keys(self, purpose: str) -> list[bytearray]:
        if purpose not in SEAL_PURPOSES:
            raise Invalid(f"nothing is sealed for {purpose[:20]!r}", code="unknown_purpose")
        return self._server_keys(purpose)

    def _seed(self, purpose: str) -> bytearray:
        if purpose not in SIGN_PURPOSES:
            raise Invalid(f"nothing is signed for {purpose[:20]!r}", code="unknown_purpose")
        return self._server_key(purpose)

    def _stretch_password(self, password: Secret) -> tuple[bytes, PasswordKeys]:
        salt = os.urandom(SALT_BYTES)
        with self._stretching:
            return salt, password_keys(stretch(password, salt, PASSWORD_PROFILE), salt)

    def _checked(self, wrap: bytes, key: Buffer, factor: Factor, bound_to: str, message: str) -> OpenMember:
        # With these factors a wrong secret and a changed wrap look the same; the person is told the likelier one.
        try:
            return unwrap_member(wrap, key, factor=factor, bound_to=bound_to)
        except Corrupt:
            raise Unauthenticated(message, code=f"wrong_{factor.replace('-', '_')}") from None

    def _hold(self, member: OpenMember, user_id: str | None = None) -> str:
        if user_id is not None and member.user_id != user_id:
            member.wipe()
            raise Corrupt("a wrapped key belongs to another account")
        handle = secrets.token_urlsafe(24)
        with self._guard:
            full = len(self._open) >= _MAX_OPEN
            if not full:
                self._open[handle] = member
        if full:
            member.wipe()
            raise Unavailable("too many keys are held open", hint="end some sessions and try again")
        return handle

    def _member(self, handle: str) -> OpenMember:
        self._require_open()
        with self._guard:
            member = self._open.get(handle)
            if member is None:
                raise Unauthenticated("this key is not open any more", code="not_unlocked", hint="log in again")
            # A copy, because another thread may forget (and wipe) the held one in the middle of an operation.
            return OpenMember(member.user_id, bytearray(member.private_key))


def _random_secret(secret: Secret, kind: str) -> bytes:
    if len(secret.reveal()) < _MIN_API_SECRET:
        raise Invalid("this secret is too short to protect content", code="weak_secret")
    return derive(secret.reveal(), salt=b"", info=f"pai/member/{kind}/1".encode())


__all__ = ["GRANT_DAYS_LIMIT", "SEAL_PURPOSES", "SERVER_KEYS", "SIGN_PURPOSES", "KeyVault"]
