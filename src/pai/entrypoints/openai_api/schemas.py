"""Requests in OpenAI's shape.

Fields that PAI cannot honour are refused, not ignored: a client would take the answer for what it asked for. Fields that only say how
OpenAI's own service is to bill, store or route a request (``_HARMLESS``) mean nothing here and are left aside.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pai.core.ports.engine import MOST_LOGPROBS
from pai.entrypoints.http.bodies import (
    MOST_IMAGE_BYTES,
    MOST_PARTS,
    Body,
    Free,
    Limit,
    Name,
    Number,
    Open,
    Pairs,
    bounded,
)

Seed = Annotated[int, Field(ge=-(2**63), lt=2**64)]


class ImageUrl(Open):
    """A picture as a ``data:`` URI; nothing is ever fetched."""

    url: str

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self.data()
        return self

    def data(self) -> bytes:
        """Return the encoded picture. Raises ValueError for anything but a data URI in base64."""
        head, _, rest = self.url.partition(",")
        if not (head.startswith("data:image/") and head.endswith(";base64")) or len(rest) > MOST_IMAGE_BYTES * 4 // 3:
            raise ValueError("an image is a data: URI in base64 of at most 20 MB; addresses are never fetched")
        try:
            return base64.b64decode(rest, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("the image is not valid base64") from None


class Part(Open):
    """A part of a message: a text, a refusal that was said earlier, or a picture."""

    type: Literal["text", "refusal", "image_url", "input_text", "output_text"]
    text: str = ""
    refusal: str = ""
    image_url: ImageUrl | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "image_url" and self.image_url is None:
            raise ValueError("image_url is missing")
        return self


class Function(Open):
    """A call that the model asked for earlier."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str = "{}"


class Call(Open):
    """A tool call of an assistant's turn."""

    id: str
    type: Literal["function"] = "function"
    function: Function


class Message(Open):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[Part], Field(max_length=MOST_PARTS, fail_fast=True)] | None = None
    name: str | None = None
    tool_calls: Annotated[list[Call], Field(max_length=128, fail_fast=True)] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.role == "tool" and not self.tool_call_id:
            raise ValueError("a tool's message needs tool_call_id")
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content is missing")
        return self

    def text(self) -> str:
        """Return the content as one text."""
        if isinstance(self.content, list):
            return "".join(part.text or part.refusal for part in self.content)
        return self.content or ""

    def images(self) -> tuple[bytes, ...]:
        """Return the pictures of the message, encoded as they came."""
        parts = self.content if isinstance(self.content, list) else []
        return tuple(part.image_url.data() for part in parts if part.type == "image_url" and part.image_url is not None)


class StreamOptions(Open):
    """Options of a stream."""

    include_usage: bool = False


class JsonSchema(Open):
    """A schema that the answer must follow."""

    name: str = ""
    schema_: Free = Field(default_factory=dict, alias="schema")
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(Open):
    """How the answer is to be formed."""

    type: Literal["text", "json_schema", "json_object"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("json_schema is missing")
        return self

    def schema_of(self) -> dict[str, Any] | None:
        """Return the schema that the answer is held to, None for free text."""
        if self.type == "json_object":
            return {"type": "object"}
        return self.json_schema.schema_ if self.json_schema is not None and self.type == "json_schema" else None


class FunctionTool(Open):
    """A function that the model may ask for."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=20_000)] | None = None
    parameters: Free | None = None
    strict: bool | None = None


class ToolSpec(Open):
    """A tool of a chat."""

    type: Literal["function"]
    function: FunctionTool


class NamedFunction(Open):
    """The function that must be called."""

    name: str


class NamedTool(Open):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


TokenIds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=100_000, fail_fast=True)
]


class Sampled(Body):
    """What chats and completions share."""

    model: Name
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[Number, Field(ge=0, le=1)] = 1.0
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=1000)]],
        Field(max_length=4, fail_fast=True, default_factory=list),
    ]
    seed: Seed | None = None
    n: Annotated[int, Field(ge=1, le=8)] = 1
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[
        dict[Annotated[int, Field(ge=0, lt=2**31)], Annotated[Number, Field(ge=-100, le=100)]],
        BeforeValidator(bounded),
        Field(max_length=1024, default_factory=dict),
    ]
    user: str | None = None

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given


_HARMLESS = "read by OpenAI's service only: billing, routing, storage there"


class ChatCompletion(Sampled):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=2000, fail_fast=True)]
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[ToolSpec], Field(max_length=128, fail_fast=True, default_factory=list)]
    tool_choice: Literal["none", "auto", "required"] | NamedTool = "auto"
    parallel_tool_calls: bool = True
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] = 0
    modalities: Annotated[list[Literal["text"]], Field(max_length=2, fail_fast=True)] | None = None
    store: Annotated[bool | None, Field(description=_HARMLESS)] = None
    metadata: Annotated[Pairs | None, Field(description=_HARMLESS)] = None
    service_tier: Annotated[str | None, Field(description=_HARMLESS)] = None
    safety_identifier: Annotated[str | None, Field(description=_HARMLESS)] = None
    prompt_cache_key: Annotated[str | None, Field(description=_HARMLESS)] = None
    prompt_cache_retention: Annotated[str | None, Field(description=_HARMLESS)] = None
    verbosity: Annotated[str | None, Field(description="a wish that these models do not know")] = None
    reasoning_effort: Annotated[str | None, Field(description="a wish that these models do not know")] = None
    receipt: Annotated[bool, Field(description="PAI's own: with each choice, the signed receipt of the answer")] = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs")
        return self


class Completion(Sampled):
    """POST /v1/completions."""

    prompt: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=16, fail_fast=True)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1, max_length=16, fail_fast=True)]
    )
    max_tokens: Limit = 16
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool = False
    suffix: Literal[""] | None = None
    best_of: Literal[1] | None = None

    def prompts(self) -> list[str | tuple[int, ...]]:
        """Return each prompt, a text or token ids."""
        given = self.prompt
        if isinstance(given, str):
            return [given]
        if given and isinstance(given[0], int):
            return [tuple(given)]
        return [one if isinstance(one, str) else tuple(one) for one in given]  # type: ignore[arg-type]


class EmbeddingRequest(Body):
    """POST /v1/embeddings."""

    model: Name
    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=2048, fail_fast=True)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1, max_length=2048, fail_fast=True)]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1, le=65536)] | None = None
    user: str | None = None

    def texts(self) -> list[str | list[int]]:
        """Return each text, or its token ids."""
        if isinstance(self.input, str):
            return [self.input]
        if self.input and isinstance(self.input[0], int):
            return [self.input]
        return list(self.input)  # type: ignore[arg-type]
