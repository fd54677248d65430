"""OpenAI's dialect under /v1: pure translation."""
