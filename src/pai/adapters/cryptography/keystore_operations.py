"""The fixed table of what can be asked of the keystore: one class per operation, its fields are the arguments.

Decoding is strict: an unknown operation, a missing, unknown or wrongly typed argument is refused before anything runs.
``slow`` marks what runs Argon2id and must not hold up the rest.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

import msgspec

from pai.adapters.cryptography.keystore import KeyVault
from pai.foundation.redaction import Secret


class Operation(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Base of all operations."""

    op: ClassVar[str] = ""
    slow: ClassVar[bool] = False

    def perform(self, vault: KeyVault) -> object:
        """Run on the vault and return what the port's method returns."""
        raise NotImplementedError


class Status(Operation, frozen=True):
    """``KeystoreAdministration.status``."""

    op = "status"

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.status()


class Create(Operation, frozen=True):
    """``KeystoreAdministration.create``."""

    op = "create"
    slow = True
    passphrase: Secret
    kdf: str

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.create(self.passphrase, self.kdf)


class Open(Operation, frozen=True):
    """``KeystoreAdministration.open``."""

    op = "open"
    slow = True
    passphrase: Secret

    def perform(self, vault: KeyVault) -> None:
        """Run."""
        vault.open(self.passphrase)


class OpenWithRecovery(Operation, frozen=True):
    """``KeystoreAdministration.open_with_recovery``."""

    op = "open_with_recovery"
    code: Secret

    def perform(self, vault: KeyVault) -> None:
        """Run."""
        vault.open_with_recovery(self.code)


class ConfirmRecovery(Operation, frozen=True):
    """``KeystoreAdministration.confirm_recovery``."""

    op = "confirm_recovery"
    code: Secret

    def perform(self, vault: KeyVault) -> None:
        """Run."""
        vault.confirm_recovery(self.code)


class RenewRecovery(Operation, frozen=True):
    """``KeystoreAdministration.renew_recovery``."""

    op = "renew_recovery"

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.renew_recovery()


class SetPassphrase(Operation, frozen=True):
    """``KeystoreAdministration.set_passphrase``."""

    op = "set_passphrase"
    slow = True
    passphrase: Secret
    kdf: str

    def perform(self, vault: KeyVault) -> None:
        """Run."""
        vault.set_passphrase(self.passphrase, self.kdf)


class RotateRoot(Operation, frozen=True):
    """``KeystoreAdministration.rotate_root``."""

    op = "rotate_root"
    slow = True
    passphrase: Secret
    kdf: str

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.rotate_root(self.passphrase, self.kdf)


class RotateKeys(Operation, frozen=True):
    """``KeystoreAdministration.rotate_keys``."""

    op = "rotate_keys"

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.rotate_keys()


class KeyVersions(Operation, frozen=True):
    """``KeystoreAdministration.key_versions``."""

    op = "key_versions"

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.key_versions()


class Rewrap(Operation, frozen=True):
    """``Keystore.rewrap``."""

    op = "rewrap"
    purpose: str
    records: list[tuple[bytes, bytes]]

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.rewrap(self.purpose, self.records)


class MakeMember(Operation, frozen=True):
    """``Keystore.new_member``."""

    op = "new_member"
    slow = True
    user_id: str
    password: Secret
    console: bool

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.new_member(self.user_id, self.password, console=self.console)


class UnlockWithPassword(Operation, frozen=True):
    """``Keystore.unlock_with_password``."""

    op = "unlock_with_password"
    slow = True
    user_id: str
    password: Secret
    salt: bytes
    verifier: bytes
    wrap: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unlock_with_password(
            self.user_id, self.password, salt=self.salt, verifier=self.verifier, wrap=self.wrap
        )


class SpendPasswordTime(Operation, frozen=True):
    """``Keystore.spend_password_time``."""

    op = "spend_password_time"
    slow = True
    password: Secret

    def perform(self, vault: KeyVault) -> None:
        """Run."""
        vault.spend_password_time(self.password)


class WrapForPassword(Operation, frozen=True):
    """``Keystore.wrap_for_password``."""

    op = "wrap_for_password"
    slow = True
    handle: str
    user_id: str
    password: Secret

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.wrap_for_password(self.handle, self.user_id, self.password)


class WrapForApiKey(Operation, frozen=True):
    """``Keystore.wrap_for_api_key``."""

    op = "wrap_for_api_key"
    handle: str
    key_id: str
    secret: Secret

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.wrap_for_api_key(self.handle, self.key_id, self.secret)


class UnlockWithApiKey(Operation, frozen=True):
    """``Keystore.unlock_with_api_key``."""

    op = "unlock_with_api_key"
    key_id: str
    secret: Secret
    wrap: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unlock_with_api_key(self.key_id, self.secret, self.wrap)


