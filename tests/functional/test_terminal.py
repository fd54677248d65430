"""What a person meets at the terminal: set-up by questions, the passphrase, starting and stopping. Real processes at a pty."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from browser_client import BrowserClient
from installation import ADMIN, PASSPHRASE, PASSWORD, READY, Installation, secret_file
from terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    """An installation that is not made yet; nothing but the terminal can give its secrets."""
    return Installation(tmp_path / "pai")


def at_terminal(pai: Installation, *args: str, **env: str) -> Terminal:
    environment = pai.environment(TERM="xterm-256color", **env)
    del environment["PAI_PASSPHRASE_FILE"]
    return Terminal(pai.command(*args), environment)


def give_password(terminal: Terminal) -> None:
    for prompt in ("New password: ", "again: "):
        terminal.expect(prompt)
        terminal.type(PASSWORD)


def give_passphrase(terminal: Terminal) -> None:
    for prompt in ("New passphrase: ", "again: "):
        terminal.expect(prompt)
        terminal.type(PASSPHRASE)


@pytest.mark.slow
def test_each_answer_is_checked_when_it_is_given_and_the_passphrase_is_asked_for_once(empty: Installation) -> None:
    with at_terminal(empty, "init", "--ask", "--serve", "--models", "echo") as terminal:
        terminal.expect("E-mail address of the first administrator: ")
        terminal.type("nonsense")
        terminal.expect("is not an e-mail address")
        terminal.expect("administrator: ")
        terminal.type(ADMIN)
        assert "At least 12 characters" in terminal.expect("New password: ")
        terminal.type("short")
        terminal.expect("fewer than 12 characters")
        terminal.expect("New password: ")
        terminal.type(PASSWORD)
        terminal.expect("again: ")
        terminal.type(PASSWORD + "x")
        terminal.expect("differ")
        give_password(terminal)
        told = terminal.expect("New passphrase: ")
        assert "needed at every start" in told
        assert not (empty.home / "keys").exists(), "something was made before all answers were checked"
        terminal.type("short")
        terminal.expect("shorter than 12")
        terminal.expect("New passphrase: ")
        terminal.type(PASSWORD)
        terminal.expect("has to be another text")
        give_passphrase(terminal)
        terminal.expect("Recovery code: ")
        code = terminal.expect("\n").strip()
        assert "to log in you type e-mail and password" in terminal.expect("Enter: later): ")
        terminal.type("not the code")
        terminal.expect("Once more")
        terminal.expect("Enter: later): ")
        terminal.type(code)
        rest = terminal.expect(READY)
        assert code not in terminal.first_screen(), "the terminal's history keeps the code"
        assert "Passphrase" not in rest
        assert "Next: pai serve" not in rest
        terminal.expect("pai tls trust")
        terminal.expect("pai key create")
        command = (
            Path(f"/proc/{terminal.process.pid}/cmdline").read_bytes()
            + Path(f"/proc/{terminal.process.pid}/environ").read_bytes()
        )
        assert PASSPHRASE.encode() not in command
        client = BrowserClient(empty)
        assert client.log_in(ADMIN, PASSWORD).status_code == 303
        client.close()
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
        assert PASSPHRASE not in terminal.shown
        assert PASSWORD not in terminal.shown


def test_the_third_bad_answer_ends_it_with_nothing_made(empty: Installation) -> None:
    with at_terminal(empty, "init", "--ask", "--models", "echo") as terminal:
        for _ in range(3):
            terminal.expect("administrator: ")
            terminal.type("nonsense")
        assert terminal.end() == 1
        assert terminal.shown.rstrip().splitlines()[-1].startswith("pai: 'nonsense' is not an e-mail address")
    assert not empty.home.exists()
    with at_terminal(empty, "init", "--ask", "--models", "echo") as terminal:
        terminal.expect("administrator: ")
        terminal.type("\x04")  # Ctrl-D
        assert terminal.end() == 1
        assert "Traceback" not in terminal.shown


@pytest.mark.slow
def test_what_can_be_checked_is_checked_before_the_root_key_is_made(empty: Installation) -> None:
    files = ("--password-file", str(empty.password_file), "--passphrase-file", str(empty.passphrase_file))
    for args, told in (
        (("--admin", "nonsense", "--models", "echo"), "is not an e-mail address"),
        (("--admin", ADMIN, "--models", "no-such-choice"), "unknown choice of models"),
    ):
        result = empty.run("init", *args, *files)
        assert result.code in (1, 2)
        assert told in result.err
    weak = secret_file(empty.folder / "weak", "short")
    result = empty.run("init", "--admin", ADMIN, "--password-file", str(weak), *files[2:], "--models", "echo")
    assert "fewer than 12" in result.err
    assert not (empty.home / "keys").exists()


def interrupted(pai: Installation) -> None:
    """End a set-up between its root key and its account, as a power cut would."""
    init = subprocess.Popen(
        pai.command("init", "--admin", ADMIN, "--password-file", str(pai.password_file), "--models", "echo"),
        env=pai.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (pai.home / "keys" / "keystore.json").exists():
        assert init.poll() is None
        time.sleep(0.002)
    init.kill()
    init.wait()
    assert not (pai.home / "initialised").exists()


@pytest.mark.slow
def test_an_interrupted_set_up_asks_for_the_passphrase_that_there_is(empty: Installation) -> None:
    interrupted(empty)
    with at_terminal(empty, "init", "--ask", "--admin", ADMIN, "--models", "echo") as terminal:
        terminal.expect("was interrupted")
        terminal.expect("to go on: ")
        terminal.type("")
        give_password(terminal)
        assert "New passphrase" not in terminal.expect("\nPassphrase: ")
        terminal.type("not the passphrase of then")
        terminal.expect("That is not the passphrase")
        terminal.expect("Passphrase: ")
        terminal.type(PASSPHRASE)
        terminal.expect("Recovery code: ")
        terminal.expect("Enter: later): ")
        terminal.type("")
        assert terminal.end() == 0
    empty.start()
    assert empty.stop() == 0


@pytest.mark.slow
def test_an_interrupted_set_up_can_be_begun_anew_with_another_passphrase(empty: Installation) -> None:
    interrupted(empty)
    wrong = secret_file(empty.folder / "wrong", "another passphrase than then")
    args = ("init", "--admin", ADMIN, "--password-file", str(empty.password_file), "--models", "echo")
    told = empty.run(*args, "--passphrase-file", str(wrong))
    assert told.code == 1
    assert "begin anew" in told.err
    (empty.home / "pai.toml").write_text("[server]\nport = 8443\n")
    with at_terminal(empty, "init", "--ask", "--admin", ADMIN, "--models", "echo") as terminal:
        terminal.expect("to go on: ")
        terminal.type("anew")
        give_password(terminal)
        for prompt in ("New passphrase: ", "again: "):
            terminal.expect(prompt)
            terminal.type("another passphrase than then")
        terminal.expect("Enter: later): ")
        terminal.type("")
        assert terminal.end() == 0
    assert (empty.home / "pai.toml").exists()
    assert empty.ok("audit", "verify", PAI_PASSPHRASE_FILE=str(wrong))["ok"]


@pytest.mark.slow
def test_a_mistyped_passphrase_is_asked_for_again_three_times_in_all(fresh: Installation) -> None:
    with at_terminal(fresh, "serve") as terminal:
        terminal.expect("Passphrase: ")
        terminal.type(PASSPHRASE + "x")
        terminal.expect("Once more (2 of 3)")
        terminal.expect("Passphrase: ")
        terminal.type(PASSPHRASE)
        terminal.expect(READY)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
    with at_terminal(fresh, "audit", "verify") as terminal:
        assert "no server is running" in terminal.expect("Passphrase: ")
        for turn in range(3):
            terminal.type(f"wrong passphrase {turn}")
            if turn < 2:
                terminal.expect("Passphrase: ")
        assert terminal.end() == 1
        assert "pai: the passphrase does not open this installation" in terminal.shown


def test_status_without_a_server_and_a_second_server_ask_for_no_passphrase(fresh: Installation) -> None:
    bare = {"PAI_PASSPHRASE_FILE": ""}
    told = fresh.run("status", "--json", **bare)
    assert (told.code, told.json["running"], told.json["reason"]) == (1, False, "not running")
    shown = fresh.run("status", **bare)
    assert (shown.code, shown.out.startswith("not running"), "make start" in shown.out) == (1, True, True)
    fresh.start()
    with at_terminal(fresh, "serve") as terminal:
        assert terminal.end(20) == 1
        assert "another PAI process is using this home" in terminal.shown
        assert "Passphrase" not in terminal.shown
    told = fresh.ok("status", **bare)
    assert (told["running"], told["ready"]) == (True, True)
    assert fresh.stop() == 0


def test_commands_find_the_port_of_the_running_server(fresh: Installation) -> None:
    port = fresh.port
    fresh.start()
    try:
        elsewhere = {"PAI_PORT": "8443", "PAI_API_KEY": fresh.key()}
        fresh.ok("collection", "create", "found", **elsewhere)
        assert fresh.ok("env", **elsewhere)["PAI_URL"] == f"https://localhost:{port}"
        assert f":{port}/setup#" in fresh.ok("user", "reset-login", ADMIN, **elsewhere)["url"]
    finally:
        assert fresh.stop() == 0
    assert not (fresh.home / "run" / "port").exists()


def uninstall(pai: Installation, program: Path, answers: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "src" / "pai" / "bootstrap" / "uninstall.py"
    command = [sys.executable, "-I", str(script), "--program", str(program), "--sources", str(pai.folder / "sources")]
    command += ["--home", str(pai.home)]
    environment = {**os.environ, "HOME": str(pai.folder)}  # whose trust store is asked and mended
    return subprocess.run(
        command, input=answers, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_uninstall_asks_before_anything_goes_and_leaves_a_running_server_alone(
    fresh: Installation, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    (program / "bin").mkdir(parents=True)
    (program / "bin" / "pai").write_bytes(b"x" * 1000)
    for answers in ("no\ndelete everything\n", "", "y\n\n"):
        told = uninstall(fresh, program, answers)
        assert told.returncode == 0
        assert "nothing was removed" in told.stdout
        assert str(program) in told.stdout
        assert str(fresh.home) not in told.stdout, "no to the program is no to all"
        assert program.exists()
        assert fresh.home.exists()
    fresh.start()
    told = uninstall(fresh, program, "yes\ndelete everything\n")
    assert told.returncode == 1
    assert "is using the home" in told.stderr
    assert program.exists()
    assert fresh.stop() == 0
    (program / "bin" / "sleep").symlink_to("/bin/sleep")
    running = subprocess.Popen([str(program / "bin" / "sleep"), "60"])
    told = uninstall(fresh, program, "yes\ndelete everything\n")
    assert (told.returncode, "runs from" in told.stderr) == (1, True)
    running.kill()
    running.wait()
    cache = fresh.folder / "sources" / "pai" / "__pycache__"
    cache.mkdir(parents=True)
    (cache / "old.pyc").write_bytes(b"x")
    assert uninstall(fresh, program, "yes\nyes\n").returncode == 0
    assert not program.exists()
    assert not cache.exists()
    assert cache.parent.exists()
    assert fresh.home.exists(), "yes, as for the program, is not enough for what nothing brings back"
    assert uninstall(fresh, program, "yes\n").stdout.rstrip().endswith(f"kept {fresh.home}")
    told = uninstall(fresh, program, "delete everything\n")
    assert f"removed {fresh.home}" in told.stdout
    assert "Firefox" in told.stdout
    assert not fresh.home.exists()
    fresh.home.mkdir()
    (fresh.home / "letter.txt").write_text("not PAI's")
    assert "nothing to remove" in uninstall(fresh, program, "delete everything\n").stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil is not installed")
def test_uninstall_takes_the_authority_out_of_the_browsers_store_and_leaves_another_home_its_own(
    fresh: Installation, tmp_path: Path
) -> None:
    store = fresh.folder / ".pki" / "nssdb"

    def trusted() -> bool:
        look = ["certutil", "-d", f"sql:{store}", "-L", "-n", "PAI local authority"]
        return subprocess.run(look, capture_output=True, check=False).returncode == 0

    other = Installation(tmp_path / "other")
    other.init()
    here = {"HOME": str(fresh.folder)}
    other.ok("tls", "trust", "--install", **here)
    away = uninstall(fresh, tmp_path / "none", "delete everything\n")
    assert "trust PAI's authority no longer" not in away.stdout
    assert trusted(), "it was the other home's"
    fresh.init()
    subprocess.run(["certutil", "-d", f"sql:{store}", "-D", "-n", "PAI local authority"], check=True)
    fresh.ok("tls", "trust", "--install", **here)
    gone = uninstall(fresh, tmp_path / "none", "delete everything\n")
    assert "trust PAI's authority no longer" in gone.stdout
    assert not trusted()


@pytest.mark.slow
def test_make_start_asks_serves_and_finds_its_home_again(empty: Installation) -> None:
    environment = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "PIP_CACHE_DIR"}} | {
        "PAI_HOME": str(empty.home), "PAI_PORT": str(empty.port), "PAI_MODELS": "echo",
        "PAI_KEYS__PASSPHRASE_KDF": "rfc9106-second",
    }  # fmt: skip
    with Terminal(["make", "start"], environment, ROOT) as terminal:
        terminal.expect("PAI: home", 20)
        terminal.expect("administrator: ")
        terminal.type(ADMIN)
        give_password(terminal)
        give_passphrase(terminal)
        terminal.expect("Enter: later): ")
        terminal.type("")
        terminal.expect(READY)
        with Terminal(["make", "start"], environment, ROOT) as second:
            second.end()
            assert "another PAI process is using this home" in second.shown
            assert "Passphrase" not in second.shown
        terminal.expect("to stop")
        terminal.press_ctrl_c()
        terminal.expect("PAI is stopping ...")
        terminal.expect("PAI has stopped.")
        terminal.end()
        assert "***" not in terminal.shown, "make adds no error of its own"
    with Terminal(["make", "start"], environment, ROOT) as terminal:
        terminal.expect("Passphrase: ")
        terminal.type(PASSPHRASE)
        assert re.search(r"the server started in [\d.]+ s", terminal.expect(READY))
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.end()
