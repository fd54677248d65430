"""Lists a page at a time, as OpenAI cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pai.foundation.errors import NotFound


class Page(BaseModel):
    """Query of a list. ``after`` and ``before`` name the neighbours of what is wanted, by id."""

    model_config = ConfigDict(extra="ignore")
    after: Annotated[str, Field(max_length=200)] | None = None
    before: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"

    def of(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a page of rows, which are given oldest first. Raises NotFound for an ``after`` that is not among them."""
        ordered = list(rows) if self.order == "asc" else list(reversed(rows))
        if self.after is not None:
            ordered = ordered[_place(ordered, self.after) + 1 :]
        if self.before is not None:
            ordered = ordered[: _place(ordered, self.before)]
        shown = ordered[: self.limit]
        return {
            "object": "list", "data": shown, "has_more": len(ordered) > len(shown),
            "first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None,
        }  # fmt: skip


def _place(rows: Sequence[dict[str, Any]], name: str) -> int:
    place = next((n for n, row in enumerate(rows) if row["id"] == name), None)
    if place is None:
        raise NotFound("the list has no such id", hint="give an id of the page before")
    return place