class WrapForPasskey(Operation, frozen=True):
    """``Keystore.wrap_for_passkey``."""

    op = "wrap_for_passkey"
    handle: str
    passkey_id: str
    secret: Secret

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.wrap_for_passkey(self.handle, self.passkey_id, self.secret)


class UnlockWithPasskey(Operation, frozen=True):
    """``Keystore.unlock_with_passkey``."""

    op = "unlock_with_passkey"
    passkey_id: str
    secret: Secret
    wrap: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unlock_with_passkey(self.passkey_id, self.secret, self.wrap)


class WrapForConsole(Operation, frozen=True):
    """``Keystore.wrap_for_console``."""

    op = "wrap_for_console"
    handle: str
    user_id: str

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.wrap_for_console(self.handle, self.user_id)


class UnlockFromConsole(Operation, frozen=True):
    """``Keystore.unlock_from_console``."""

    op = "unlock_from_console"
    user_id: str
    wrap: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unlock_from_console(self.user_id, self.wrap)


class UnlockWithRecovery(Operation, frozen=True):
    """``Keystore.unlock_with_recovery``."""

    op = "unlock_with_recovery"
    user_id: str
    code: Secret
    wrap: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unlock_with_recovery(self.user_id, self.code, self.wrap)


class Forget(Operation, frozen=True):
    """``Keystore.forget``."""

    op = "forget"
    handle: str

    def perform(self, vault: KeyVault) -> None:
        """Run."""
        vault.forget(self.handle)


class MakeDataKey(Operation, frozen=True):
    """``Keystore.new_data_key``."""

    op = "new_data_key"
    context: str
    recipients: list[bytes]

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.new_data_key(self.context, self.recipients)


class OpenDataKey(Operation, frozen=True):
    """``Keystore.open_data_key``."""

    op = "open_data_key"
    handle: str
    context: str
    wrap: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.open_data_key(self.handle, self.context, self.wrap)


class ShareDataKey(Operation, frozen=True):
    """``Keystore.share_data_key``."""

    op = "share_data_key"
    handle: str
    context: str
    wrap: bytes
    recipient: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.share_data_key(self.handle, self.context, self.wrap, self.recipient)


class GrantToJob(Operation, frozen=True):
    """``Keystore.grant_to_job``."""

    op = "grant_to_job"
    handle: str
    context: str
    wrap: bytes
    job_id: str
    expires_at: datetime

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.grant_to_job(self.handle, self.context, self.wrap, job_id=self.job_id, expires_at=self.expires_at)


class OpenJobGrant(Operation, frozen=True):
    """``Keystore.open_job_grant``."""

    op = "open_job_grant"
    context: str
    grant: bytes
    job_id: str

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.open_job_grant(self.context, self.grant, job_id=self.job_id)


class DatabaseKey(Operation, frozen=True):
    """``Keystore.database_key``."""

    op = "database_key"

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.database_key()


class Seal(Operation, frozen=True):
    """``Keystore.seal``."""

    op = "seal"
    purpose: str
    associated: bytes
    plaintext: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.seal(self.purpose, self.associated, self.plaintext)


class Unseal(Operation, frozen=True):
    """``Keystore.unseal``."""

    op = "unseal"
    purpose: str
    associated: bytes
    sealed: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unseal(self.purpose, self.associated, self.sealed)


class UnsealMany(Operation, frozen=True):
    """``Keystore.unseal_many``."""

    op = "unseal_many"
    purpose: str
    records: list[tuple[bytes, bytes]]

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.unseal_many(self.purpose, self.records)


class Sign(Operation, frozen=True):
    """``Keystore.sign``."""

    op = "sign"
    purpose: str
    message: bytes

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.sign(self.purpose, self.message)


class VerifyKey(Operation, frozen=True):
    """``Keystore.verify_key``."""

    op = "verify_key"
    purpose: str

    def perform(self, vault: KeyVault) -> object:
        """Run."""
        return vault.verify_key(self.purpose)


OPERATIONS: Final[dict[str, type[Operation]]] = {
    kind.op: kind
    for kind in (
        Status, Create, Open, OpenWithRecovery, ConfirmRecovery, RenewRecovery, SetPassphrase,
        MakeMember, UnlockWithPassword, SpendPasswordTime, WrapForPassword, WrapForApiKey, UnlockWithApiKey,
        WrapForPasskey, UnlockWithPasskey, WrapForConsole, UnlockFromConsole,
        UnlockWithRecovery, Forget, MakeDataKey, OpenDataKey, ShareDataKey, GrantToJob,
        RotateRoot, RotateKeys, KeyVersions, Rewrap, OpenJobGrant, DatabaseKey, Seal, Unseal, UnsealMany, Sign, VerifyKey,
    )
}  # fmt: skip
