"""All routes of Ollama's dialect."""

from __future__ import annotations

from pai.entrypoints.ollama_api import embeddings, generation, models

ROUTERS = (generation.router, embeddings.router, models.router)
"""All routes of the dialect."""
