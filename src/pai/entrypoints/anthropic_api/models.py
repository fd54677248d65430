"""Models in Anthropic's shape, for requests that carry its version header; without it the same paths are OpenAI's."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from pai.core.models.values import Model
from pai.core.policy.values import Permission
from pai.core.ports.engine import Capabilities, Capability
from pai.entrypoints.anthropic_api.dialect import VERSION
from pai.entrypoints.http.routing import GuardedRoute, guarded, requires, services_of
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid
from pai.foundation.time import to_text

router = APIRouter(prefix="/v1/models")


class VersionedRoute(GuardedRoute):
    """A route for requests with the version header only. It guards as every other; without the header it is not there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route."""
        return super().matches(scope) if VERSION in Headers(scope=scope) else (Match.NONE, {})


_OPTIONS: dict[str, Any] = {"route_class_override": VersionedRoute, "include_in_schema": False}


@guarded(router, "GET", "", Permission.MODELS_LIST, **_OPTIONS)
async def list_models(
    request: Request,
    actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))],
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    after_id: Annotated[str, Query(max_length=200)] = "",
    before_id: Annotated[str, Query(max_length=200)] = "",
) -> dict[str, Any]:
    """With the header `anthropic-version`: list the active models and their aliases in Anthropic's shape."""
    inference = services_of(request).inference
    models = await inference.models(actor)
    named = {name: model for model in models for name in (model.name, *model.aliases)}
    names = list(named)
    if after_id and before_id:
        raise Invalid("after_id and before_id exclude each other", code="bad_page", hint="send one of them")
    if not {after_id, before_id} - {""} <= named.keys():
        raise Invalid("the id to page from is not in the list", code="bad_page", hint="begin again without it")
    if before_id:
        rest = names[: names.index(before_id)]
        found, more = rest[-limit:], len(rest) > limit
    else:
        rest = names[names.index(after_id) + 1 :] if after_id else names
        found, more = rest[:limit], len(rest) > limit
    return {
        "data": [_model(name, *await inference.able(actor, name)) for name in found], "has_more": more,
        "first_id": found[0] if found else None, "last_id": found[-1] if found else None,
    }  # fmt: skip


@guarded(router, "GET", "/{name}", Permission.MODELS_LIST, **_OPTIONS)
async def show_model(
    request: Request, name: str, actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]
) -> dict[str, Any]:
    """With the header `anthropic-version`: show one model in Anthropic's shape."""
    return _model(name, *await services_of(request).inference.able(actor, name))


def _model(name: str, model: Model, able: Capabilities) -> dict[str, Any]:
    chats = Capability.CHAT in able.supports
    return {
        "type": "model", "id": name, "display_name": name if name == model.name else f"{name} ({model.name})",
        "created_at": to_text(model.imported_at), "lifecycle": "active", "max_input_tokens": able.context_length,
        "max_tokens": able.context_length if chats else None, "capabilities": _capabilities(able),
    }  # fmt: skip


def _capabilities(able: Capabilities) -> dict[str, Any]:
    """Return what Anthropic's clients ask of a model. Efforts are read and bind nothing, so none is promised; thoughts are shown
    of a model that has any, which nothing says beforehand."""
    no = {"supported": False}
    thinking = {"supported": Capability.CHAT in able.supports}
    edits = dict.fromkeys(("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112"), no)
    efforts = dict.fromkeys(("low", "medium", "high", "xhigh", "max"), no)
    return {
        "batch": no, "citations": no, "code_execution": no, "pdf_input": no,
        "image_input": {"supported": Capability.IMAGE_INPUT in able.supports},
        "structured_outputs": {"supported": Capability.JSON_SCHEMA in able.supports},
        "thinking": {**thinking, "types": {"enabled": thinking, "adaptive": thinking}},
        "context_management": {**no, **edits}, "effort": {**no, **efforts},
    }  # fmt: skip
