"""Reads settings from flags, environment and file."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pai.foundation.errors import Usage
from pai.foundation.redaction import Secret
from pai.settings.values import Settings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SECTIONS = ("server", "keys", "sessions", "storage", "models", "limits", "retention")
PLAIN = {
    "PAI_PASSPHRASE_FILE": "passphrase_file",
    "PAI_ADMIN_EMAIL": "admin_email",
    "PAI_ADMIN_PASSWORD_FILE": "admin_password_file",
    "PAI_PROFILE": "profile",
    "PAI_MODELS": "models_choice",
    "PAI_URL": "url",
    "PAI_API_KEY": "api_key",
    "PAI_CA_FILE": "ca_file",
}
SHORT = {"PAI_HOST": ("server", "host"), "PAI_PORT": ("server", "port")}


def known_names() -> dict[str, type[msgspec.Struct]]:
    """Return the environment name of every sectioned setting and the struct that holds it."""
    found = {}
    for field in msgspec.structs.fields(Settings):
        if field.name in SECTIONS:
            for inner in msgspec.structs.fields(field.type):
                found[f"PAI_{field.name}__{inner.name}".upper()] = field.type
    return found


def load(environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings. ``flags`` maps ``section.name`` (or a plain name) to values given on the command line.

    Raises Usage, naming the setting, for unknown names, wrong types and values that a profile refuses.
    """
    home = Path((flags or {}).get("home") or environ.get("PAI_HOME") or _default_home(environ)).expanduser().absolute()
    values: dict[str, Any] = _file(home / "pai.toml")
    values["home"] = str(home)
    _environment(environ, values)
    for name, value in (flags or {}).items():
        if value is not None and name != "home":
            _put(values, tuple(name.split(".")), value)
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise Usage(f"a setting is wrong: {error}", hint="see docs/configuration.md for names and types") from None
    _check(settings)
    return settings


def _default_home(environ: Mapping[str, str]) -> str:
    return str(Path(environ.get("HOME", "/")) / ".local" / "share" / "pai")


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(str(value)).expanduser().absolute()
    raise NotImplementedError(kind)


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Usage(f"{path} is not valid TOML: {error}", hint="mend the file or move it away") from None
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}", hint="check its owner and mode") from None


def _environment(environ: Mapping[str, str], values: dict[str, Any]) -> None:
    known = known_names()
    for name, text in sorted(environ.items()):
        if not name.startswith("PAI_") or name == "PAI_HOME":
            continue
        if name in PLAIN:
            _put(values, (PLAIN[name],), text)
        elif name in SHORT:
            _put(values, SHORT[name], text)
        elif name in known:
            section, field = name[4:].lower().split("__")
            _put(values, (section, field), text)
        elif "__" in name:
            close = difflib.get_close_matches(name, known, 1)
            raise Usage(
                f"unknown setting {name} in the environment",
                code="unknown_setting",
                hint=f"did you mean {close[0]}?" if close else "see docs/configuration.md",
            )


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        values = values.setdefault(step, {})
    values[path[-1]] = value


def _check(settings: Settings) -> None:
    if settings.server.host not in LOOPBACK:
        raise Usage(
            f"server.host {settings.server.host} is not a loopback address",
            code="not_loopback",
            hint="administrators need a second factor before PAI listens on a network; it does not have one yet",
        )
    if not 1 <= settings.server.port <= 65535:
        raise Usage(f"server.port {settings.server.port} is not a port", hint="use 1 to 65535")
    if settings.keys.passphrase_kdf not in {"rfc9106-first", "rfc9106-second"}:
        raise Usage(
            f"keys.passphrase_kdf {settings.keys.passphrase_kdf!r} is unknown",
            hint="use rfc9106-first (2 GiB of memory) or rfc9106-second (64 MiB)",
        )


def read_secret_file(path: Path, what: str) -> Secret:
    """Return the secret in a file without its one trailing newline. Raises Usage when others may read it or it is empty."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Usage(f"the {what} file {path} cannot be read: {error.strerror}", code="secret_file") from None
    with os.fdopen(fd, "rb") as file:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        if mode & 0o077:
            raise Usage(
                f"the {what} file {path} has mode {mode:04o}, so others can read it",
                code="secret_file_open",
                hint=f"run: chmod 600 {path}",
            )
        text = file.read(64 * 1024)
    text = text.removesuffix(b"\n")
    if not text:
        raise Usage(f"the {what} file {path} is empty", code="secret_file")
    return Secret(text)
