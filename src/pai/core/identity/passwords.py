"""Rules for passwords people choose (NIST SP 800-63B-4 section 3.1.1.2): length and a block list, no composition rules, no expiry.

A password that is the only factor has 15 characters or more; beside a second factor 8 are enough. What the console sets from a file
or a terminal keeps the 12 it always had, so that scripts go on working: whoever holds the console can open the account anyway.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from importlib import resources
from typing import Final

from pai.foundation.errors import Invalid
from pai.foundation.redaction import Secret

ALONE: Final = 15
WITH_FACTOR: Final = 8
CONSOLE: Final = 12
MAXIMUM_BYTES: Final = 1024
_CODE: Final = "weak_password"
_HINT: Final = "use a few unrelated words; length is what counts"
_OWN: Final = (
    "administrator", "changemenow", "correcthorsebatterystaple", "letmein", "passwort", "password", "personalai", "welcome",
)  # fmt: skip
"""Words that are not in the shipped list but are tried first here."""
_RUNS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_EDGE: Final = re.compile(r"^[\d\W_]+|[\d\W_]+$")


@functools.cache
def common_passwords() -> frozenset[str]:
    """Return the shipped block list; read at the first password that is chosen."""
    text = (resources.files("pai.core.identity") / "common_passwords.txt").read_text("utf-8")
    return frozenset((*(line for line in text.splitlines() if not line.startswith("#")), *_OWN))


def check_password(password: Secret, email: str, minimum: int = ALONE) -> None:
    """Raise Invalid (code ``weak_password``) for a password that is short, common, one repeated unit or run, or made of the address."""
    try:
        text = password.reveal().decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("the password is not UTF-8 text", code=_CODE) from None
    if len(text) < minimum:
        raise Invalid(f"the password has fewer than {minimum} characters", code=_CODE, hint=_HINT)
    if len(password.reveal()) > MAXIMUM_BYTES:
        raise Invalid(f"the password is longer than {MAXIMUM_BYTES} bytes", code=_CODE, hint="shorten it")
    folded = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    if _common(folded) or _made_of(folded, email):
        raise Invalid("the password is one of those that are tried first", code=_CODE, hint=_HINT)


def _common(folded: str) -> bool:
    listed = common_passwords()
    core = _EDGE.sub("", folded)
    # Only words of the list that are long enough to be one: else whoever adds digits to a short word would be refused for good ones.
    return (
        folded in listed
        or (core in listed and len(core) * 2 >= len(folded))
        or len(set(folded)) < 5
        or _repeats(folded)
    )


def _repeats(folded: str) -> bool:
    """Tell whether it is one short unit again and again, or a run along the alphabet, the digits or the keyboard."""
    units = (folded[:size] for size in range(1, min(8, len(folded) // 2) + 1))
    if any((unit * len(folded))[: len(folded)] == folded for unit in units):
        return True
    return any(folded in line or folded in line[::-1] for line in _RUNS)


def _made_of(folded: str, email: str) -> bool:
    name, _, domain = email.casefold().partition("@")
    parts = {email.casefold(), name, domain, domain.split(".")[0], *re.split(r"[._+-]", name)}
    core = _EDGE.sub("", folded)
    return folded in parts or (len(core) > 2 and core in parts)
