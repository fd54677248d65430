"""Backup codes: ten codes on paper that stand in for the second factor, each once (NIST SP 800-63B section 3.1.2, look-up secrets).

Not to be mixed up with the recovery code of a member's content and that of the installation, which open keys; these open none.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

COUNT: Final = 10
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 16
_FORM: Final = re.compile(rf"[{_ALPHABET}]{{{_LENGTH}}}\Z")
_MISREAD: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "u": "v"})


def new_codes() -> tuple[str, ...]:
    """Return ten fresh codes of 80 random bits, such as ``k3v9-7qfd-0mtx-c2ea``."""
    made = ("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(COUNT))
    return tuple("-".join(code[at : at + 4] for at in range(0, _LENGTH, 4)) for code in made)


def hash_of(code: str, user_id: str) -> bytes | None:
    """Return what is stored of a code, None when it has not the form of one. 80 random bits need no slow hash."""
    plain = "".join(code.lower().split()).replace("-", "").translate(_MISREAD)
    if not _FORM.match(plain):
        return None
    return hashlib.sha256(b"pai/backup-code/1\x00" + user_id.encode() + b"\x00" + plain.encode()).digest()
