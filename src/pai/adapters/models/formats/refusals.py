"""How a model file is refused: one class, three codes. No message repeats what the file holds."""

from __future__ import annotations

from pai.foundation.errors import Invalid


def bad(message: str) -> Invalid:
    """The file is not what its format says."""
    hint = "it is damaged or was made to do harm: get it again from its source"
    return Invalid(message, code="bad_model_file", hint=hint)


def truncated(message: str) -> Invalid:
    """The file ends before what its header speaks of."""
    return Invalid(message, code="truncated_model_file", hint="copy it again: a part of it is missing")


def unsafe(message: str) -> Invalid:
    """The file is well formed, and asks for what PAI gives to no model: other files, libraries, operators that are not built in."""
    hint = "convert the model anew, without what is named here"
    return Invalid(message, code="unsafe_model_file", hint=hint)
