"""Settings as frozen values. Field names are the names in ``pai.toml`` and, upper-cased, in ``PAI_SECTION__NAME``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec


class Profile(StrEnum):
    """Where this installation stands."""

    LAPTOP = "laptop"
    SERVER = "server"
    AIRGAP = "airgap"


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where PAI listens. ``names`` are further host names that requests may carry."""

    host: str = "127.0.0.1"
    port: int = 8443
    names: tuple[str, ...] = ()


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``passphrase_kdf`` is an Argon2id profile of RFC 9106: ``rfc9106-first`` (2 GiB) or ``rfc9106-second`` (64 MiB)."""

    passphrase_kdf: str = "rfc9106-first"  # noqa: S105  the name of a profile


class Sessions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Minutes a browser session lives idle, and at most."""

    idle_minutes: int = 15
    absolute_minutes: int = 720


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``free_disk_floor_mb`` (MB) stops ingestion while the audit log can still be written."""

    free_disk_floor_mb: int = 512


class Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``context_length`` in tokens, ``parallel`` answers at once, ``threads`` 0 means all cores."""

    context_length: int = 8192
    parallel: int = 8
    threads: int = 0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes in MB, time in seconds."""

    json_mb: int = 4
    upload_mb: int = 1024
    document_mb: int = 200
    document_pages: int = 5000
    parse_seconds: int = 120


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days that each class of data is kept (GDPR art. 5(1)(e)); audit six years (45 CFR 164.316(b)(2)(i))."""

    content_days: int = 3650
    output_days: int = 365
    audit_days: int = 2192


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of one process."""

    home: Path
    profile: Profile = Profile.LAPTOP
    server: Server = Server()
    keys: Keys = Keys()
    sessions: Sessions = Sessions()
    storage: Storage = Storage()
    models: Models = Models()
    limits: Limits = Limits()
    retention: Retention = Retention()
    passphrase_file: Path | None = None
    admin_email: str | None = None
    admin_password_file: Path | None = None
    models_choice: str | None = None
    url: str | None = None
    api_key: str | None = None
    ca_file: Path | None = None

    def __repr__(self) -> str:
        return f"Settings(home={str(self.home)!r}, profile={self.profile.value!r}, ...)"
