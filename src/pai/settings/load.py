"""Reads settings: flag > environment > file > default."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec

from pai.foundation.errors import Usage
from pai.settings.values import Keys, Limits, Models, Retention, Server, Sessions, Settings, Storage

SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "server": Server,
    "keys": Keys,
    "sessions": Sessions,
    "storage": Storage,
    "models": Models,
    "limits": Limits,
    "retention": Retention,
}
"""Sections of ``pai.toml`` and of ``PAI_SECTION__NAME``."""
PLAIN: Final = {
    "PAI_PROFILE": "profile",
    "PAI_PASSPHRASE_FILE": "passphrase_file",
    "PAI_ADMIN_EMAIL": "admin_email",
    "PAI_ADMIN_PASSWORD_FILE": "admin_password_file",
    "PAI_MODELS": "models_choice",
    "PAI_URL": "url",
    "PAI_API_KEY": "api_key",
    "PAI_CA_FILE": "ca_file",
}
"""Plain names of settings without a section."""
SHORT: Final = {"PAI_HOST": ("server", "host"), "PAI_PORT": ("server", "port")}
"""Short names of settings that have a section; they win over the long name."""
NEVER_IN_FILE: Final = frozenset({"home", "api_key"})
"""Plain settings that ``pai.toml`` may not hold: where it lies itself, and a secret."""


def known_names() -> dict[str, tuple[str, str]]:
    """Return the environment name of every setting with a section, and its section and field."""
    return {
        f"PAI_{section}__{field}".upper(): (section, field)
        for section, struct in SECTIONS.items()
        for field in struct.__struct_fields__
    }


def load(environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings. ``flags`` maps ``section.name`` (or a plain name) to values given on the command line.

    An empty variable counts as not set. Raises Usage, naming the setting, for unknown names, wrong types, values out of
    their bounds and what this version refuses.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    home = Path(given.pop("home", None) or environ.get("PAI_HOME") or _default_home(environ)).expanduser().absolute()
    values = _file(home / "pai.toml")
    values["home"] = str(home)
    _environment(environ, values)
    for name, value in given.items():
        _put(values, tuple(name.split(".")), value)
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise Usage(_sentence(str(error)), code="bad_setting", hint="see docs/reference/settings.md") from None
    _check(settings)
    return settings


def _sentence(error: str) -> str:
    told, _, place = error.partition(" - at `$")
    name = place.strip("`").strip(".")
    return f"the setting {name} is wrong: {told}" if name else f"a setting is wrong: {told}"


def _default_home(environ: Mapping[str, str]) -> str:
    return str(Path(environ.get("HOME") or "/") / ".local" / "share" / "pai")


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(str(value)).expanduser().absolute()
    raise NotImplementedError(kind)


def _file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Usage(f"{path} is not valid TOML: {error}", hint="mend the file or move it away") from None
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}", hint="check its owner and mode") from None
    top = [*SECTIONS, *(name for name in PLAIN.values() if name not in NEVER_IN_FILE)]
    for name, value in values.items():
        if name not in top:
            raise _unknown(f"{name} in {path}", name, top)
        if name in SECTIONS:
            if not isinstance(value, dict):
                raise Usage(
                    f"{name} in {path} is a section", code="bad_setting", hint=f"write [{name}] above its settings"
                )
            for inner in value:
                if inner not in SECTIONS[name].__struct_fields__:
                    raise _unknown(f"{name}.{inner} in {path}", inner, SECTIONS[name].__struct_fields__)
    return values


def _unknown(what: str, name: str, known: Iterable[str]) -> Usage:
    close = difflib.get_close_matches(name, list(known), 1)
    hint = f"did you mean {close[0]}?" if close else "see docs/reference/settings.md"
    return Usage(f"unknown setting {what}", code="unknown_setting", hint=hint)


def _environment(environ: Mapping[str, str], values: dict[str, Any]) -> None:
    known = known_names()
    lists = {
        (section, field)
        for section, struct in SECTIONS.items()
        for field, kind in get_type_hints(struct).items()
        if kind == tuple[str, ...]
    }
    for name, text in sorted(environ.items()):
        if "__" in name and name.startswith("PAI_"):
            if name not in known:
                raise _unknown(f"{name} in the environment", name, known)
            path: tuple[str, ...] = known[name]
        elif name in PLAIN:
            path = (PLAIN[name],)
        else:
            continue
        if text:
            _put(values, path, [part.strip() for part in text.split(",")] if path in lists else text)
    for name, path in SHORT.items():
        if environ.get(name):
            _put(values, path, environ[name])


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        values = values.setdefault(step, {})
    values[path[-1]] = value


def _check(settings: Settings) -> None:
    if settings.sessions.idle_minutes > settings.sessions.absolute_minutes:
        raise Usage("sessions.idle_minutes is longer than sessions.absolute_minutes", code="bad_setting")
    if settings.limits.document_mb > settings.limits.upload_mb:
        raise Usage("limits.document_mb is larger than limits.upload_mb", code="bad_setting")
