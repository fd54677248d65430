"""Requests in Ollama's shape.

What PAI cannot honour is refused, not ignored; what says how Ollama is to load a model (``_LOADING``) is settled by PAI's operator and
left aside (docs/decisions/0013). ``:latest`` behind a model's name means the same as nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pai.core.ports.engine import MOST_LOGPROBS
from pai.entrypoints.http.bodies import Body, Free, Name, Number, ObjectSchema, Open, Stops, picture

_LOADING = "how Ollama is to load the model"
_WISH = "a wish: what PAI keeps in memory is its own matter"
LATEST = ":latest"
Penalty = Annotated[Number, Field(ge=-2, le=2)]


class Options(Body):
    """How to sample. What another value than the one given here would need is not there; prompts that do not fit are refused, never cut."""

    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[Number, Field(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = 40
    min_p: Annotated[Number, Field(ge=0, le=1)] = 0.05
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)] | None = None
    num_predict: Annotated[int, Field(ge=-2, le=1_000_000)] = -1
    stop: Stops = ()
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    repeat_penalty: Annotated[Number, Field(ge=1, le=1)] = 1.0
    mirostat: Annotated[int, Field(ge=0, le=0)] = 0
    tfs_z: Annotated[Number, Field(ge=1, le=1)] = 1.0
    typical_p: Annotated[Number, Field(ge=1, le=1)] = 1.0
    # Without a repeat penalty and mirostat these change nothing.
    repeat_last_n: int | None = None
    penalize_newline: bool | None = None
    mirostat_tau: Number | None = None
    mirostat_eta: Number | None = None
    num_ctx: Annotated[int | None, Field(ge=1, description=_LOADING)] = None
    num_keep: Annotated[int | None, Field(description=_LOADING)] = None
    num_batch: Annotated[int | None, Field(description=_LOADING)] = None
    num_gpu: Annotated[int | None, Field(description=_LOADING)] = None
    main_gpu: Annotated[int | None, Field(description=_LOADING)] = None
    num_thread: Annotated[int | None, Field(description=_LOADING)] = None
    numa: Annotated[bool | None, Field(description=_LOADING)] = None
    low_vram: Annotated[bool | None, Field(description=_LOADING)] = None
    f16_kv: Annotated[bool | None, Field(description=_LOADING)] = None
    logits_all: Annotated[bool | None, Field(description=_LOADING)] = None
    vocab_only: Annotated[bool | None, Field(description=_LOADING)] = None
    use_mmap: Annotated[bool | None, Field(description=_LOADING)] = None
    use_mlock: Annotated[bool | None, Field(description=_LOADING)] = None
    embedding_only: Annotated[bool | None, Field(description=_LOADING)] = None

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given


class Named(Body):
    """A request about a model."""

    model: Name
    keep_alive: Annotated[float | str | None, Field(description=_WISH)] = None

    @field_validator("model")
    @classmethod
    def _plain(cls, given: str) -> str:
        return given.removesuffix(LATEST)

    @property
    def unloads(self) -> bool:
        """Whether the model is to leave memory at once."""
        return isinstance(self.keep_alive, int | float) and self.keep_alive == 0


class Generated(Named):
    """What chats and completions share."""

    stream: bool = True
    options: Options = Options()
    format: Literal["", "json"] | Free = ""
    think: bool | Literal["low", "medium", "high"] = True
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] = 0
    truncate: Annotated[bool | None, Field(description="a prompt that does not fit is refused")] = None
    shift: Annotated[bool | None, Field(description="an answer ends where the context does")] = None

    def schema_of(self) -> dict[str, Any] | None:
        """Return the schema that the answer is held to, None for free text."""
        if isinstance(self.format, dict):
            return self.format
        return {"type": "object"} if self.format == "json" else None


class CalledFunction(Open):
    """A call that the model asked for earlier."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: Annotated[Free, Field(default_factory=dict)]


class AskedCall(Open):
    """A tool call of an assistant's turn."""

    id: str = ""
    function: CalledFunction


class ChatTurn(Open):
    """One turn. Earlier thoughts are taken and left aside, as chat templates do."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    images: Annotated[tuple[str, ...], Field(max_length=100, fail_fast=True)] = ()
    tool_calls: Annotated[tuple[AskedCall, ...], Field(max_length=128, fail_fast=True)] = ()
    tool_name: str = ""
    tool_call_id: str = ""
    thinking: str = ""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for image in self.images:
            picture(image)
        return self


class OfferedFunction(Open):
    """A function that the model may ask for."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=20_000)] = ""
    parameters: ObjectSchema = ObjectSchema()


class OfferedTool(Open):
    """A tool of a chat."""

    type: Literal["function"] = "function"
    function: OfferedFunction


class ChatBody(Generated):
    """POST /api/chat. Without messages the model is loaded, nothing else."""

    messages: Annotated[tuple[ChatTurn, ...], Field(max_length=2000, fail_fast=True)] = ()
    tools: Annotated[tuple[OfferedTool, ...], Field(max_length=128, fail_fast=True)] = ()


class GenerateBody(Generated):
    """POST /api/generate. Without a prompt the model is loaded, nothing else."""

    prompt: str = ""
    system: str = ""
    images: Annotated[tuple[str, ...], Field(max_length=100, fail_fast=True)] = ()
    raw: bool = False
    suffix: Literal[""] = ""
    template: Literal[""] = ""
    context: Annotated[tuple[int, ...], Field(max_length=0, fail_fast=True)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.raw and (self.system or self.images):
            raise ValueError("a raw prompt takes no system text and no images")
        for image in self.images:
            picture(image)
        return self


class EmbedBody(Named):
    """POST /api/embed."""

    input: str | Annotated[list[str], Field(min_length=1, max_length=2048, fail_fast=True)]
    truncate: bool = True
    dimensions: Annotated[int, Field(ge=1, le=65536)] | None = None
    options: Options = Options()


class EmbeddingsBody(Named):
    """POST /api/embeddings, the older way to ask for one vector."""

    prompt: str
    options: Options = Options()


class ShowBody(Body):
    """POST /api/show. ``name`` is what older clients say for ``model``."""

    model: Name
    verbose: bool = False

    @model_validator(mode="before")
    @classmethod
    def _older(cls, given: Any) -> Any:
        if isinstance(given, dict) and "name" in given:
            given = {"model": given["name"], **{k: v for k, v in given.items() if k != "name"}}
        return given

    @field_validator("model")
    @classmethod
    def _plain(cls, given: str) -> str:
        return given.removesuffix(LATEST)
