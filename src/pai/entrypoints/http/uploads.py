"""Files of a multipart body (RFC 7578) as they arrive: piece by piece into encrypted originals.

Nothing is spooled: a piece is in memory until the thread that encrypts it asks for the next one, which holds the sender back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, overload

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from pai.core.knowledge.ingest import Upload
from pai.entrypoints.http.places import Places
from pai.entrypoints.http.streams import while_valid
from pai.entrypoints.http.walls import BodyTooLarge
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError

MAX_FILES: Final = 1000
MAX_FIELDS: Final = 1000
MAX_FIELD_BYTES: Final = 16 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024
IDLE_SECONDS: Final = 60.0
_PIECE: Final = 256 * 1024
_AHEAD: Final = 4


@dataclass(slots=True)
class _Part:
    """The part that is being read: its name, and for files its file name and the queue its bytes go to."""

    name: str = ""
    filename: str | None = None
    value: bytearray = field(default_factory=bytearray)


class _Incoming:
    """The bytes of one file, to be iterated in a thread. The end comes when the next part, or the end of all, is known."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.pieces: asyncio.Queue[bytes | PaiError | None] = asyncio.Queue(_AHEAD)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            piece = asyncio.run_coroutine_threadsafe(self.pieces.get(), self._loop).result()
            if piece is None:
                return
            if isinstance(piece, PaiError):
                raise piece
            yield piece

    def give_up(self, error: PaiError) -> None:
        """Make whoever waits for more raise."""
        while not self.pieces.empty():
            self.pieces.get_nowait()
        self.pieces.put_nowait(error)


