"""Requests of /v1/responses in OpenAI's shape. What PAI cannot honour is refused, as in ``schemas``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from pai.core.conversations.looking_up import PASSAGES
from pai.core.ports.engine import MOST_LOGPROBS
from pai.entrypoints.http.bodies import MOST_PARTS, Body, Free, Limit, Name, Number, Open, Pairs
from pai.entrypoints.openai_api.schemas import ImageUrl

_HARMLESS = "read by OpenAI's service only: billing, routing, storage there"
_A_WISH = "a wish that these models do not know"
MOST_ITEMS = 2000
ItemId = Annotated[str, Field(max_length=200)]
Status = Literal["in_progress", "completed", "incomplete"]


class InputPart(Open):
    """A part of a message: a text, something that was refused earlier, or a picture as a ``data:`` URI."""

    type: Literal["input_text", "output_text", "text", "refusal", "input_image"]
    text: str = ""
    refusal: str = ""
    image_url: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "input_image":
            if self.image_url is None:
                raise ValueError("image_url is missing; files are not looked at as pictures")
            ImageUrl(url=self.image_url)
        return self

    def image(self) -> bytes | None:
        """Return the picture, encoded as it came."""
        return (
            ImageUrl(url=self.image_url).data() if self.type == "input_image" and self.image_url is not None else None
        )


Parts = Annotated[list[InputPart], Field(max_length=MOST_PARTS, fail_fast=True)]


def texts(parts: str | list[InputPart]) -> str:
    """Return a content as one text."""
    return parts if isinstance(parts, str) else "".join(part.text or part.refusal for part in parts)


class InputMessage(Open):
    """A turn."""

    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Parts
    status: Status | None = None


class InputCall(Open):
    """A call that the model asked for earlier."""

    type: Literal["function_call"]
    id: ItemId | None = None
    call_id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str
    status: Status | None = None


class InputResult(Open):
    """What a call gave."""

    type: Literal["function_call_output"]
    id: ItemId | None = None
    call_id: Annotated[str, Field(min_length=1, max_length=200)]
    output: str | Parts
    status: Status | None = None

    @model_validator(mode="after")
    def _only_text(self) -> Self:
        if not isinstance(self.output, str) and any(part.type == "input_image" for part in self.output):
            raise ValueError("a call's output is text here")
        return self


class InputThought(Open):
    """What a model thought earlier. It is left out: no model reads thoughts again."""

    type: Literal["reasoning"]
    id: ItemId | None = None


class InputSearch(Open):
    """A search that was made earlier. It is left out: what it found was for that turn."""

    type: Literal["file_search_call"]
    id: ItemId | None = None


def _tag(given: Any) -> Any:
    return given.get("type") or "message" if isinstance(given, dict) else getattr(given, "type", "message")


InputItem = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[InputCall, Tag("function_call")]
    | Annotated[InputResult, Tag("function_call_output")]
    | Annotated[InputThought, Tag("reasoning")]
    | Annotated[InputSearch, Tag("file_search_call")],
    Discriminator(_tag),
]


def _apart(given: list[InputItem]) -> list[InputItem]:
    """Return items that no two have an id in common: who pages through them by id would go round for ever."""
    named = [item.id for item in given if item.id is not None]
    if len(set(named)) < len(named):
        raise ValueError("two items have the same id")
    return given


Items = Annotated[list[InputItem], Field(min_length=1, max_length=MOST_ITEMS, fail_fast=True), AfterValidator(_apart)]


def _as_items(given: Any) -> Any:
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


class FunctionToolSpec(Open):
    """A function that the model may ask for."""

    type: Literal["function"]
    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=20_000)] | None = None
    parameters: Free | None = None
    strict: bool | None = None


class FileSearchRanking(Open):
    """Options of ranking."""

    ranker: Literal["auto", "default-2024-11-15"] = "auto"
    score_threshold: Annotated[Number, Field(ge=0, le=1)] | None = 0.0


class FileSearchSpec(Body):
    """Collections (vector stores) that PAI searches before the model is asked, for what the last item says."""

    type: Literal["file_search"]
    vector_store_ids: Annotated[
        list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=8, fail_fast=True)
    ]
    max_num_results: Annotated[int, Field(ge=1, le=50)] = PASSAGES
    ranking_options: FileSearchRanking = Field(default_factory=FileSearchRanking)


ToolSpec = Annotated[FunctionToolSpec | FileSearchSpec, Field(discriminator="type")]


class NamedChoice(Open):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class SearchChoice(Open):
    """A search must be made, as it is whenever one is offered."""

    type: Literal["file_search"]


class ChosenTool(Open):
    """A tool of ``allowed_tools``."""

    type: Literal["function", "file_search"]
    name: str = ""


class AllowedTools(Open):
    """Which of the functions may be called this time."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"] = "auto"
    tools: Annotated[list[ChosenTool], Field(max_length=128, fail_fast=True)]


