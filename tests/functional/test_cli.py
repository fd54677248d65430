"""The command line: set-up, bad set-up, exit codes, and the main job on files good and bad."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from installation import ADMIN, PASSPHRASE, Installation, secret_file


def test_help_lists_commands_without_importing_engines(served: Installation) -> None:
    shown = served.run("--help")
    assert shown.code == 0
    assert "ingest" in shown.out
    for command in ("init", "serve", "ask", "ingest", "key", "audit", "env"):
        assert "Example" in served.run(command, "--help").out, command


def test_unknown_settings_and_commands_are_wrong_usage(served: Installation) -> None:
    told = served.run("status", "--json", PAI_SERVER__PROT="1")
    assert told.code == 2
    assert "PAI_SERVER__PORT" in json.loads(told.err)["error"]["hint"]
    assert served.run("no-such-command").code == 2


def test_init_names_what_is_missing(tmp_path: Path) -> None:
    pai = Installation(tmp_path)
    told = pai.run("init", "--models", "echo")
    assert told.code == 2
    assert "PAI_ADMIN_EMAIL" in told.err


def test_an_open_passphrase_file_is_refused(tmp_path: Path) -> None:
    pai = Installation(tmp_path)
    pai.passphrase_file.chmod(0o644)
    told = pai.run("init", "--admin", "a@pai.test", "--password-file", str(pai.password_file), "--models", "echo")
    assert told.code == 2
    assert "chmod 600" in told.err


@pytest.mark.slow
def test_wrong_passphrase_busy_port_and_second_server_each_get_a_sentence(fresh: Installation, tmp_path: Path) -> None:
    wrong = secret_file(tmp_path / "wrong", PASSPHRASE + "x")
    told = fresh.run("serve", "--passphrase-file", str(wrong))
    assert (told.code, "passphrase" in told.err) == (1, True)
    fresh.start()
    second = fresh.run("serve")
    assert (second.code, "another PAI process" in second.err) == (1, True)
    other = Installation(tmp_path / "other", port=fresh.port)
    other.init()
    busy = other.run("serve")
    assert (busy.code, "already in use" in busy.err) == (1, True)
    assert fresh.stop() == 0


@pytest.mark.slow
def test_init_again_changes_nothing_and_a_missing_model_is_told(fresh: Installation, tmp_path: Path) -> None:
    again = fresh.init()
    assert again["recovery_code"] is None
    assert len(fresh.ok("user", "list")["users"]) == 1
    other = Installation(tmp_path / "none", models="starter")
    (other.folder / "empty").mkdir()
    assert (
        other.run(
            "init", "--admin", "a@pai.test", "--password-file", str(other.password_file), "--models", "nonsense"
        ).code
        == 2
    )


def test_host_commands_without_a_server(fresh: Installation) -> None:
    key = fresh.key("inference")
    assert key.startswith("pai_")
    assert fresh.ok("audit", "verify")["ok"]
    told = fresh.run("collection", "list", PAI_API_KEY=key)
    assert told.code == 1
    assert "pai serve" in told.err


@pytest.mark.slow
def test_only_the_owner_can_make_a_content_key(fresh: Installation) -> None:
    file = secret_file(fresh.folder / "pw", "quiet lantern under the bridge")
    fresh.ok("user", "add", "member@pai.test", "--password-file", str(file))
    without = fresh.run("key", "create", "--owner", "member@pai.test", "--name", "x", "--scopes", "knowledge", "--json")
    assert without.code == 1
    assert json.loads(without.err)["error"]["code"] == "owner_password_needed"
    wrong = secret_file(fresh.folder / "wrong", "quiet lantern under the bridge!")
    args = ("key", "create", "--owner", "member@pai.test", "--name", "x", "--scopes", "knowledge")
    assert fresh.run(*args, "--owner-password-file", str(wrong)).code == 1
    assert fresh.ok(*args, "--owner-password-file", str(file))["content"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "good.txt").write_text("The boiler in the cellar was replaced on 4 May 2031 by the firm Holm.\n")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    (folder / "bytes.txt").write_bytes(bytes(range(256)) * 64)
    (folder / "not.docx").write_bytes(b"\x7fELF" + bytes(500))
    return folder


def test_the_main_job_with_bad_files_between(served: Installation, corpus: Path) -> None:
    key = {"PAI_API_KEY": served.key()}
    served.ok("collection", "create", "mixed", **key)
    told = served.run("ingest", "mixed", str(corpus), "--json", **key)
    assert told.code == 3, told.err
    value = told.json
    assert sorted(Path(f["path"]).name for f in value["accepted"]) == ["good.txt"]
    codes = {Path(f["path"]).name: f["code"] for f in value["refused"]}
    assert codes["empty.txt"] == "empty"
    assert set(codes) == {"empty.txt", "broken.pdf", "bytes.txt", "not.docx"}
    again = served.ok("ingest", "mixed", str(corpus / "good.txt"), **key)
    assert len(again["skipped"]) == 1
    answer = served.ok("ask", "mixed", "When was the boiler in the cellar replaced?", **key)
    assert answer["sources"][0]["document"] == "good.txt"
    quote = answer["sources"][0]["quote"]
    assert quote in (corpus / "good.txt").read_text()
    assert answer["answer"] == f"{quote} [1]", "nothing but what stands there"
    nothing = served.ok("ask", "mixed", "Which spacecraft visited Neptune?", **key)
    assert nothing["abstained"]
    assert nothing["sources"] == []
    all_bad = served.run("ingest", "mixed", str(corpus / "broken.pdf"), "--json", **key)
    assert all_bad.code == 1
    (corpus / "scrambled.pdf").write_bytes(b"\x00\x01 no mark of any kind")
    shown = served.run("ingest", "mixed", str(corpus / "good.txt"), str(corpus / "scrambled.pdf"), **key)
    assert (shown.code, "the PDF is damaged" in shown.out) == (3, True)
    assert shown.out.splitlines()[-1] == "0 documents in, 1 skipped, 1 refused (see above)"
    table = corpus / "table.csv"
    table.write_text("patient,room\nAda Probe,12\nBen Muster,14\n")
    served.ok("ingest", "mixed", str(table), "--subject-column", "patient", **key)
    events = served.ok("audit", "tail", "--limit", "200")["events"]
    touched = [e for e in events if e["name"] == "knowledge:document:ingest" and e["subjects"]]
    assert len(touched[0]["subjects"]) == 2


@pytest.mark.slow
def test_kill_of_the_gateway_during_ingest_leaves_whole_documents(fresh: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(30):
        (folder / f"{n:02}.txt").write_text(f"Report number {n} tells of the pump in hall {n}.\n" * 40)
    key = {"PAI_API_KEY": fresh.key()}
    fresh.start()
    fresh.ok("collection", "create", "many", **key)
    ingest = subprocess.Popen(
        fresh.command("ingest", "many", str(folder)),
        env=fresh.environment(**key),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 30
    while time.monotonic() < end:
        jobs = fresh.ok("job", "list", **key)["jobs"]
        if jobs and jobs[0]["done"] >= 3:
            break
    _kill_gateway(fresh)
    ingest.wait(60)
    assert fresh.server is not None
    assert fresh.server.wait(30) == 1
    fresh.stop()
    assert fresh.ok("audit", "verify")["ok"]
    fresh.start()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        job = fresh.ok("job", "list", **key)["jobs"][0]
        if job["state"] not in ("queued", "running"):
            break
        time.sleep(0.2)
    assert job["state"] == "done", job
    listed = fresh.ok("document", "list", "many", **key)["documents"]
    assert len(listed) == 30
    assert all(document["name"] for document in listed)
    assert fresh.ok("audit", "verify")["ok"]


def test_words_that_help_on(served: Installation, tmp_path: Path) -> None:
    """A mistyped name is told back, a wrong purpose gets the right one, one page is one page."""
    key = {"PAI_API_KEY": served.key()}
    mistyped = served.run("ask", "leters", "When?", **key)
    assert "no such collection: 'leters'" in mistyped.err
    served.ok("collection", "create", "words", "--purpose", "patient care", **key)
    wrong = served.run("ask", "words", "When?", "--purpose", "research", **key)
    assert wrong.code == 1
    assert "this collection is for 'patient care'" in wrong.err
    file = tmp_path / "one.txt"
    file.write_text("The gate opens at seven.\n")
    assert "(1 page, 1 passage)" in served.run("ingest", "words", str(file), **key).out
    assert served.run("document", "list", "words", **key).out.rstrip().endswith("1 page")


def test_keys_from_the_terminal_expire_like_those_from_the_browser(served: Installation) -> None:
    args = ("key", "create", "--owner", ADMIN, "--name", "life", "--scopes", "inference")
    made = served.run(*args)
    assert made.out.startswith("pai_")
    assert len(made.out.split()) == 1, "stdout holds the key alone"
    assert "It expires on" in made.err
    left = datetime.fromisoformat(served.ok(*args)["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    assert served.ok(*args, "--expires", "never")["expires_at"] is None
    assert "never" in json.loads(served.run(*args, "--expires", "often", "--json").err)["error"]["hint"]
    assert "never expires" in served.run("key", "list").out
    assert "It opens the documents and conversations of " + ADMIN in made.err
    metrics = served.run("key", "create", "--owner", ADMIN, "--name", "m", "--scopes", "metrics")
    assert "opens no documents" in metrics.err
    shown = served.run("key", "create", "--help").out
    assert "chat and embeddings" in shown


def test_the_log_names_people_and_leaves_collections_their_ids(served: Installation) -> None:
    key = {"PAI_API_KEY": served.key()}
    made = served.ok("collection", "create", "named by its owner", **key)
    shown = served.run("audit", "tail", "--limit", "5", TZ="Asia/Kolkata").out
    line = next(line for line in shown.splitlines() if "knowledge:collection:create" in line)
    assert ADMIN in line
    assert f"collection …{made['id'][-8:]}" in line
    event = next(
        e for e in served.ok("audit", "tail", "--limit", "9")["events"] if e["name"] == "knowledge:collection:create"
    )
    assert (event["resource"]["id"], event["at"][-1]) == (made["id"], "Z")
    here = datetime.fromisoformat(event["at"]).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert f"{here:%Y-%m-%d %H:%M:%S} +0530" in line
    assert "named by its owner" not in shown
    assert "operator@console" in served.run("audit", "tail", "--help").out


@pytest.mark.slow
def test_the_demo_leaves_nothing_behind_unless_it_is_kept(served: Installation) -> None:
    key = {"PAI_API_KEY": served.key()}
    gone = served.ok("demo", **key)
    assert gone["collection"] not in [one["name"] for one in served.ok("collection", "list", **key)["collections"]]
    kept = served.ok("demo", "--keep", **key)
    assert kept["collection"] in [one["name"] for one in served.ok("collection", "list", **key)["collections"]]
    assert kept["documents"] == gone["documents"] > 5
    assert "demo" in gone["collection"]
    assert [one["code"] for one in gone["refused"]] == ["xml_entities"], "the hostile file"
    assert [one["abstained"] for one in gone["answers"]] == [False, False, False, True]
    assert served.ok("demo", **key)["collection"] != kept["collection"]
    served.ok("collection", "delete", kept["collection"], "--yes", **key)


@pytest.mark.slow
def test_doctor_begins_with_a_verdict(fresh: Installation) -> None:
    told = fresh.ok("doctor")
    assert [group["name"] for group in told["groups"]] == ["protection", "keys", "models", "disk", "port", "memory"]
    holds = {group["name"]: group["holds"] for group in told["groups"]}
    assert holds["protection"] is None, "the server never started"
    assert holds["keys"] is False, "the recovery code is not confirmed"
    code = (fresh.home / "recovery-code.txt").read_text().split()[0]
    fresh.ok("keys", "confirm-recovery", "--code-file", str(secret_file(fresh.folder / "code", code)))
    fresh.start()
    shown = fresh.run("doctor").out.splitlines()
    expected = (
        "Everything holds." if not fresh.ok("doctor")["missing"] else "Not everything holds; look at: protection."
    )
    assert shown[0] == expected
    assert any(f"https://localhost:{fresh.port}" in line for line in shown)
    assert fresh.stop() == 0


def _kill_gateway(fresh: Installation) -> None:
    assert fresh.server is not None
    children = Path(f"/proc/{fresh.server.pid}/task/{fresh.server.pid}/children").read_text().split()
    for child in children:
        if b"pai.bootstrap.gateway" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
            return
    raise AssertionError("no gateway found")
