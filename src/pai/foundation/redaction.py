"""Secrets that cannot be printed by accident."""

from __future__ import annotations

from typing import final


@final
class Secret:
    """Bytes that show as ``Secret(***)``. ``reveal`` is the only way to them; comparing or hashing is refused."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
    __hash__ = None  # type: ignore[assignment]  # hashing a secret would leak equality

    def __eq__(self, other: object) -> bool:
        raise TypeError("compare secrets with hmac.compare_digest")

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret cannot be pickled")
