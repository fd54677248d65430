"""Frozen values to rows and back, by field name."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from sqlalchemy import RowMapping, Table

Value = TypeVar("Value")


def to_row(value: Any, table: Table, **extra: Any) -> dict[str, Any]:
    """Return the columns of ``value`` that ``table`` has. Times become RFC 3339 text, enums their values."""
    fields = msgspec.to_builtins(value, builtin_types=(bytes,)) | extra
    return {column.name: fields[column.name] for column in table.columns if column.name in fields}


def from_row(kind: type[Value], row: RowMapping, **extra: Any) -> Value:
    """Return the value of a row. Only columns whose field may be None are nullable."""
    fields = {str(name): value for name, value in row.items()} | extra
    return msgspec.convert(fields, kind, strict=False, builtin_types=(bytes,))
