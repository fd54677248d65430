"""Readers of model files' headers: bounded, without native code, before any engine sees the file."""

from pai.adapters.models.formats.validation import FORMATS, validate

__all__ = ["FORMATS", "validate"]
