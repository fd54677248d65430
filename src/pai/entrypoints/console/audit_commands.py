"""Host commands on the audit log."""

from __future__ import annotations

from typing import Any

from pai.entrypoints.http import shapes
from pai.entrypoints.http.audit_filters import filter_of, shown
from pai.entrypoints.http.services import Services
from pai.foundation.actor import OPERATOR

Arguments = dict[str, Any]


async def audit_query(services: Services, arguments: Arguments) -> Any:
    """Show events that match, newest first."""
    return {"events": shown(await services.oversight.events(OPERATOR, filter_of(arguments)))}


async def audit_verify(services: Services, _arguments: Arguments) -> Any:
    """Recompute the whole audit log."""
    return shapes.verification(await services.oversight.verify(OPERATOR))


async def audit_checkpoint(services: Services, _arguments: Arguments) -> Any:
    """Sign the tree head."""
    return shapes.checkpoint(await services.oversight.checkpoint(OPERATOR))


async def audit_key(services: Services, _arguments: Arguments) -> Any:
    """Tell the public key of the log."""
    return {"key": await services.oversight.verifier_key(OPERATOR)}


async def audit_export(services: Services, _arguments: Arguments) -> Any:
    """Sign a checkpoint and begin an export up to it."""
    begun = await services.handing_out.begin(OPERATOR)
    return {"header": begun.header, "key": begun.key, **shapes.checkpoint(begun.checkpoint)}


async def audit_export_page(services: Services, arguments: Arguments) -> Any:
    """Return lines of an export."""
    return {"lines": list(await services.handing_out.page(OPERATOR, int(arguments["first"]), int(arguments["count"])))}


async def audit_prove(services: Services, arguments: Arguments) -> Any:
    """Return the proof that an event stands in the log."""
    return await services.handing_out.prove(OPERATOR, int(arguments["index"]))


async def audit_prove_growth(services: Services, arguments: Arguments) -> Any:
    """Return the proof that the log only grew since a checkpoint."""
    return await services.handing_out.prove_growth(OPERATOR, str(arguments["checkpoint"]))


COMMANDS = {
    "audit.tail": audit_query,
    "audit.query": audit_query,
    "audit.verify": audit_verify,
    "audit.checkpoint": audit_checkpoint,
    "audit.key": audit_key,
    "audit.export": audit_export,
    "audit.export-page": audit_export_page,
    "audit.prove": audit_prove,
    "audit.prove-growth": audit_prove_growth,
}
