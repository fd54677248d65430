"""Requests in Anthropic's shape.

What PAI cannot honour is refused, not ignored: a client would take the answer for what it asked for. What only says how Anthropic's
own service is to bill, store, cache or route (``_HARMLESS``) means nothing here and is left aside (docs/decisions/0013).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pai.entrypoints.http.bodies import MOST_PARTS, Body, Free, Limit, Name, Number, ObjectSchema, Open, Stops, picture

_HARMLESS = "read by Anthropic's service only: billing, caching, routing there"
_WISH = "a wish that these models do not know"
_PARTS: Any = Field(max_length=MOST_PARTS, fail_fast=True)


def as_blocks(given: Any) -> Any:
    """Return a content that is one text as the blocks it stands for."""
    return [{"type": "text", "text": given}] if isinstance(given, str) else given


class Source(Open):
    """A picture. Those that would have to be fetched, from an address or from a store of files, are refused."""

    type: str
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"] | None = None
    data: str = ""

    @model_validator(mode="after")
    def _here(self) -> Self:
        if self.type != "base64" or self.media_type is None:
            raise ValueError("an image comes as base64 with its media_type; addresses and files are never fetched")
        picture(self.data)
        return self


class TextBlock(Open):
    """A text, where nothing else may stand."""

    type: Literal["text"]
    text: str


class ResultBlock(Open):
    """A part of what a tool answered."""

    type: Literal["text", "image"]
    text: str = ""
    source: Source | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "image" and self.source is None:
            raise ValueError("source is missing")
        return self

    def image(self) -> bytes | None:
        """Return the picture, None for a text."""
        return picture(self.source.data) if self.source is not None else None


class Block(Open):
    """A part of a turn. Earlier thoughts are taken and left aside, as chat templates do."""

    type: Literal["text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking"]
    text: str | None = None
    source: Source | None = None
    id: str | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    input: Free | None = None
    tool_use_id: str | None = None
    content: Annotated[
        tuple[ResultBlock, ...],
        _PARTS,
        BeforeValidator(as_blocks, json_schema_input_type=str | list[ResultBlock]),
    ] = ()
    is_error: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "text": ("text",),
            "image": ("source",),
            "tool_use": ("id", "name", "input"),
            "tool_result": ("tool_use_id",),
        }
        missing = [name for name in needed.get(self.type, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        return self


class Turn(Open):
    """One turn. What stands where follows Anthropic: tools are used by the assistant, their results come from the user."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Block], _PARTS, BeforeValidator(as_blocks, json_schema_input_type=str | list[Block])]

    @model_validator(mode="after")
    def _in_place(self) -> Self:
        allowed = {
            "user": {"text", "image", "tool_result"},
            "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
            "system": {"text"},
        }[self.role]
        if any(block.type not in allowed for block in self.content):
            raise ValueError(f"a turn of this role holds only: {', '.join(sorted(allowed))}")
        return self


class ClientTool(Open):
    """A tool that the client runs. Tools that run at Anthropic, or that its models alone were taught, are refused by their type."""

    type: Literal["custom"] = "custom"
    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: Annotated[str, Field(max_length=20_000)] = ""
    input_schema: ObjectSchema
    strict: bool | None = None


class ToolChoice(Open):
    """Whether, and which, tool is to be used."""

    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel_tool_use: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "tool" and not self.name:
            raise ValueError("name is missing")
        return self


class Thinking(Open):
    """Whether thoughts are shown. Whether and how long a model thinks is its own: ``budget_tokens`` is a wish."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int, Field(ge=1024)] | None = None
    display: Literal["summarized", "omitted"] | None = None

    @property
    def shown(self) -> bool:
        """Whether thoughts are part of the answer."""
        return self.type != "disabled" and self.display != "omitted"


class OutputFormat(Open):
    """A schema that the answer is held to."""

    type: Literal["json_schema"]
    json_schema: Annotated[Free, Field(alias="schema")]


class OutputConfig(Body):
    """How the answer is to be formed."""

    effort: Annotated[Literal["low", "medium", "high", "xhigh", "max"] | None, Field(description=_WISH)] = None
    format: OutputFormat | None = None


class Metadata(Open):
    """Whom the request is for."""

    user_id: str | None = None


class CacheControl(Open):
    """Where Anthropic is to cache. PAI caches each user's prompts by itself."""

    type: Literal["ephemeral"]
    ttl: str | None = None


class Prompted(Body):
    """What the model is to read. POST /v1/messages/count_tokens takes no more."""

    model: Name
    messages: Annotated[list[Turn], Field(min_length=1, max_length=2000, fail_fast=True)]
    system: Annotated[
        tuple[TextBlock, ...],
        _PARTS,
        BeforeValidator(as_blocks, json_schema_input_type=str | list[TextBlock]),
    ] = ()
    tools: Annotated[tuple[ClientTool, ...], Field(max_length=128, fail_fast=True)] = ()
    tool_choice: ToolChoice = ToolChoice(type="auto")
    thinking: Thinking = Thinking(type="disabled")
    output_config: OutputConfig = OutputConfig()
    cache_control: Annotated[CacheControl | None, Field(description=_HARMLESS)] = None
    speed: Annotated[str | None, Field(description=_WISH)] = None
    user_profile_id: Annotated[str | None, Field(description=_HARMLESS)] = None
    workspace_id: Annotated[str | None, Field(description=_HARMLESS)] = None

    @field_validator("messages")
    @classmethod
    def _ends_with_a_question(cls, given: list[Turn]) -> list[Turn]:
        if given[-1].role == "assistant":
            raise ValueError("the last turn is the assistant's, and continuing a begun answer is not supported")
        return given


class MessageRequest(Prompted):
    """POST /v1/messages."""

    max_tokens: Limit
    stream: bool = False
    stop_sequences: Stops = ()
    temperature: Annotated[Number, Field(ge=0, le=1)] = 0.7
    top_p: Annotated[Number, Field(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = 40
    metadata: Annotated[Metadata | None, Field(description=_HARMLESS)] = None
    service_tier: Annotated[str | None, Field(description=_HARMLESS)] = None
    inference_geo: Annotated[str | None, Field(description=_HARMLESS)] = None
