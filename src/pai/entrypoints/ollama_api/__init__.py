"""Ollama's dialect under /api, the part of it that asks models: pure translation."""
