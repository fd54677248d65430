from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pai.adapters.workers import messages

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    left, right = messages.pair()
    with left, right:
        right.settimeout(5)
        yield left, right


def test_a_frame_and_its_descriptors_arrive(ends: Ends) -> None:
    read, write = os.pipe()
    messages.send_frame(ends[0], {"a": [1, "ä"]}, [write])
    os.close(write)
    received = messages.receive_frame(ends[1])
    assert received is not None
    body, fds = received
    assert messages.decode_mapping(body) == {"a": [1, "ä"]}
    assert not os.get_inheritable(fds[0])
    os.write(fds[0], b"x")
    os.close(fds[0])
    assert os.read(read, 2) == b"x"
    os.close(read)


def test_frames_keep_their_own_descriptors(ends: Ends) -> None:
    with Path(os.devnull).open() as file:
        messages.send_frame(ends[0], {"n": 1})
        messages.send_frame(ends[0], {"n": 2}, [file.fileno()])
        messages.send_frame(ends[0], {"n": 3})
    counts = []
    for _ in range(3):
        frame = messages.receive_frame(ends[1])
        assert frame is not None
        counts.append(len(frame[1]))
        for fd in frame[1]:
            os.close(fd)
    assert counts == [0, 1, 0]


def test_the_end_is_none(ends: Ends) -> None:
    ends[0].close()
    assert messages.receive_frame(ends[1]) is None


def test_an_end_inside_a_frame_is_an_error(ends: Ends) -> None:
    ends[0].sendall(struct.pack(">I", 10) + b"half")
    ends[0].close()
    with pytest.raises(messages.FrameError, match="inside"):
        messages.receive_frame(ends[1])


def test_a_long_frame_is_refused_before_it_is_read(ends: Ends) -> None:
    ends[0].sendall(struct.pack(">I", 1000))
    with pytest.raises(messages.FrameError, match="limit"):
        messages.receive_frame(ends[1], limit=999)


def test_too_many_descriptors_are_refused_and_closed(ends: Ends) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Path(os.devnull).open() as file:
        messages.send_frame(ends[0], {}, [file.fileno()] * (messages.MAX_DESCRIPTORS * 2))
    with pytest.raises(messages.FrameError):
        messages.receive_frame(ends[1])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"a":NaN}'])
def test_only_objects_are_messages(body: bytes) -> None:
    with pytest.raises(messages.FrameError):
        messages.decode_mapping(body)


def test_large_frames_cross_in_pieces(ends: Ends) -> None:
    value = {"text": "x" * 900_000}
    sender = threading.Thread(target=messages.send_frame, args=(ends[0], value))
    sender.start()
    frame = messages.receive_frame(ends[1])
    sender.join()
    assert frame is not None
    assert messages.decode_mapping(frame[0]) == value
