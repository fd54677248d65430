"""Passkeys by the library ``webauthn``, which is imported when the first one is asked for: logging in with a password needs none of it.

The library looks at the signature counter before the signature, so that whoever knows a credential's public name could have it taken for
a copy; it is given the counter 0, and the use case compares the counters of answers whose signature is right.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pai.core.identity.ports import Asserted, Place, Registered
from pai.foundation.errors import Unauthenticated

MOST_BYTES: Final = 16_384
_TIMEOUT: Final = 120_000


class WebAuthnPasskeys:
    """Implements ``core.identity.ports.PasskeyVerifier``."""

    def registration_options(
        self, place: Place, challenge: bytes, user: bytes, email: str, known: Sequence[bytes]
    ) -> Mapping[str, Any]:
        """See the port."""
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_registration_options(
            rp_id=place.name, rp_name="PAI", user_id=user, user_name=email, user_display_name=email, challenge=challenge,
            timeout=_TIMEOUT,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
        )  # fmt: skip
        told: Mapping[str, Any] = json.loads(webauthn.options_to_json(options))
        return told

    def verify_registration(self, place: Place, challenge: bytes, credential: Mapping[str, Any]) -> Registered:
        """See the port."""
        import webauthn
        from webauthn.helpers.structs import CredentialDeviceType

        with _refusing():
            _own_page(credential)
            made = webauthn.verify_registration_response(
                credential=_bounded(credential), expected_challenge=challenge, expected_rp_id=place.name,
                expected_origin=place.origin, require_user_verification=True,
            )  # fmt: skip
        told = credential.get("response", {}).get("transports", ())
        transports = tuple(str(one)[:20] for one in told[:8]) if isinstance(told, list) else ()
        synced = made.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        return Registered(made.credential_id, made.credential_public_key, made.sign_count, transports, synced)

    def assertion_options(self, place: Place, challenge: bytes, known: Sequence[bytes]) -> Mapping[str, Any]:
        """See the port."""
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_authentication_options(
            rp_id=place.name, challenge=challenge, timeout=_TIMEOUT,
            allow_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )  # fmt: skip
        told: Mapping[str, Any] = json.loads(webauthn.options_to_json(options))
        return told

    def verify_assertion(
        self, place: Place, challenge: bytes, credential: Mapping[str, Any], public_key: bytes, user: bytes
    ) -> Asserted:
        """See the port."""
        import webauthn

        with _refusing():
            _own_page(credential)
            handle = credential["response"].get("userHandle")
            if handle and _bytes(handle) != user:
                raise ValueError("another account's")
            told = webauthn.verify_authentication_response(
                credential=_bounded(credential), expected_challenge=challenge, expected_rp_id=place.name,
                expected_origin=place.origin, credential_public_key=public_key, credential_current_sign_count=0,
                require_user_verification=True,
            )  # fmt: skip
        return Asserted(told.credential_id, told.new_sign_count, synced=told.credential_backed_up)

    def challenge_of(self, credential: Mapping[str, Any]) -> bytes:
        """See the port."""
        with _refusing():
            return _bytes(_client_data(credential)["challenge"])

    def credential_id(self, credential: Mapping[str, Any]) -> bytes:
        """See the port."""
        with _refusing():
            return _bytes(credential["rawId"])


class _refusing:  # noqa: N801  a context manager, named as it reads
    """Turns whatever is wrong with a browser's answer into the one error."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None:
            return
        known = (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error)
        if issubclass(kind, known) or kind.__module__.startswith(("webauthn.", "cbor2", "_cbor2")):
            hint = "try again, or log in with your password"
            raise Unauthenticated("this passkey was not taken", code="wrong_passkey", hint=hint) from None


def _client_data(credential: Mapping[str, Any]) -> Mapping[str, Any]:
    told = json.loads(_bytes(credential["response"]["clientDataJSON"]))
    if not isinstance(told, dict):
        raise TypeError("client data is an object")
    return told


def _own_page(credential: Mapping[str, Any]) -> None:
    """Refuse what was signed inside another site's page (level 3, section 5.8.1)."""
    told = _client_data(credential)
    if told.get("crossOrigin") not in (None, False) or "topOrigin" in told:
        raise ValueError("signed inside another site's page")


def _bounded(credential: Mapping[str, Any]) -> str:
    text = json.dumps(credential)
    if len(text) > MOST_BYTES:
        raise ValueError("too long")
    return text


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > MOST_BYTES:
        raise TypeError("base64url text")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
