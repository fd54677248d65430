"""Settings as frozen values. Field names are the names in ``pai.toml`` and, upper-cased, in ``PAI_SECTION__NAME``.

Names, defaults, bounds and descriptions stand in ``docs/reference/settings.md``, which is generated from here.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  names to be told apart, nothing is bound here
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Profile(StrEnum):
    """Where this installation stands."""

    LAPTOP = "laptop"
    SERVER = "server"
    AIRGAP = "airgap"


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where PAI listens."""

    host: Annotated[
        str,
        Meta(
            description="Address to listen on; one beyond loopback is refused until every administrator has a second factor"
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the HTTPS server")] = 8443
    names: Annotated[
        tuple[str, ...],
        Meta(description="Further host names that requests may carry and the certificate names (comma-separated)"),
    ] = ()

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK

    @property
    def everywhere(self) -> bool:
        """Whether it listens on every address of the machine, loopback among them."""
        return self.host in EVERYWHERE

    @property
    def called(self) -> str:
        """What this very machine calls the server."""
        if self.on_loopback or self.everywhere:
            return "localhost"
        return f"[{self.host}]" if ":" in self.host else self.host


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the root key is protected."""

    passphrase_kdf: Annotated[
        Literal["rfc9106-first", "rfc9106-second"],
        Meta(description="Argon2id profile of RFC 9106 for the root passphrase: first needs 2 GiB, second 64 MiB"),
    ] = "rfc9106-first"  # noqa: S105  the name of a profile


class Sessions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a browser stays logged in."""

    idle_minutes: Annotated[int, Meta(ge=1, le=1440, description="Minutes until an idle session ends")] = 15
    absolute_minutes: Annotated[int, Meta(ge=1, le=10080, description="Minutes until any session ends")] = 720


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Room on the disk."""

    free_disk_floor_mb: Annotated[
        int,
        Meta(
            ge=16, description="Free space (MB) below which ingestion stops, so that the audit log can still be written"
        ),
    ] = 512


class Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How engines run."""

    context_length: Annotated[
        int, Meta(ge=512, le=1 << 20, description="Tokens of context, shared by parallel answers")
    ] = 8192
    parallel: Annotated[int, Meta(ge=1, le=64, description="Answers generated at once")] = 8
    threads: Annotated[int, Meta(ge=0, le=1024, description="Threads of an engine; 0 means all cores")] = 0
    memory_mb: Annotated[
        int, Meta(ge=0, description="Memory (MB) for all loaded models together; 0 means 70 % of this machine's")
    ] = 0
    idle_minutes: Annotated[
        int, Meta(ge=0, le=100_000, description="Minutes until a model that nobody uses is unloaded; 0 means never")
    ] = 60


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is refused before it is parsed."""

    json_mb: Annotated[int, Meta(ge=1, le=1024, description="Largest JSON body (MB)")] = 4
    upload_mb: Annotated[int, Meta(ge=1, description="Largest upload (MB)")] = 1024
    document_mb: Annotated[int, Meta(ge=1, description="Largest single document (MB)")] = 200
    document_pages: Annotated[int, Meta(ge=1, description="Most pages of one document")] = 5000
    parse_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="Most seconds a parser may take for one document")
    ] = 120


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days that each class of data is to be kept (GDPR art. 5(1)(e)); audit six years (45 CFR 164.316(b)(2)(i)).

    These are checked but not acted on yet: nothing is deleted by its age.
    """

    content_days: Annotated[int, Meta(ge=1, description="Days that documents are kept")] = 3650
    output_days: Annotated[int, Meta(ge=1, description="Days that answers and conversations are kept")] = 365
    audit_days: Annotated[int, Meta(ge=2192, description="Days that audit events are kept; not below six years")] = 2192


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of one process. Those without a section have plain names (see ``load.PLAIN``)."""

    home: Annotated[Path, Meta(description="Folder that holds everything of one installation (mode 0700)")]
    profile: Annotated[
        Profile, Meta(description="laptop: one person. server, airgap: administrators need a second factor")
    ] = Profile.LAPTOP
    server: Server = Server()
    keys: Keys = Keys()
    sessions: Sessions = Sessions()
    storage: Storage = Storage()
    models: Models = Models()
    limits: Limits = Limits()
    retention: Retention = Retention()
    passphrase_file: Annotated[Path | None, Meta(description="File with the root passphrase (mode 0600)")] = None
    admin_email: Annotated[str | None, Meta(description="First initialisation: address of the first administrator")] = (
        None
    )
    admin_password_file: Annotated[
        Path | None, Meta(description="First initialisation: file with the administrator's password (mode 0600)")
    ] = None
    models_choice: Annotated[
        Literal["starter", "small", "echo", "none"] | None,
        Meta(description="First initialisation: starter, small, echo or none"),
    ] = None
    url: Annotated[str | None, Meta(description="Client: address of the server; default https://localhost:PORT")] = None
    api_key: Annotated[str | None, Meta(description="Client: API key of content commands")] = None
    ca_file: Annotated[Path | None, Meta(description="Client: certificate authority; default $PAI_HOME/tls/ca.pem")] = (
        None
    )

    @property
    def place(self) -> str:
        """What people call this installation: its first own name, else this machine."""
        return self.server.names[0] if self.server.names else "localhost"

    def __repr__(self) -> str:
        return f"Settings(home={str(self.home)!r}, profile={self.profile.value!r}, ...)"
