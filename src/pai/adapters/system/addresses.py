"""By what names other machines may reach this one: its addresses as the kernel has them, and its host name. Nothing is looked up."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import Final

_V4: Final = Path("/proc/net/fib_trie")
_V6: Final = Path("/proc/net/if_inet6")
_GLOBAL: Final = "00"
"""Scope of an IPv6 address that is good beyond its link (RFC 4007)."""
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def own_names(*, v4: str | None = None, v6: str | None = None, host: str | None = None) -> tuple[str, ...]:
    """Return host name and addresses, loopback and link-local ones left out, sorted. The texts are the kernel's, given by tests alone."""
    found = _addresses(_read(_V4) if v4 is None else v4, _read(_V6) if v6 is None else v6)
    name = (socket.gethostname() if host is None else host).lower()
    named = [name] if name != "localhost" and all(_LABEL.match(label) for label in name.split(".")) else []
    return (*named, *sorted(found))


def _addresses(v4: str, v6: str) -> set[str]:
    local = re.findall(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL", v4)
    rows = [line.split() for line in v6.splitlines()]
    wide = [":".join(re.findall("....", row[0])) for row in rows if len(row) > 3 and row[3] == _GLOBAL]
    every = [ipaddress.ip_address(text) for text in (*local, *wide)]
    return {str(one) for one in every if not one.is_loopback and not one.is_link_local}


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""  # a kernel without that protocol
