"""A model's own chat template, rendered in a sandbox of the template language inside the worker's walls.

Templates come with models and are programs (Jinja2). They see messages and tools, reach no attribute that leads out, and change
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pai.adapters.workers.service import RefusedError


class ChatTemplate:
    """A compiled template. ``words`` are the special tokens that templates name, such as ``bos_token``."""

    def __init__(self, source: str, words: Mapping[str, str]) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
        self._template = environment.from_string(source)
        self._words = dict(words)
        self.source = source

    def render(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
        """Return the prompt. Raises RefusedError for messages that the template does not take."""
        from jinja2 import TemplateError

        try:
            return self._template.render(
                **self._words,
                messages=[_message(one) for one in messages],
                tools=list(tools) or None,
                add_generation_prompt=True,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise RefusedError("the model's chat template does not take these messages") from error


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with the arguments of its calls as values: templates write them out themselves."""
    told = dict(message)
    if told.get("tool_calls"):
        told["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _value(call["function"]["arguments"])}}
            for call in told["tool_calls"]
        ]
    return told


def _value(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> str:
    raise RefusedError(f"the model's chat template refuses: {message[:200]}")
