"""The fixed table of what can be asked of the keystore: one class per operation, its fields are the arguments.

Decoding is strict: an unknown operation, a missing, unknown or wrongly typed argument is refused before anything runs.
``slow`` marks what runs Argon2id and must not hold up the rest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.keystore_member_operations import (
    Forget,
    MakeMember,
    SpendPasswordTime,
    UnlockFromConsole,
    UnlockWithApiKey,
    UnlockWithPasskey,
    UnlockWithPassword,
    UnlockWithRecovery,
    WrapForApiKey,
    WrapForConsole,
    WrapForPasskey,
    WrapForPassword,
)
from pai.adapters.cryptography.keystore_operation import Operation
from pai.foundation.redaction import Secret


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
