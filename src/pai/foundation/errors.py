"""Errors that a person can act on.

Every error that PAI raises on purpose is a :class:`PaiError`: a stable machine-readable ``code``, one clear sentence and a
hint that says what to do. Entry points translate the class to an HTTP status or an exit code; messages never hold secrets
or content.
"""

from __future__ import annotations

from typing import ClassVar


class PaiError(Exception):
    """Base of all expected failures. ``status`` is the HTTP status that an entry point answers with."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    default_hint: ClassVar[str] = "see what `make start` or `pai serve` printed"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint or self.default_hint


class Invalid(PaiError):
    """The input is malformed or of the wrong type."""

    status = 400
    default_code = "invalid"
    default_hint = "correct it and try again"


class Unauthenticated(PaiError):
    """No valid credential came with the request."""

    status = 401
    default_code = "unauthenticated"
    default_hint = "give a valid API key, or log in again"


class Denied(PaiError):
    """The policy decision was no."""

    status = 403
    default_code = "denied"
    default_hint = "ask its owner or an administrator"


class NotFound(PaiError):
    """No such thing, or none that this actor may know of."""

    status = 404
    default_code = "not_found"
    default_hint = "list what there is and check the name"


class Conflict(PaiError):
    """The thing exists already or is in another state."""

    status = 409
    default_code = "conflict"
    default_hint = "look at what exists first"


class TooLarge(PaiError):
    """A size limit was passed."""

    status = 413
    default_code = "too_large"
    default_hint = "send less at once, or raise the limit in the settings"


class Unsupported(PaiError):
    """The content type or capability is not supported."""

    status = 415
    default_code = "unsupported"
    default_hint = "see the documentation for what is supported"


class Throttled(PaiError):
    """Too many attempts; ``retry_after`` is in seconds."""

    status = 429
    default_code = "throttled"
    default_hint = "wait, then try again"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after = retry_after


class Unavailable(PaiError):
    """Something PAI needs is not there now: a worker, a model, disk space."""

    status = 503
    default_code = "unavailable"
    default_hint = "try again in a moment; see `pai status`"


class Sealed(Unavailable):
    """The keystore holds no root key."""

    default_code = "sealed"
    default_hint = "run `make start` or `pai serve` again and give the passphrase"


class Corrupt(PaiError):
    """Stored data failed its integrity check. Nothing read from it may be used."""

    status = 500
    default_code = "corrupt"
    default_hint = "restore it from a backup"


class Usage(PaiError):
    """Wrong use of a command or setting (exit code 2)."""

    status = 400
    default_code = "usage"
    default_hint = "see --help"
