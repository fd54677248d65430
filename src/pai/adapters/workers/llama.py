"""llama.cpp as a server on a Unix socket, inside the walls."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

from pai.adapters.workers.kinds import SOCKET_NAME

_BATCH: Final = 256  # tokens of a prompt between two looks at the other answers, and at clients that have left


def serve_llama(model_fd: int, options: Mapping[str, int], projector_fd: int | None = None) -> None:
    """Serve the model behind ``model_fd`` in the working folder until the process is ended, with eyes if there is a projector.

    ``options``: ``context_length`` of one request and ``pool`` of all together in tokens, ``parallel`` slots,
    ``threads`` (0: all cores of this process). Raises RuntimeError when the model cannot be loaded.
    """
    import xllamacpp

    threads = options["threads"] or len(os.sched_getaffinity(0))
    parameters = xllamacpp.CommonParams()
    # The very descriptor whose hash was checked: the file's name is never opened again.
    parameters.model.path = f"/proc/self/fd/{model_fd}"
    if projector_fd is not None:
        parameters.mmproj.path = f"/proc/self/fd/{projector_fd}"
        parameters.mmproj_use_gpu = False
    # One pool for all slots, so that a single request may use a whole context without reserving one per slot.
    parameters.kv_unified = True
    parameters.kv_unified_per_slot = options["context_length"]
    parameters.n_ctx = options["pool"]
    parameters.n_parallel = options["parallel"]
    parameters.n_batch = _BATCH
    parameters.n_ubatch = _BATCH
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.n_threads_http = options["parallel"] + 4
    parameters.fit_params = False
    parameters.warmup = True
    parameters.verbosity = 0
    parameters.use_jinja = True
    parameters.offline = True
    parameters.hostnames = [SOCKET_NAME]  # the name's end makes it a Unix socket; no TCP port is opened
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.endpoint_props = False
    # Caches hold what people typed. None outlives its slot, and no slot is chosen by likeness of prompts: the gateway
    # names each request's slot and lets a slot's cache be used by the user who filled it only (``engines/slots.py``).
    parameters.cache_ram_mib = 0
    parameters.slot_prompt_similarity = 0.0
    parameters.cache_idle_slots = False
    server = xllamacpp.Server(parameters)
    while server is not None:
        signal.pause()
