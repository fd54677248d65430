"""The audit log through its ways in: queries, exports, proofs, over HTTP and in the terminal."""

from __future__ import annotations

import csv
import io
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from browser_client import BrowserClient
from installation import ADMIN, Installation


@pytest.fixture(scope="module")
def http(served: Installation) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=trusted, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def made(served: Installation, http: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two documents about two people, a question that one of them answers, and the keys of those who look at it."""
    folder = tmp_path_factory.mktemp("letters")
    (folder / "ada.txt").write_text("Ada Lovelace was discharged on 3 May 2026. The follow-up is on 12 June 2026.\n")
    (folder / "bob.txt").write_text("Bob Babbage had his hearing test on 4 May 2026.\n")
    key = served.key("inference,knowledge,audit")
    env = {"PAI_API_KEY": key, "PAI_URL": served.url, "PAI_CA_FILE": str(served.ca)}
    served.ok("collection", "create", "audited letters", "--purpose", "patient care", **env)
    documents = {}
    for name, subject in (("ada", "Ada of the audit"), ("bob", "Bob of the audit")):
        told = served.ok("ingest", "audited letters", str(folder / f"{name}.txt"), "--subject", subject, **env)
        documents[name] = told["accepted"][0]["document"]
    answer = served.ok("ask", "audited letters", "When is the follow-up of Ada Lovelace?", **env)
    return {"key": key, "documents": documents, "answer": answer, "env": env}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_who_saw_the_data_of_a_person_is_one_query(served: Installation, made: dict[str, Any]) -> None:
    seen = served.ok("audit", "query", "--subject", "Ada of the audit")["events"]
    asked = [one for one in seen if one["name"] == "knowledge:collection:ask"]
    assert [one["actor_name"] for one in asked] == [ADMIN]
    assert asked[0]["documents"] == [made["documents"]["ada"], made["documents"]["bob"]]
    assert asked[0]["purpose"] == "patient care"
    answered = [one for one in seen if one["name"] == "knowledge:collection:answer"]
    assert [one["model"]["name"] for one in answered] == ["echo"]
    assert answered[0]["index"] > asked[0]["index"]
    subject = asked[0]["subjects"][0]
    again = served.ok("audit", "query", "--subject", subject)["events"]
    looked = again[0]
    assert (looked["name"], looked["actor_name"], looked["subjects"]) == (
        "audit:log:read",
        "operator@console",
        [subject],
    )
    assert len(again) == len(seen) + 1, "who asked about her is one who saw, from then on"


def test_filters_over_http_and_in_the_terminal_agree(
    served: Installation, http: httpx.Client, made: dict[str, Any]
) -> None:
    document = made["documents"]["ada"]
    cases = (
        ({"document": document}, ["--document", document]),
        ({"model": "echo", "name": "knowledge:"}, ["--model", "echo", "--action", "knowledge:"]),
        (
            {"person": ADMIN, "name": "knowledge:collection:ask"},
            ["--person", ADMIN, "--action", "knowledge:collection:ask"],
        ),
        ({"outcome": "done", "name": "knowledge:document:"}, ["--outcome", "done", "--action", "knowledge:document:"]),
        ({"since": "2020-01-01", "until": "2020-02-01"}, ["--since", "2020-01-01", "--until", "2020-02-01"]),
    )
    for params, options in cases:
        over = http.get("/pai/v1/audit/events", params={**params, "limit": 1000}, headers=bearer(made["key"])).json()
        told = served.ok("audit", "query", *options)
        assert over == told
        assert bool(told["events"]) == ("until" not in params), params
        for event in told["events"]:
            assert event["name"].startswith(params.get("name", ""))


def test_a_typing_error_is_no_empty_answer(served: Installation, http: httpx.Client, made: dict[str, Any]) -> None:
    for options in (["--subject", "Adda of the audit"], ["--person", "nobody@pai.test"], ["--since", "yesterday"]):
        assert served.run("audit", "query", *options).code == 1
    for params in ({"subject": "Adda"}, {"outcome": "perhaps"}, {"until": "x"}, {"nonsense": "1"}, {"format": "xml"}):
        answer = http.get("/pai/v1/audit/events", params=params, headers=bearer(made["key"]))
        assert answer.status_code in (400, 404, 422), params
    # Who looks for a person that is not in the register is seen looking, and the name they tried is not kept.
    looks = served.ok("audit", "query", "--action", "audit:log:read", "--outcome", "refused")["events"]
    assert [one["reason"] for one in looks] == ["unknown_subject", "unknown_actor", "unknown_subject"]
    assert "Adda" not in json.dumps(looks)
    assert looks[0]["filters"] == ["unknown=subject"]


def test_a_timeline_is_a_table(served: Installation, http: httpx.Client, made: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "seen.csv"
    done = served.run("audit", "query", "--subject", "Ada of the audit", "--format", "csv", "--out", str(out))
    assert done.code == 0, done.err
    assert out.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO(out.read_text(), newline="")))
    asked = [row for row in rows if row["name"] == "knowledge:collection:ask"]
    assert asked[0]["actor_name"] == ADMIN
    assert made["documents"]["ada"] in asked[0]["documents"]
    assert served.run("audit", "query", "--out", str(out)).code == 2, "nothing is written over"
    over = http.get("/pai/v1/audit/events?format=csv&limit=3", headers=bearer(made["key"]))
    assert over.headers["content-type"].startswith("text/csv")
    assert len(list(csv.DictReader(io.StringIO(over.text)))) == 3


def checked(path: Path, *options: str, program: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(path), *options, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_an_export_is_checked_by_the_program_that_comes_with_it(served: Installation, tmp_path: Path) -> None:
    key = served.ok("audit", "key")["key"]
    held = tmp_path / "held.note"
    first = served.ok("audit", "checkpoint", "--out", str(held))
    folder = tmp_path / "export"
    told = served.ok("audit", "export", str(folder), "--csv")
    assert told["files"] == ["README.txt", "checkpoint.note", "events.csv", "key.txt", "log.jsonl", "verify.py"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
    program = folder / "verify.py"
    verdict = checked(folder, "--key", key, "--checkpoint", str(held), program=program)
    assert verdict["events"] == told["events"] > first["size"]
    assert len((folder / "events.csv").read_text().splitlines()) == told["events"] + 1
    proof = tmp_path / "proof.json"
    served.ok("audit", "prove", "3", "--out", str(proof))
    assert checked(proof, "--key", key, program=program)["index"] == 3
    growth = tmp_path / "growth.json"
    served.ok("audit", "prove", "--since", str(held), "--out", str(growth))
    assert checked(growth, "--key", key, program=program)["since"] == first["size"]
    assert served.run("audit", "export", str(folder)).code == 2, "evidence is not written over"
    assert served.run("audit", "prove", "999999").code == 1
    assert served.run("audit", "prove").code == 2
    names = [one["name"] for one in served.ok("audit", "tail", "--action", "audit:log:", "--limit", "20")["events"]]
    assert {"audit:log:export", "audit:log:prove"} <= set(names)
    assert not list(tmp_path.glob(".*.part"))


def test_an_auditor_needs_no_console(
    served: Installation, http: httpx.Client, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    auditor = bearer(served.member("auditor-of-exports@pai.test", "auditor"))
    key = http.get("/pai/v1/audit/key", headers=auditor).json()["key"]
    log = tmp_path / "log.jsonl"
    with http.stream("GET", "/pai/v1/audit/export", headers=auditor) as answer:
        assert answer.status_code == 200
        log.write_bytes(answer.read())
    program = tmp_path / "verify.py"
    program.write_text((Path(sys.modules["pai"].__path__[0]) / "adapters/cryptography/outside_verifier.py").read_text())
    verdict = checked(log, "--key", key, program=program)
    assert verdict["events"] > 10
    note = http.get("/pai/v1/audit/checkpoint", headers=auditor).json()["note"]
    growth = http.post("/pai/v1/audit/consistency", json={"checkpoint": note}, headers=auditor)
    (tmp_path / "growth.json").write_text(growth.text)
    checked(tmp_path / "growth.json", "--key", key, program=program)
    forged = note.replace("\n", "x\n", 1)
    assert http.post("/pai/v1/audit/consistency", json={"checkpoint": forged}, headers=auditor).status_code >= 400
    proof = http.get("/pai/v1/audit/events/2/proof", headers=auditor)
    (tmp_path / "proof.json").write_text(proof.text)
    checked(tmp_path / "proof.json", "--key", key, program=program)
    member = bearer(served.member("member-of-exports@pai.test"))
    for path in ("export", "events", "key", "events/2/proof", "checkpoint", "verify"):
        assert http.get(f"/pai/v1/audit/{path}", headers=member).status_code == 403, path


def test_an_answer_comes_with_its_receipt(served: Installation, made: dict[str, Any], tmp_path: Path) -> None:
    key = served.ok("audit", "key")["key"]
    question = "When is the follow-up of Ada Lovelace?"
    saved = tmp_path / "receipt.json"
    told = served.ok("ask", "audited letters", question, "--receipt", str(saved), **made["env"])
    receipt = json.loads(saved.read_text())
    assert told["receipt"] == receipt
    assert saved.stat().st_mode & 0o777 == 0o600
    program = tmp_path / "verify.py"
    program.write_text((Path(sys.modules["pai"].__path__[0]) / "adapters/cryptography/outside_verifier.py").read_text())
    (tmp_path / "answer.txt").write_text(told["answer"])
    (tmp_path / "question.txt").write_text(question + "\n")
    (tmp_path / "ada.txt").write_text("Ada Lovelace was discharged on 3 May 2026. The follow-up is on 12 June 2026.\n")
    texts = [
        "--answer",
        str(tmp_path / "answer.txt"),
        "--question",
        str(tmp_path / "question.txt"),
        "--source",
        str(tmp_path / "ada.txt"),
    ]
    verdict = checked(saved, "--key", key, *texts, program=program)
    statement = verdict["receipt"]
    assert statement["model"]["name"] == told["model"]
    assert (statement["label"], statement["purpose"], statement["abstained"]) == ("confidential", "patient care", False)
    assert [one["document"] for one in statement["sources"]] == [one["document_id"] for one in told["sources"]]
    event = served.ok("audit", "query", "--action", "knowledge:collection:answer", "--limit", "1")["events"][0]
    assert (event["index"], event["receipt"]) == (receipt["event"]["index"], verdict["event"]["receipt"])
    assert told["answer"] not in saved.read_text()
    assert "12 June" not in saved.read_text()
    (tmp_path / "answer.txt").write_text(told["answer"].replace("12", "13"))
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(saved), "--key", key, *texts, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, [one["kind"] for one in json.loads(done.stdout)["errors"]]) == (1, ["answer"])
    unsure = served.ok("ask", "audited letters", "Who invented the telephone?", **made["env"])
    assert unsure["abstained"]
    assert unsure["receipt"]["format"] == "pai-receipt"


def test_a_chat_gives_a_receipt_when_it_is_asked_for(
    served: Installation, http: httpx.Client, made: dict[str, Any], tmp_path: Path
) -> None:
    key = served.ok("audit", "key")["key"]
    program = tmp_path / "verify.py"
    program.write_text((Path(sys.modules["pai"].__path__[0]) / "adapters/cryptography/outside_verifier.py").read_text())
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "the blue cabinet"}]
    (tmp_path / "messages.json").write_text(json.dumps(messages))

    def check(receipt: Any, answer: str) -> Any:
        (tmp_path / "receipt.json").write_text(json.dumps(receipt))
        (tmp_path / "answer.txt").write_text(answer)
        texts = ["--answer", str(tmp_path / "answer.txt"), "--question", str(tmp_path / "messages.json")]
        return checked(tmp_path / "receipt.json", "--key", key, *texts, program=program)

    body = {"model": "default", "messages": messages, "n": 2}
    plain = http.post("/v1/chat/completions", json=body, headers=bearer(made["key"])).json()
    assert all("receipt" not in choice for choice in plain["choices"])
    whole = http.post("/v1/chat/completions", json=body | {"receipt": True}, headers=bearer(made["key"])).json()
    for choice in whole["choices"]:
        verdict = check(choice["receipt"], choice["message"]["content"])
        assert (verdict["receipt"]["kind"], verdict["receipt"]["model"]["name"]) == ("chat", "echo")
        assert verdict["event"]["name"] == "models:chat:end"
    body = {"model": "default", "messages": messages, "receipt": True, "stream": True}
    answer = http.post("/v1/chat/completions", json=body, headers=bearer(made["key"])).text
    chunks = [json.loads(line[6:]) for line in answer.splitlines() if line.startswith("data: {")]
    said = "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"])
    (receipt,) = [one["choices"][0]["receipt"] for one in chunks if one["choices"] and "receipt" in one["choices"][0]]
    check(receipt, said)


def test_the_pages_give_receipts_too(served: Installation, made: dict[str, Any], tmp_path: Path) -> None:
    key = served.ok("audit", "key")["key"]
    program = tmp_path / "verify.py"
    program.write_text((Path(sys.modules["pai"].__path__[0]) / "adapters/cryptography/outside_verifier.py").read_text())
    browser = BrowserClient(served)
    assert browser.log_in().status_code == 303
    told = browser.say("is the  cabinet blue?")
    (tmp_path / "receipt.json").write_text(json.dumps(told[-1]["receipt"]))
    (tmp_path / "question.txt").write_text("is the cabinet blue?")
    verdict = checked(
        tmp_path / "receipt.json", "--key", key, "--question", str(tmp_path / "question.txt"), program=program
    )
    assert (verdict["receipt"]["kind"], verdict["event"]["name"]) == ("conversation", "conversations:message:answer")
    question = {"collection": "audited letters", "question": "When is the follow-up of Ada Lovelace?"}
    (tmp_path / "receipt.json").write_text(json.dumps(browser.events("/ask/questions", question)[-1]["receipt"]))
    assert checked(tmp_path / "receipt.json", "--key", key, program=program)["receipt"]["kind"] == "ask"
    browser.close()


@pytest.mark.slow
def test_a_witness_elsewhere_asks_the_server_and_finds_a_disk_that_was_put_back(
    fresh: Installation, tmp_path: Path
) -> None:
    auditor = fresh.key("audit")
    fresh.start()
    env = {"PAI_API_KEY": auditor, "PAI_URL": fresh.url, "PAI_CA_FILE": str(fresh.ca)}
    key = fresh.ok("audit", "key")["key"]
    folder = str(tmp_path / "witness")
    made = fresh.ok("witness", "init", "--folder", folder, "--name", "witness.test/office", "--log-key", key)
    fresh.ok("audit", "checkpoint")
    first = fresh.ok("witness", "cosign", "--folder", folder, **env)
    assert fresh.stop() == 0
    shutil.copytree(fresh.home, tmp_path / "put-back", ignore=shutil.ignore_patterns("*.sock"))
    fresh.start()
    fresh.ok("user", "add", "later@pai.test", "--password-file", str(fresh.password_file))
    note = tmp_path / "cosigned.note"
    second = fresh.ok("witness", "cosign", "--folder", folder, "--out", str(note), **env)
    assert second["size"] > first["size"]
    export = tmp_path / "export"
    fresh.ok("audit", "export", str(export))
    checked(export, "--key", key, "--checkpoint", str(note), program=export / "verify.py")
    checked(note, "--key", key, "--witness", made["key"], program=export / "verify.py")
    assert fresh.ok("witness", "status", "--folder", folder)["alarms"] == []
    assert fresh.stop() == 0
    shutil.rmtree(fresh.home)
    shutil.copytree(tmp_path / "put-back", fresh.home)
    fresh.start()
    assert fresh.ok("audit", "verify")["ok"], "alone it looks whole"
    refused = fresh.run("witness", "cosign", "--folder", folder, **env)
    assert refused.code == 1
    assert "does not continue" in refused.err
    status = fresh.run("witness", "status", "--folder", folder)
    assert status.code == 1
    assert "ALARM" in status.out
