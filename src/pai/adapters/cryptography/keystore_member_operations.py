"""What the keystore can be asked about members' keys; see ``keystore_operations``."""

from __future__ import annotations

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.keystore_operation import Operation
from pai.foundation.redaction import Secret


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
