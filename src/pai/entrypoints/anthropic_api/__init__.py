"""Anthropic's dialect under /v1/messages: pure translation."""
