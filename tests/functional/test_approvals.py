"""The two-person rule over real processes: the console, programs with keys, browsers, and people who have no part in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from browser_client import BrowserClient
from installation import ADMIN, PASSWORD, Installation, secret_file

MIA, OLGA = "mia@pai.test", "olga@pai.test"


@dataclass
class Team:
    """An installation where acts take a second person; its administrator and its officer in browsers."""

    served: Installation
    boss: BrowserClient
    olga: BrowserClient
    mia: BrowserClient


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    served = Installation(tmp_path_factory.mktemp("team"))
    served.init()
    for email, role in ((OLGA, "officer"), (MIA, "member")):
        file = secret_file(served.folder / f"password-{email}", PASSWORD)
        served.ok("user", "add", email, "--role", role, "--password-file", str(file))
    # In the profile of one person nothing takes a second one until somebody says so.
    assert {one["quorum"] for one in served.ok("approvals", "rules")["rules"]} == {0}
    served.ok("approvals", "rule", "keys:shred", "--quorum", "1")
    assert {one["quorum"] for one in served.ok("approvals", "rules")["rules"]} == {1}
    served.start()
    browsers = [BrowserClient(served) for _ in range(3)]
    for browser, email in zip(browsers, (ADMIN, OLGA, MIA), strict=True):
        assert browser.log_in(email).status_code == 303
    yield Team(served, *browsers)
    for browser in browsers:
        browser.close()
    served.stop()


@pytest.mark.slow
def test_a_role_is_granted_by_two_in_their_browsers(team: Team) -> None:
    mia = next(one["id"] for one in team.boss.http.get("/pai/v1/users").json()["users"] if one["email"] == MIA)
    why = {"x-pai-reason": "she%20stands%20in%20for%20%C3%96zge"}
    answer = team.boss.send("POST", f"/pai/v1/users/{mia}/role", {"role": "auditor"}, **why)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "approval_needed")
    request = answer.headers["x-pai-approval"]
    path = f"/pai/v1/approvals/{request}"
    shown = team.olga.http.get(path).json()
    assert shown["parameters"] == {"user": mia, "email": MIA, "before": "member", "role": "auditor"}
    assert (shown["requester"], shown["reason"], shown["yours"]) == (ADMIN, "she stands in for Özge", True)
    assert team.boss.send("POST", f"{path}/approve", {"digest": shown["digest"]}).status_code == 403
    assert team.boss.send("POST", f"{path}/execute").json()["error"]["code"] == "not_approved"
    for method, act, body in (
        ("GET", "", None), ("POST", "/approve", {"digest": shown["digest"]}), ("POST", "/refuse", {}), ("POST", "/withdraw", None),
        ("POST", "/execute", None),
    ):  # fmt: skip
        stranger = team.mia.http.get(path) if method == "GET" else team.mia.send("POST", path + act, body)
        assert stranger.status_code == 404, act
    page = team.olga.page("/approvals")
    assert f"Make {MIA} auditor (now member)" in page.text
    assert shown["digest"] in page.text
    assert request not in team.mia.page("/approvals").text
    assert team.olga.send("POST", f"{path}/approve", {"digest": shown["digest"], "reason": "yes"}).json()["ready"]
    assert team.olga.send("POST", f"{path}/execute").status_code == 404, "who asked carries it out"
    done = team.boss.send("POST", f"{path}/execute")
    assert (done.status_code, done.json()["result"]["role"]) == (200, "auditor")
    assert team.boss.send("POST", f"{path}/execute").json()["error"]["code"] == "approval_closed"
    users = {one["email"]: one["role"] for one in team.boss.http.get("/pai/v1/users").json()["users"]}
    assert users[MIA] == "auditor"
    names = [one["name"] for one in team.served.ok("audit", "query", "--resource", request)["events"]]
    assert names[0] == "approvals:request:execute"
    assert {"approvals:request:make", "approvals:request:vote"} <= set(names)


def test_an_invitations_link_is_shown_when_it_is_carried_out(team: Team) -> None:
    answer = team.boss.send("POST", "/pai/v1/users/invite", {"email": "new@pai.test", "role": "officer"})
    path = f"/pai/v1/approvals/{answer.headers['x-pai-approval']}"
    digest = team.olga.http.get(path).json()["digest"]
    team.olga.send("POST", f"{path}/approve", {"digest": digest})
    link = team.boss.send("POST", f"{path}/execute").json()["url"]
    assert link.startswith(f"{team.served.url}/setup#")
    token = link.partition("#")[2]
    opened = BrowserClient(team.served)
    made = opened.http.post(
        "/setup", json={"token": token, "password": PASSWORD}, headers={"sec-fetch-site": "same-origin"}
    )
    assert made.status_code in (200, 201), made.text
    opened.close()
    # A member's invitation takes nobody.
    assert team.boss.send("POST", "/pai/v1/users/invite", {"email": "m@pai.test", "role": "member"}).status_code == 201


def test_the_console_asks_and_an_officers_program_approves(team: Team) -> None:
    made = team.boss.send("POST", "/pai/v1/collections", {"name": "to be shredded"}).json()
    done = team.served.run("keys", "shred", made["id"], "--yes", "--json")
    assert done.code == 1
    assert "approval_needed" in done.err
    [request] = [one for one in team.served.ok("approvals", "list", "--console")["approvals"] if one["state"] == "open"]
    assert (request["act"], request["requester"]) == ("keys:shred", "operator@console")
    assert team.served.run("approvals", "run", request["id"]).code == 1
    # A key that the console makes for the officer makes no second person of whoever holds the console.
    lent = team.served.key("admin", owner=OLGA)
    refused = team.served.run("approvals", "approve", request["id"], "--json", PAI_API_KEY=lent)
    assert "not_your_key" in refused.err
    own = team.olga.send("POST", "/pai/v1/keys", {"name": "cli", "scopes": ["admin"]}).json()
    assert own["expires_at"] is not None, "made in a browser, it ends by itself"
    env = {"PAI_API_KEY": own["key"]}
    assert next(one["id"] for one in team.served.ok("approvals", "list", **env)["approvals"]) == request["id"]
    assert team.served.ok("approvals", "show", request["id"], **env)["parameters"]["collection"] == made["id"]
    wrong = team.served.run("approvals", "approve", request["id"], "--digest", "0" * 64, "--json", **env)
    assert "changed" in wrong.err
    assert team.served.ok("approvals", "approve", request["id"], "--reason", "the case is closed", **env)["ready"]
    result = team.served.ok("approvals", "run", request["id"])["result"]
    assert result["collection"] == made["id"]
    assert made["id"] not in {one["id"] for one in team.boss.http.get("/pai/v1/collections").json()["collections"]}


def test_the_consoles_invitation_says_how_long_its_link_lives(team: Team) -> None:
    assert team.served.run("user", "invite", "later@pai.test", "--role", "officer", "--json").code == 1
    [request] = [one for one in team.served.ok("approvals", "list", "--console")["approvals"] if one["state"] == "open"]
    team.olga.send("POST", f"/pai/v1/approvals/{request['id']}/approve", {"digest": request["digest"]})
    done = team.served.run("approvals", "run", request["id"])
    assert "/setup#" in done.out
    assert "for 3 days" in done.out


def test_a_refusal_and_a_withdrawal_at_the_command_line(team: Team) -> None:
    own = team.olga.send("POST", "/pai/v1/keys", {"name": "cli", "scopes": ["admin"]}).json()["key"]
    for end in ("refuse", "deny", "withdraw"):
        team.served.run("user", "role", MIA, "officer")
        [request] = [
            one for one in team.served.ok("approvals", "list", "--console")["approvals"] if one["state"] == "open"
        ]
        if end == "withdraw":
            told = team.served.ok("approvals", "withdraw", request["id"])
        else:
            told = team.served.ok("approvals", end, request["id"], "--reason", "no", PAI_API_KEY=own)
        assert told["state"] == ("withdrawn" if end == "withdraw" else "refused")
        assert team.served.run("approvals", "run", request["id"]).code == 1


def test_the_rule_is_not_switched_off_by_one(team: Team) -> None:
    done = team.served.run("approvals", "rule", "keys:shred", "--quorum", "0", "--json")
    assert (done.code, "approval_needed" in done.err) == (1, True)
    answer = team.boss.send("PUT", "/pai/v1/approvals/rules", {"act": "approvals:rule", "quorum": 0})
    assert answer.json()["error"]["code"] == "approval_needed"
    assert {one["quorum"] for one in team.served.ok("approvals", "rules")["rules"]} == {1}


def test_an_export_takes_two_and_then_runs_whole(team: Team) -> None:
    folder = team.served.folder / "export"
    refused = team.served.run("audit", "export", str(folder), "--json")
    assert "approval_needed" in refused.err
    [request] = [
        one for one in team.served.ok("approvals", "list", "--console")["approvals"] if one["act"] == "audit:export"
    ]
    team.olga.send("POST", f"/pai/v1/approvals/{request['id']}/approve", {"digest": request["digest"]})
    assert team.served.ok("approvals", "run", request["id"])["result"] == {"open_for_minutes": 60}
    assert team.served.ok("audit", "export", str(team.served.folder / "export2"))["events"] > 10
