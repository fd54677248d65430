"""Lists a page at a time, as OpenAI cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pai.foundation.errors import NotFound
from pai.foundation.ids import is_id


class Page(BaseModel):
    """Query of a list. ``after`` and ``before`` name the neighbours of what is wanted, by id."""

    model_config = ConfigDict(extra="ignore")
    after: Annotated[str, Field(max_length=200)] | None = None
    before: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"

    def of(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a page of rows, which are given oldest first. Raises NotFound for an ``after`` that never was among them."""
        ordered = list(rows) if self.order == "asc" else list(reversed(rows))
        if self.after is not None:
            ordered = ordered[self._place(ordered, self.after, beyond=True) :]
        if self.before is not None:
            ordered = ordered[: self._place(ordered, self.before, beyond=False)]
        shown = ordered[: self.limit]
        return {
            "object": "list", "data": shown, "has_more": len(ordered) > len(shown),
            "first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None,
        }  # fmt: skip

    def _place(self, rows: Sequence[dict[str, Any]], name: str, *, beyond: bool) -> int:
        """Return where ``name`` stands, or the next place.

        One that is gone stands where it stood: clients delete what they list while they list it. Ids sort by time, as the rows do.
        """
        ids = [str(row["id"]) for row in rows]
        if name in ids:
            return ids.index(name) + beyond
        kind = name.partition("_")[0]
        alike = [n for n, one in enumerate(ids) if is_id(one, kind)]
        if not is_id(name, kind) or (ids and not alike):
            raise NotFound("the list has no such id", hint="give an id of the page before")
        later = [n for n in alike if (ids[n] > name) is (self.order == "asc")]
        return later[0] if later else alike[-1] + 1 if alike else 0
