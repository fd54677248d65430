"""llama.cpp as a server on a Unix socket, inside the walls."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any


def serve_llama(model_fd: int, path: Path, options: dict[str, Any]) -> None:
    """Serve the model behind ``model_fd`` until terminated. ``options``: context_length, parallel, threads."""
    import xllamacpp

    threads = int(options["threads"]) or os.cpu_count() or 1
    parameters = xllamacpp.CommonParams()
    # The very descriptor whose hash was checked: the file's name is never opened again.
    parameters.model.path = f"/proc/self/fd/{model_fd}"
    parameters.n_ctx = int(options["context_length"])
    parameters.n_parallel = int(options["parallel"])
    parameters.kv_unified = True  # one request may use the whole context
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = True
    parameters.verbosity = 0
    parameters.use_jinja = True
    parameters.hostnames = [str(path.with_suffix(".sock"))]
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.endpoint_props = False
    # Prompt caches hold what users typed: none is kept in memory after a request, none is shared between users.
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.slot_prompt_similarity = 0.0
    server = xllamacpp.Server(parameters)
    path.with_suffix(".sock").rename(path)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    del parameters
    while server is not None:
        signal.pause()
