"""Rules for passwords people choose (NIST SP 800-63B section 5.1.1.2): length and a block list, no composition rules."""

from __future__ import annotations

from pai.foundation.errors import Invalid
from pai.foundation.redaction import Secret

MINIMUM = 12
MAXIMUM_BYTES = 1024
_BLOCKED = (
    "password", "passwort", "letmein", "qwerty", "qwertz", "welcome", "administrator", "iloveyou", "123456789", "changeme",
    "correcthorsebatterystaple", "abcdefgh", "personalai",
)  # fmt: skip


def check_password(password: Secret, email: str) -> None:
    """Raise Invalid (code ``weak_password``) for a password that is short, common, one repeated unit, or the address itself."""
    try:
        text = password.reveal().decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("the password is not UTF-8 text", code="weak_password") from None
    folded = "".join(text.lower().split())
    hint = "use a few unrelated words; length is what counts"
    if len(text) < MINIMUM:
        raise Invalid(f"the password has fewer than {MINIMUM} characters", code="weak_password", hint=hint)
    if len(password.reveal()) > MAXIMUM_BYTES:
        raise Invalid(f"the password is longer than {MAXIMUM_BYTES} bytes", code="weak_password", hint="shorten it")
    common = folded in _BLOCKED or any(folded.strip("0123456789!.?") == word for word in _BLOCKED)
    if common or len(set(folded)) < 5 or folded in (email, email.split("@")[0]):
        raise Invalid("the password is one of those that are tried first", code="weak_password", hint=hint)
