"""A port that a killed server still holds is waited for; one that is taken is told."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from pai.adapters.system.listeners import bind_tcp
from pai.foundation.errors import Conflict


def test_a_port_that_is_let_go_in_time_is_taken() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        letting_go = threading.Timer(0.3, held.close)
        letting_go.start()
        with bind_tcp("127.0.0.1", port, patience=10) as ours:
            assert ours.getsockname()[1] == port
        letting_go.join()


def test_a_port_that_stays_taken_is_told_when_patience_ends() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        began = time.monotonic()
        with pytest.raises(Conflict) as told:
            bind_tcp("127.0.0.1", held.getsockname()[1], patience=0.3)
    assert told.value.code == "port_in_use"
    assert 0.3 <= time.monotonic() - began < 5
