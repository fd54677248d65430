"""Precedence, names, bounds and refusals of settings; secret files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pai.foundation.errors import Usage
from pai.settings import load, read_secret_file
from pai.settings.load import PLAIN, SECTIONS, SHORT, known_names
from pai.settings.values import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_defaults_are_those_of_the_contract() -> None:
    settings = load({"HOME": "/home/ada"})
    assert settings.home == Path("/home/ada/.local/share/pai")
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8443)
    assert (settings.sessions.idle_minutes, settings.sessions.absolute_minutes) == (15, 720)
    assert settings.keys.passphrase_kdf == "rfc9106-first"
    assert settings.models_choice is None


def test_flag_wins_over_environment_over_file_over_default(home: Path) -> None:
    environ = {"PAI_HOME": str(home)}
    assert load(environ).server.port == 8443
    (home / "pai.toml").write_text("[server]\nport = 9001\n")
    assert load(environ).server.port == 9001
    environ["PAI_SERVER__PORT"] = "9002"
    assert load(environ).server.port == 9002
    environ["PAI_PORT"] = "9003"
    assert load(environ).server.port == 9003
    assert load(environ, {"server.port": 9004}).server.port == 9004
    assert load(environ, {"server.port": None}).server.port == 9003


def test_every_setting_can_be_set_by_its_environment_name(home: Path) -> None:
    texts = {str: "x", int: "3000", tuple: "a.test, b.test"}
    for name, (section, field) in known_names().items():
        default = getattr(getattr(load({"PAI_HOME": str(home)}), section), field)
        text = {"host": "::1", "passphrase_kdf": "rfc9106-second", "document_mb": "1000"}.get(
            field, texts[type(default)]
        )
        if field in {"parallel", "threads"}:
            text = "3"
        elif field in {"idle_minutes", "absolute_minutes"}:
            text = "700"
        elif field == "json_mb":
            text = "9"
        changed = getattr(getattr(load({"PAI_HOME": str(home), name: text}), section), field)
        assert changed != default, name


def test_lists_are_comma_separated(home: Path) -> None:
    assert load({"PAI_HOME": str(home), "PAI_SERVER__NAMES": "a.test, b.test"}).server.names == ("a.test", "b.test")


def test_an_empty_variable_is_not_set(home: Path) -> None:
    settings = load({"PAI_HOME": str(home), "PAI_PORT": "", "PAI_ADMIN_EMAIL": "", "PAI_PASSPHRASE_FILE": ""})
    assert (settings.server.port, settings.admin_email, settings.passphrase_file) == (8443, None, None)


def test_every_section_and_plain_name_is_a_field() -> None:
    fields = set(Settings.__struct_fields__)
    assert set(SECTIONS) | set(PLAIN.values()) | {"home"} == fields
    assert set(SHORT.values()) <= set(known_names().values())


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PAI_SERVER__PROT": "1"}, "PAI_SERVER__PORT"),
        ({"PAI_SERVR__PORT": "1"}, "PAI_SERVER__PORT"),
        ({"PAI_XYZZY__Q": "1"}, "reference/settings.md"),
    ],
)
def test_an_unknown_variable_is_named_with_a_close_match(environ: dict[str, str], named: str) -> None:
    with pytest.raises(Usage) as told:
        load({"HOME": "/nowhere", **environ})
    assert told.value.code == "unknown_setting"
    assert next(iter(environ)) in told.value.message
    assert named in told.value.hint


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("[server]\nprot = 1\n", "unknown_setting", "did you mean port?"),
        ("[sever]\nport = 1\n", "unknown_setting", "did you mean server?"),
        ("server = 1\n", "bad_setting", "[server]"),
        ('api_key = "x"\n', "unknown_setting", ""),
        ("[server\n", "usage", "mend"),
    ],
)
def test_a_wrong_file_is_refused(home: Path, text: str, code: str, named: str) -> None:
    (home / "pai.toml").write_text(text)
    with pytest.raises(Usage) as told:
        load({"PAI_HOME": str(home)})
    assert told.value.code == code
    assert named in told.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAI_PORT", "0"),
        ("PAI_PORT", "99999"),
        ("PAI_PORT", "https"),
        ("PAI_KEYS__PASSPHRASE_KDF", "md5"),
        ("PAI_MODELS", "gpt"),
        ("PAI_PROFILE", "cloud"),
        ("PAI_RETENTION__AUDIT_DAYS", "30"),
        ("PAI_STORAGE__FREE_DISK_FLOOR_MB", "0"),
        ("PAI_SESSIONS__IDLE_MINUTES", "721"),
        ("PAI_LIMITS__DOCUMENT_MB", "2000"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, value: str) -> None:
    with pytest.raises(Usage):
        load({"HOME": "/nowhere", name: value})


@pytest.mark.parametrize(
    ("host", "on_loopback", "everywhere", "called"),
    [("127.0.0.1", True, False, "localhost"), ("::1", True, False, "localhost"), ("0.0.0.0", False, True, "localhost"),
     ("::", False, True, "localhost"), ("192.0.2.1", False, False, "192.0.2.1"), ("fd00::2", False, False, "[fd00::2]"),
     ("127.0.0.1.example.org", False, False, "127.0.0.1.example.org")],
)  # fmt: skip
def test_what_an_address_reaches(host: str, on_loopback: bool, everywhere: bool, called: str) -> None:
    server = load({"HOME": "/nowhere", "PAI_HOST": host}).server
    assert (server.on_loopback, server.everywhere, server.called) == (on_loopback, everywhere, called)


@pytest.mark.parametrize("profile", ["laptop", "server", "airgap"])
def test_every_profile_is_taken(profile: str) -> None:
    assert load({"HOME": "/nowhere", "PAI_PROFILE": profile}).profile == profile


def test_a_key_does_not_show_in_the_settings_text() -> None:
    assert "pai_secret" not in repr(load({"HOME": "/nowhere", "PAI_API_KEY": "pai_secret"}))


@pytest.mark.parametrize(
    ("written", "read"), [(b"a b\n", b"a b"), (b"a\n\n", b"a\n"), (b"a\r\n", b"a\r"), (b"a", b"a")]
)
def test_one_trailing_newline_is_stripped(tmp_path: Path, written: bytes, read: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(written)
    file.chmod(0o600)
    assert read_secret_file(file, "password").reveal() == read


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o700, 0o601, 0o620])
def test_a_mode_wider_than_0600_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"hidden word")
    file.chmod(mode)
    with pytest.raises(Usage) as told:
        read_secret_file(file, "password")
    assert told.value.code == "secret_file_open"
    assert "hidden" not in told.value.message


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_narrow_mode_is_accepted(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"x")
    file.chmod(mode)
    assert read_secret_file(file, "password").reveal() == b"x"


def test_empty_large_missing_and_odd_files_are_refused(tmp_path: Path) -> None:
    empty, large, pipe = tmp_path / "empty", tmp_path / "large", tmp_path / "pipe"
    empty.write_bytes(b"\n")
    large.write_bytes(b"x" * 70_000)
    os.mkfifo(pipe, 0o600)
    for file in (empty, large):
        file.chmod(0o600)
    for file in (empty, large, pipe, tmp_path / "missing", tmp_path):
        with pytest.raises(Usage):
            read_secret_file(file, "password")