ToolChoice = Literal["none", "auto", "required"] | NamedChoice | SearchChoice | AllowedTools


class TextFormat(Open):
    """How the text is to be formed."""

    type: Literal["text", "json_schema", "json_object"] = "text"
    name: Annotated[str, Field(max_length=64)] = ""
    schema_: Free | None = Field(default=None, alias="schema")
    description: str | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "json_schema" and self.schema_ is None:
            raise ValueError("schema is missing")
        return self

    def schema_of(self) -> dict[str, Any] | None:
        """Return the schema that the text is held to, None for free text."""
        if self.type == "json_object":
            return {"type": "object"}
        return self.schema_ if self.type == "json_schema" else None


class TextOptions(Open):
    """Options of the text."""

    format: TextFormat = Field(default_factory=TextFormat)
    verbosity: Annotated[Literal["low", "medium", "high"] | None, Field(description=_A_WISH)] = None


class Reasoning(Open):
    """Options of thinking."""

    effort: Annotated[str | None, Field(max_length=20, description=_A_WISH)] = None
    summary: Annotated[str | None, Field(max_length=20, description=_A_WISH)] = None


def _bounded(given: dict[str, str]) -> dict[str, str]:
    if len(given) > 16 or any(len(key) > 64 or len(value) > 512 for key, value in given.items()):
        raise ValueError("metadata has at most 16 pairs, of 64 and 512 characters")
    return given


Metadata = Annotated[Pairs, AfterValidator(_bounded)]
Include = Literal[
    "file_search_call.results", "message.output_text.logprobs", "reasoning.encrypted_content", "message.input_image.image_url"
]  # fmt: skip


class CreateResponse(Body):
    """POST /v1/responses."""

    model: Name
    input: Annotated[Items, BeforeValidator(_as_items, json_schema_input_type=str | Items)]
    instructions: str | None = None
    tools: Annotated[list[ToolSpec], Field(max_length=128, default_factory=list, fail_fast=True)]
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    text: TextOptions = Field(default_factory=TextOptions)
    max_output_tokens: Limit | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[Number, Field(ge=0, le=1)] = 1.0
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] = 0.0
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] = 0
    truncation: Literal["disabled"] = "disabled"
    reasoning: Reasoning = Field(default_factory=Reasoning)
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    include: Annotated[list[Include], Field(max_length=8, default_factory=list, fail_fast=True)]
    stream: bool = False
    stream_options: Annotated[Free | None, Field(description="nothing is obfuscated")] = None
    background: Literal[False] = False
    store: Annotated[bool, Field(description="kept in the member's sealed file; needs a key that opens content")] = (
        False
    )
    previous_response_id: Annotated[str, Field(max_length=200)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1, description="one search is made at most")] | None = None
    user: str | None = None
    service_tier: Annotated[str | None, Field(description=_HARMLESS)] = None
    safety_identifier: Annotated[str | None, Field(description=_HARMLESS)] = None
    prompt_cache_key: Annotated[str | None, Field(description=_HARMLESS)] = None
    prompt_cache_retention: Annotated[str | None, Field(description=_HARMLESS)] = None
