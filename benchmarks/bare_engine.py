"""An engine alone, without walls, keys, policy or log: the peer of ``chat_speed.py``. Arguments: llama or openvino, model, port or socket.

``llama`` is llama.cpp's server as its wheel starts it, ``openvino`` the loop of PAI's own worker on a Unix socket.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path


def llama(model: Path, place: str) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model / "model.gguf")
    parameters.n_ctx = 16384
    parameters.n_parallel = 8
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
    parameters.verbosity = 0
    parameters.use_jinja = True
    parameters.ui = False
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(place)
    server = xllamacpp.Server(parameters)
    print("ready", flush=True)
    while server is not None:
        signal.pause()


def openvino(model: Path, place: str) -> None:
    from pai.adapters.workers.paged.routes import PagedFiles, paged_routes
    from pai.adapters.workers.service import serve

    graph, tokenizer, chat = (
        (model / name).read_bytes() for name in ("openvino_model.xml", "tokenizer.json", "chat.json")
    )
    weights = os.open(model / "openvino_model.bin", os.O_RDONLY)
    options = {"context_length": 8192, "pool": 16384, "parallel": 8, "threads": 2}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(128)
    routes = paged_routes(PagedFiles(weights, graph, tokenizer, chat), options)
    print("ready", flush=True)
    serve(listener, routes)


if __name__ == "__main__":
    {"llama": llama, "openvino": openvino}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
