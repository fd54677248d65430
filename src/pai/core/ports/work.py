"""Running storage work off the event loop, one transaction at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

Unit = TypeVar("Unit", covariant=True)
Result = TypeVar("Result")


class Work(Protocol[Unit]):
    """Runs a piece of synchronous storage work whole, in a storage thread, inside one unit of work.

    The unit commits when the callable returns and rolls back when it raises. Audit events recorded on the unit are durable
    when ``run`` returns.
    """

    async def run(self, job: Callable[[Unit], Result]) -> Result:
        """Run ``job`` in the single writer thread and commit."""
        ...

    async def read(self, job: Callable[[Unit], Result]) -> Result:
        """Run ``job`` in a reader thread; writing from it raises."""
        ...

    async def recall(self, name: str, job: Callable[[Unit], Result]) -> Result:
        """As ``read``, for what every request asks for; ``name`` says what, with all that ``job`` depends on. It may return what the
        same name gave before, as long as nothing but the audit log was written since. None is never kept."""
        ...
