"""llama.cpp's server alone, as its wheel starts it: the peer of ``chat_speed.py``. Arguments: model, port."""

from __future__ import annotations

import signal
import sys

import xllamacpp


def main() -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.n_ctx = 16384
    parameters.n_parallel = 8
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
    parameters.verbosity = 0
    parameters.use_jinja = True
    parameters.ui = False
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(sys.argv[2])
    server = xllamacpp.Server(parameters)
    print("ready", flush=True)
    while server is not None:
        signal.pause()


if __name__ == "__main__":
    main()