class ArrivingFiles(Sequence[Upload]):
    """The files of a body that is still coming in. Its length is how many have begun; iterating takes them in order.

    ``fields`` are the names of other fields that may come; ``values`` holds what came, by name. They belong to the files after them, so
    they have to come first, unless they may be ``late``: then they are all there when the last file has ended. Of them, ``subject``
    (repeated) and ``subject_column`` are told with each file.
    """

    def __init__(
        self,
        content_type: str,
        body: AsyncIterator[bytes],
        fields: Sequence[str] = ("subject", "subject_column"),
        most: int = MAX_FILES,
        *,
        late: bool = False,
    ) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise Invalid("the multipart body has no boundary", code="bad_multipart")
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._uploads: list[Upload] = []
        self._incoming: list[_Incoming] = []
        self.values: dict[str, list[str]] = {}
        self._known = frozenset(fields)
        self._most = most
        self._late = late
        self._fields = 0
        self._events: list[tuple[str, Any]] = []
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._part = _Part()
        self._begun = asyncio.Event()
        self._complete = False
        self._error: PaiError | None = None
        self._parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._uploads)

    @overload
    def __getitem__(self, index: int) -> Upload: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Upload]: ...
    def __getitem__(self, index: int | slice) -> Upload | Sequence[Upload]:
        return self._uploads[index]

    async def begun(self) -> None:
        """Wait for the first file. Raises Invalid when the body has none, or its form is wrong."""
        await self._begun.wait()
        if self._error is not None:
            raise self._error
        if not self._uploads:
            raise Invalid("the body holds no file", code="no_file", hint="field name: file")

    async def feed(self) -> None:
        """Read the body to its end. Errors are handed to whoever takes the files."""
        pending = bytearray()
        try:
            async for piece in _timed(self._body):
                self._parser.write(piece)
                await self._follow(pending)
            self._parser.finalize()
            await self._follow(pending)
            if not self._complete:
                raise Invalid("the body ends in the middle of a file", code="bad_multipart", hint="send it again")
            await self._finish(pending)
        except FormParserError as error:
            self.fail(Invalid(f"the multipart body is malformed: {error}", code="bad_multipart"))
        except (ClientDisconnect, BodyTooLarge):
            self.fail(Invalid("the body did not arrive whole", code="upload_cut_off", hint="send it again"))
        except PaiError as error:
            self.fail(error)
        finally:
            self._begun.set()

    def fail(self, error: PaiError) -> None:
        """End all waiting with this error."""
        self._error = self._error or error
        self._begun.set()
        if self._incoming:
            self._incoming[-1].give_up(error)

    async def _follow(self, pending: bytearray) -> None:
        events, self._events = self._events, []
        for kind, value in events:
            if kind == "begin":
                await self._begin(_disposition(value), pending)
            elif kind == "data":
                await self._data(value, pending)
            else:
                self._end()

    async def _begin(self, disposition: dict[bytes, bytes], pending: bytearray) -> None:
        name, filename = disposition.get(b"name", b""), disposition.get(b"filename")
        self._part = _Part(name.decode("utf-8", "replace") or "-", None if filename is None else _text(filename))
        if filename is None:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise Invalid(f"the body has more than {MAX_FIELDS} fields", code="bad_multipart")
            if self._uploads and not self._late:
                raise Invalid("fields have to come before the files", code="bad_multipart", hint="send the file last")
            return
        if self._part.name != "file":
            raise Invalid("files have the field name 'file'", code="bad_multipart")
        if len(self._uploads) >= self._most:
            raise Invalid(f"a request takes at most {self._most} files", code="bad_count")
        incoming = _Incoming(self._loop)
        subjects, column = self.values.get("subject", ()), self.values.get("subject_column", ("",))[-1]
        upload = Upload(self._part.filename or "unnamed", incoming, tuple(subjects), column)
        # Known before the file ahead of it ends: whoever takes the files sees that there is one more.
        self._uploads.append(upload)
        if self._incoming:
            await self._finish(pending)
        self._incoming.append(incoming)
        self._begun.set()

    async def _data(self, data: bytes, pending: bytearray) -> None:
        if self._part.filename is None:
            self._part.value += data
            if len(self._part.value) > MAX_FIELD_BYTES:
                raise Invalid(f"a field is longer than {MAX_FIELD_BYTES} bytes", code="bad_multipart")
            return
        pending += data
        if len(pending) >= _PIECE:
            await self._incoming[-1].pieces.put(bytes(pending))
            pending.clear()

    async def _finish(self, pending: bytearray) -> None:
        if not self._incoming:
            return
        if pending:
            await self._incoming[-1].pieces.put(bytes(pending))
            pending.clear()
        await self._incoming[-1].pieces.put(None)

    def _end(self) -> None:
        if self._part.filename is None:
            text = self._part.value.decode("utf-8", "replace")[:200]
            if self._part.name not in self._known:
                raise Invalid(f"unknown field {self._part.name[:40]!r}", code="bad_multipart")
            self.values.setdefault(self._part.name, []).append(text)
        self._part = _Part()

    def _callbacks(self) -> dict[str, Any]:
        def header_field(data: bytes, start: int, end: int) -> None:
            self._header[0].extend(data[start:end])
            self._bound_header()

        def header_value(data: bytes, start: int, end: int) -> None:
            self._header[1].extend(data[start:end])
            self._bound_header()

        def header_end() -> None:
            self._headers[bytes(self._header[0]).lower()] = bytes(self._header[1])
            self._header = (bytearray(), bytearray())

        def headers_finished() -> None:
            self._events.append(("begin", self._headers))
            self._headers = {}

        def end() -> None:
            self._complete = True

        return {
            "on_header_field": header_field, "on_header_value": header_value, "on_header_end": header_end,
            "on_headers_finished": headers_finished,
            "on_part_data": lambda data, start, end: self._events.append(("data", data[start:end])),
            "on_part_end": lambda: self._events.append(("end", None)),
            "on_end": end,
        }  # fmt: skip

    def _bound_header(self) -> None:
        if len(self._header[0]) + len(self._header[1]) > MAX_HEADER_BYTES or len(self._headers) > 16:
            raise Invalid("the headers of a part are too long", code="bad_multipart")


@asynccontextmanager
async def arriving_files(
    request: Request,
    actor: Actor,
    fields: Sequence[str] = ("subject", "subject_column"),
    most: int = MAX_FILES,
    *,
    late: bool = False,
) -> AsyncIterator[ArrivingFiles]:
    """Hold the files of a request's body while they come in, the first of which has begun. Raises Invalid for another kind of body."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise Invalid("send the files as multipart/form-data", code="bad_content_type", hint="field name: file")
    places: Places = request.app.state.uploads
    async with places.held(actor.id):
        arriving = while_valid(request, actor, request.stream())
        files = ArrivingFiles(kind, arriving, fields, most, late=late)
        feeding = asyncio.create_task(files.feed())
        try:
            await files.begun()
            yield files
        finally:
            feeding.cancel()
            files.fail(Invalid("the upload was given up", code="upload_cut_off"))
            await asyncio.gather(feeding, return_exceptions=True)
            await arriving.aclose()


def _disposition(headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
    kind, options = parse_options_header(headers.get(b"content-disposition", b""))
    if kind != b"form-data":
        raise Invalid("a part of the body is not form-data", code="bad_multipart")
    return options


def _text(filename: bytes) -> str:
    return filename.decode("utf-8", "replace")


async def _timed(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                piece = await anext(body, None)
        except TimeoutError:
            raise Invalid(
                f"nothing came for {IDLE_SECONDS:.0f} seconds", code="upload_stalled", hint="send it again"
            ) from None
        if piece is None:
            return
        yield piece
