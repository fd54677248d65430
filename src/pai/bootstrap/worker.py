"""A worker process: walls first, then the one thing it is for. Nothing native is imported before the walls stand."""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pai.bootstrap import telemetry

if TYPE_CHECKING:
    from pai.adapters.system.sandbox import SandboxProfile
    from pai.adapters.workers.service import Routes
    from pai.core.perception.values import Heard, Page

_PR_SET_PDEATHSIG: Final = 1
_GB: Final = 1 << 30
_SPINS: Final = "20000"


@dataclass(frozen=True, slots=True)
class Given:
    """What the supervisor hands over: the run folder (also the working folder), descriptors, checked options."""

    run: Path
    fds: tuple[int, ...]
    options: Mapping[str, int]


Prepared = tuple["SandboxProfile", Callable[[], None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker of one kind; return its exit code."""
    parser = argparse.ArgumentParser(prog="pai.bootstrap.worker", description="Internal: started by PAI itself.")
    parser.add_argument("kind", choices=sorted(_KINDS))
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--fds", required=True)
    parser.add_argument("--options", required=True)
    parser.add_argument("--status", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    chosen = parser.parse_args(arguments)
    telemetry.switch_off()
    _end_with_parent(chosen.parent)
    # Ctrl-C reaches the whole foreground group; the supervisor ends workers in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.chdir(chosen.run)
    fds = tuple(int(fd) for fd in chosen.fds.split(",") if fd)
    for fd in (*fds, chosen.status):
        os.set_inheritable(fd, False)
    options = msgspec.json.decode(chosen.options, type=dict[str, int])

    from pai.adapters.system.sandbox import apply
    from pai.adapters.workers.kinds import KINDS

    profile, serve = _KINDS[chosen.kind](Given(chosen.run, fds, options))
    report = apply(dataclasses.replace(profile, nice=KINDS[chosen.kind].nice))
    if not report.complete:
        print(f"worker {chosen.kind}: {'; '.join(report.lines())}", file=sys.stderr, flush=True)
    os.write(chosen.status, msgspec.json.encode({"sandbox": report.lines()}))
    os.close(chosen.status)
    serve()
    return 0


def _end_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the signal was asked for
        sys.exit(1)


def _llama(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.llama import serve_llama

    # Two threads meet at a barrier many times for each token: letting them sleep there at once cost a third of the speed. They
    # spin for some microseconds, then sleep; waiting for requests costs nothing either way.
    os.environ["GOMP_SPINCOUNT"] = _SPINS
    model, *projector = given.fds  # what makes a picture into tokens comes with some
    profile = SandboxProfile(
        readable=runtime_paths(),
        sockets_in=(given.run,),
        readable_fds=given.fds,
        unix_sockets=True,  # llama.cpp's server makes its own listener
        bind=True,
        # Mapped weights, their repacked copy, the context, compute buffers, and address space for threads' arenas.
        memory=2 * sum(os.fstat(fd).st_size for fd in given.fds) + given.options["pool"] * (1 << 18) + 8 * _GB,
    )
    return profile, lambda: serve_llama(model, given.options, *projector)


def _openvino(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.service import listen, serve

    def run() -> None:
        from pai.adapters.workers.paged.routes import PagedFiles, paged_routes

        weights, *others = given.fds
        graph, tokenizer, chat = (_whole(fd) for fd in others)
        serve(listener, paged_routes(PagedFiles(weights, graph, tokenizer, chat), given.options))

    listener = listen()
    # Mapped weights, the form laid out for this processor, the cache, and what compiling takes for a while.
    memory = 5 * os.fstat(given.fds[0]).st_size + given.options["pool"] * (1 << 18) + 8 * _GB
    return SandboxProfile(readable=runtime_paths(), memory=memory), run


def _transformers(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.service import listen, serve

    def run() -> None:
        # PyTorch wants folders for what it might compile as it is imported. These are there, and nothing can be written to them.
        tempfile.tempdir = os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(given.run)
        from pai.adapters.models.formats import language_config, safetensors
        from pai.adapters.workers.transformers.routes import TorchFiles, torch_routes

        weights, config, *others = given.fds
        tokenizer, chat = (_whole(fd) for fd in others)
        tensors = safetensors.read(weights).tensors
        files = TorchFiles(weights, tensors, language_config.read(config), tokenizer, chat)
        serve(listener, torch_routes(files, given.options))

    listener = listen()
    # Mapped weights, those that are computed in more bits than the file has, the cache, libraries, and threads' arenas.
    memory = 5 * os.fstat(given.fds[0]).st_size + given.options["pool"] * (1 << 18) + 8 * _GB
    return SandboxProfile(readable=runtime_paths(), memory=memory), run


def _converter(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.service import listen, serve

    def run() -> None:
        from pai.adapters.models.openvino_conversion import FILES, convert_gguf
        from pai.adapters.workers.converter import converter_routes

        serve(
            listener, converter_routes(lambda: convert_gguf(given.fds[0], given.run, given.options["threads"]), FILES)
        )

    listener = listen()
    memory = 8 * os.fstat(given.fds[0]).st_size + 8 * _GB
    profile = SandboxProfile(readable=runtime_paths(), writable=(given.run,), memory=memory, cpu_seconds=3600)
    return profile, run


def _gguf_converter(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.service import listen, serve

    def run() -> None:
        from pai.adapters.models.gguf_conversion import FILE, convert_safetensors
        from pai.adapters.workers.converter import converter_routes

        weights, config, *others = given.fds
        tokenizer, chat = (_whole(fd) for fd in others)
        kind = given.options["file_type"]
        work = partial(convert_safetensors, weights, config, tokenizer, chat, given.run, kind)
        serve(listener, converter_routes(work, (FILE,)))

    listener = listen()
    memory = 3 * os.fstat(given.fds[0]).st_size + 4 * _GB
    profile = SandboxProfile(readable=runtime_paths(), writable=(given.run,), memory=memory, cpu_seconds=3600)
    return profile, run


def _onnx_converter(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.service import listen, serve

    def run() -> None:
        os.environ["TMPDIR"] = str(given.run)  # the library that rounds weights keeps a copy between its steps
        logging.disable(logging.WARNING)  # and gives advice to whoever wrote the graph
        from pai.adapters.models.encoder_conversion import FILES, convert_encoder
        from pai.adapters.workers.converter import converter_routes
        from pai.adapters.workers.onnx_session import imported, session_of

        imported()
        weights, config, tokenizer, head = given.fds
        rounded = bool(given.options["rounded"])
        work = partial(
            convert_encoder,
            weights,
            config,
            _whole(tokenizer),
            _whole(head),
            given.run,
            rounded=rounded,
            session_of=session_of,
        )
        serve(listener, converter_routes(work, FILES))

    listener = listen()
    memory = 8 * os.fstat(given.fds[0]).st_size + 6 * _GB
    profile = SandboxProfile(readable=runtime_paths(), writable=(given.run,), memory=memory, cpu_seconds=3600)
    return profile, run


def _whole(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        file.seek(0)  # whoever hashed the file has moved the offset that descriptors share
        return file.read()


def _onnx_embedding(given: Given) -> Prepared:
    def routes() -> Routes:
        from pai.adapters.workers.onnx_embedding import embedding_routes

        return embedding_routes(given.fds[0], given.fds[1], given.options)

    return _onnx(given, routes)


def _onnx_reranking(given: Given) -> Prepared:
    def routes() -> Routes:
        from pai.adapters.workers.onnx_reranking import reranking_routes

        return reranking_routes(given.fds[0], given.fds[1], given.options)

    return _onnx(given, routes)


def _onnx(given: Given, routes: Callable[[], Routes]) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.service import listen, serve

    listener = listen()
    memory = 4 * os.fstat(given.fds[0]).st_size + 6 * _GB
    return SandboxProfile(readable=runtime_paths(), memory=memory), lambda: serve(listener, routes())


def _echo(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.echo import echo_routes
    from pai.adapters.workers.service import listen, serve

    listener = listen()
    routes = echo_routes(given.options["context_length"])
    return SandboxProfile(readable=runtime_paths(), memory=2 * _GB), lambda: serve(listener, routes)


def _parser(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.parser import serve_parser

    def run() -> None:
        from pai.adapters.documents import Limits, parse

        with socket.socket(fileno=given.fds[0]) as channel:
            serve_parser(channel, lambda fd, name, limits: parse(fd, name, Limits(**limits)))

    profile = SandboxProfile(
        readable=runtime_paths(),
        memory=given.options["memory_mb"] << 20,
        cpu_seconds=given.options["cpu_seconds"],
        file_size=0,
        open_files=64,
    )
    return profile, run


def _picture(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.picture import serve_picture

    def run() -> None:
        from pai.adapters.pictures.decoding import clean_picture

        with socket.socket(fileno=given.fds[0]) as channel:
            serve_picture(channel, clean_picture)

    # 160 MB of pixels twice, the library, and threads' arenas of address space.
    profile = SandboxProfile(readable=runtime_paths(), memory=_GB, cpu_seconds=20, file_size=0, open_files=64)
    return profile, run


def _ocr(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.ocr import Asked, Networks, serve_ocr

    def run() -> None:
        from pai.adapters.pictures.reading import Reader
        from pai.adapters.pictures.scanning import read_document

        def read(fd: int, asked: Asked, networks: Networks) -> Sequence[Page]:
            return read_document(fd, asked.pages, asked.most, asked.limit, Reader(*networks))

        with socket.socket(fileno=given.fds[0]) as channel:
            serve_ocr(channel, given.options["threads"], read)

    # A page's pixels, what networks compute of them, the libraries, and threads' arenas of address space.
    profile = SandboxProfile(
        readable=runtime_paths(), memory=6 * _GB, cpu_seconds=given.options["cpu_seconds"], file_size=0, open_files=64
    )
    return profile, run


def _whisper(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.whisper import Asked, Network, serve_whisper

    def run() -> None:
        from pai.adapters.sound.decoding import opened_sound
        from pai.adapters.sound.listening import Listener, Said, listen
        from pai.core.perception.values import Wish

        def hear(fd: int, asked: Asked, network: Network) -> Heard:
            def said(features: object, language: str, translate: bool, temperature: float) -> Said:
                return Said(*network.listen(features, language, translate, temperature))

            listener = Listener(
                network.bands, said, network.language, network.text, network.special, network.first_time
            )
            sound = opened_sound(fd)
            wish = Wish(asked.language, asked.translate, temperature=asked.temperature)
            return listen(sound, listener, asked.start, asked.seconds, wish)

        with socket.socket(fileno=given.fds[0]) as channel:
            serve_whisper(channel, given.options["threads"], hear)

    profile = SandboxProfile(
        readable=runtime_paths(), memory=6 * _GB, cpu_seconds=given.options["cpu_seconds"], file_size=0, open_files=64
    )
    return profile, run


def _model_check(given: Given) -> Prepared:
    from pai.adapters.system.sandbox import SandboxProfile, runtime_paths
    from pai.adapters.workers.model_check import serve_model_check

    def run() -> None:
        from pai.adapters.models.formats import validate

        with socket.socket(fileno=given.fds[0]) as channel:
            serve_model_check(channel, validate)

    profile = SandboxProfile(readable=runtime_paths(), memory=_GB, cpu_seconds=60, file_size=0, open_files=64)
    return profile, run


_KINDS: Final[Mapping[str, Callable[[Given], Prepared]]] = {
    "llama": _llama,
    "llama-vision": _llama,
    "openvino": _openvino,
    "transformers": _transformers,
    "converter": _converter,
    "onnx-converter": _onnx_converter,
    "gguf-converter": _gguf_converter,
    "onnx-embedding": _onnx_embedding,
    "onnx-reranking": _onnx_reranking,
    "echo": _echo,
    "parser": _parser,
    "picture": _picture,
    "ocr": _ocr,
    "whisper": _whisper,
    "model-check": _model_check,
}


if __name__ == "__main__":
    sys.exit(main())
