"""Crowds, slow readers and dying workers before a real model: the others are answered, and the next one is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from breaking import alive, kill, processes, stream, web, within
from installation import ADMIN, Installation


def cpu_ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def idle(process: int) -> bool:
    """Whether a process used less than a tenth of one core during half a second."""
    before = cpu_ticks(process)
    time.sleep(0.5)
    return cpu_ticks(process) - before < os.sysconf("SC_CLK_TCK") * 0.05


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("weights") / "pai", models="small")
    installation.init()
    installation.start()
    yield installation
    installation.stop(sig=9)


TALE = "Tell a long tale of the sea, with many chapters."


@pytest.mark.model
@pytest.mark.slow
def test_the_processor_rests_once_the_reader_has_gone(weights: Installation) -> None:
    key = weights.key("inference")
    (worker,) = processes(weights, "pai.bootstrap.worker llama")
    with web(weights, key) as client, stream(client, TALE, max_tokens=4000) as lines:
        for _ in range(6):
            next(lines)
        assert not idle(worker)
    within(4, lambda: idle(worker), "the worker idles after a stream")
    # Not streamed, and still reading a prompt of 7,500 tokens: there is nothing to send that could fail.
    body = {"model": "default", "messages": [{"role": "user", "content": "The sea is wide. " * 1500}]}
    for streamed in (False, True):
        with web(weights, key, timeout=1.5) as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json={**body, "stream": streamed})
        # The engine looks up between batches of a prompt; the whole of it would take several times as long.
        within(6, lambda: idle(worker), "the worker idles after a prompt")
    events = weights.ok("audit", "tail", "--limit", "30")["events"]
    ended = [e for e in events if e["name"] == "models:chat:end"]
    assert [e["reason"] for e in ended] == ["stopped by its reader"] * 3
    with web(weights, key) as client:
        long = client.post(
            "/v1/chat/completions", json={**body, "messages": [{"role": "user", "content": "wave " * 20_000}]}
        )
        assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.model
@pytest.mark.slow
def test_weights_that_changed_or_went_are_refused_at_the_next_load(weights: Installation) -> None:
    key = weights.key("inference")
    file = weights.home / "models" / "qwen2.5-coder-0.5b-instruct" / "model.gguf"
    with web(weights, key) as client:
        with stream(client, TALE, max_tokens=4000) as lines:
            kill(weights, "pai.bootstrap.worker llama")
            told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        assert told[-1]["error"]["code"] == "worker_died"
        body = {"model": "default", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
        assert client.post("/v1/chat/completions", json=body).status_code == 200
        with file.open("r+b") as opened:
            opened.seek(300_000_000)
            byte = opened.read(1)
            opened.seek(300_000_000)
            opened.write(bytes([byte[0] ^ 1]))
        kill(weights, "pai.bootstrap.worker llama")
        changed = within(
            20, lambda: (r := client.post("/v1/chat/completions", json=body)).status_code == 500 and r, "500"
        )
        assert changed.json()["error"]["code"] == "model_changed"
        assert "is not the file that was signed" in changed.json()["error"]["message"]
        file.unlink()
        missing = client.post("/v1/chat/completions", json=body)
        assert (missing.status_code, missing.json()["error"]["code"]) == (503, "model_missing")
        embedded = client.post("/v1/embeddings", json={"model": "default-embedding", "input": "the rest works"})
        assert embedded.status_code == 200
    assert weights.stop() == 0
    result = weights.run("serve", timeout=60)
    assert result.code == 1
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("pai: the model file model.gguf of qwen2.5-coder-0.5b-instruct cannot be opened")
    assert "pai init" in last
    args = ("--admin", ADMIN, "--password-file", str(weights.password_file), "--models", "small")
    assert weights.run("init", *args).code == 0, "the hint does not help"
    weights.start()
    with web(weights, key) as client:
        assert client.post("/v1/chat/completions", json=body).status_code == 200


# --- crowds ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("crowded") / "pai", models="small")
    installation.init()
    installation.start()
    yield installation
    installation.stop(sig=9)


SHORT = {"model": "default", "messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 2, "temperature": 0}


@pytest.mark.model
@pytest.mark.slow
async def test_five_hundred_waiting_requests_hold_nobody_else_up(crowded: Installation) -> None:
    """Four members ask 125 times each, all at once; a fifth asks once and waits for one round of turns, not for the crowd."""
    keys = [crowded.member(f"crowd-{n}@pai.test") for n in range(4)]
    single = crowded.key("inference")
    (worker,) = processes(crowded, "pai.bootstrap.worker llama")
    trusted = ssl.create_default_context(cafile=str(crowded.ca))
    limits = httpx.Limits(max_connections=600, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=crowded.url, verify=trusted, limits=limits, timeout=900, trust_env=False
    ) as client:

        async def ask(key: str) -> tuple[int, float, Any]:
            began = time.monotonic()
            answer = await client.post("/v1/chat/completions", json=SHORT, headers={"authorization": f"Bearer {key}"})
            return answer.status_code, time.monotonic() - began, answer.json()

        began = time.monotonic()
        crowd = [asyncio.create_task(ask(key)) for key in keys for _ in range(125)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        status, alone, told = await ask(single)
        assert status == 200, told
        answered = await asyncio.gather(*crowd)
        whole = time.monotonic() - began
    assert {status for status, _, _ in answered} == {200}, [told for status, _, told in answered if status != 200][:3]
    assert len(answered) == 500
    assert alone < whole / 5, f"one request took {alone:.1f} s of the {whole:.1f} s that 500 took"
    assert processes(crowded, "pai.bootstrap.worker llama") == [worker], "the same worker answered them all"
    assert crowded.ok("audit", "verify")["ok"] is True


@pytest.mark.model
@pytest.mark.slow
def test_who_asks_more_than_may_wait_is_refused_in_the_dialect(crowded: Installation) -> None:
    key, other = crowded.key("inference"), crowded.member("patient@pai.test")
    trusted = ssl.create_default_context(cafile=str(crowded.ca))
    transport = httpx.HTTPTransport(verify=trusted, limits=httpx.Limits(max_connections=300))
    headers = {"authorization": f"Bearer {key}"}
    with (
        ThreadPoolExecutor(200) as pool,
        httpx.Client(base_url=crowded.url, transport=transport, headers=headers, timeout=600) as client,
        web(crowded, other) as patient,
    ):
        asked = [pool.submit(client.post, "/v1/chat/completions", json={**SHORT, "max_tokens": 20}) for _ in range(200)]
        assert patient.post("/v1/chat/completions", json=SHORT).status_code == 200
        answers = [one.result() for one in asked]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert {answer.status_code for answer in refused} == {429}
    assert all(answer.json()["error"]["type"] == "rate_limit_error" for answer in refused)
    assert len(answers) - len(refused) >= 128


@pytest.mark.model
@pytest.mark.slow
def test_a_slow_reader_holds_nobody_up_and_gets_all_of_it(crowded: Installation) -> None:
    slow, quick = crowded.key("inference"), crowded.member("quick@pai.test")
    with web(crowded, slow, timeout=300) as client, stream(client, TALE, max_tokens=400) as lines:
        time.sleep(8)  # nothing is taken meanwhile
        with web(crowded, quick) as other:
            began = time.monotonic()
            assert other.post("/v1/chat/completions", json=SHORT).status_code == 200
            assert time.monotonic() - began < 30
        told = []
        for line in lines:
            if line.startswith("data: "):
                told.append(line[6:])
                time.sleep(0.01)
    assert told[-1] == "[DONE]"
    ends = [json.loads(one)["choices"][0]["finish_reason"] for one in told[:-1] if json.loads(one)["choices"]]
    assert ends[-1] in {"stop", "length"}


@contextlib.contextmanager
def little_memory(process: int) -> Iterator[None]:
    """Put a process into a group of the kernel's that may take next to nothing more: what it asks for next, it is killed for."""
    new, old = Path("/sys/fs/cgroup/cgroup.controllers"), Path("/sys/fs/cgroup/memory/cgroup.procs")
    name = f"pai-test-{os.getpid()}-{process}"
    if old.exists():
        group, limits = old.parent / name, {"memory.limit_in_bytes": str(1 << 20)}
    elif new.exists():
        group, limits = new.parent / name, {"memory.max": str(1 << 20), "memory.swap.max": "0"}
    else:
        pytest.skip("there are no groups of the kernel's here")
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no group can be made here: needs root and a cgroup file system that can be written")
    try:
        try:
            for file, value in limits.items():
                if (group / file).exists():
                    (group / file).write_text(value)
            (group / "cgroup.procs").write_text(str(process))
        except OSError:
            pytest.skip("memory cannot be limited here")
        yield
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


@pytest.mark.model
@pytest.mark.slow
def test_a_worker_that_the_kernel_kills_for_memory_is_told_and_started_anew(crowded: Installation) -> None:
    key = crowded.key("inference")
    (worker,) = processes(crowded, "pai.bootstrap.worker llama")
    body = {**SHORT, "messages": [{"role": "user", "content": "The sea is wide. " * 700}], "max_tokens": 200}
    with web(crowded, key, timeout=120) as client, little_memory(worker):
        embedded = client.post("/v1/embeddings", json={"model": "default-embedding", "input": "others go on"})
        assert embedded.status_code == 200
        told = client.post("/v1/chat/completions", json=body)
        if told.status_code == 200 and alive(worker):
            pytest.skip("this kernel did not count what the worker took")
        assert (told.status_code, told.json()["error"]["code"]) == (503, "worker_died")
        within(10, lambda: not alive(worker), "the worker is gone")
    with web(crowded, key, timeout=120) as client:
        again = within(
            60, lambda: (r := client.post("/v1/chat/completions", json=SHORT)).status_code == 200 and r, "answers"
        )
        assert again.json()["choices"][0]["message"]["content"]
    (fresh,) = processes(crowded, "pai.bootstrap.worker llama")
    assert fresh != worker
    assert crowded.ok("audit", "verify")["ok"] is True


@pytest.mark.model
@pytest.mark.slow
def test_a_batch_runs_through_on_a_real_model(crowded: Installation) -> None:
    key = crowded.key("inference")
    questions = ["Name a colour.", "What is 2 + 2?", "Say hello in French.", "Name an animal."]
    lines = [
        {"custom_id": f"question-{n}", "method": "POST", "url": "/v1/chat/completions",
         "body": {"model": "default", "messages": [{"role": "user", "content": text}], "max_tokens": 12, "temperature": 0}}
        for n, text in enumerate(questions)
    ]  # fmt: skip
    lines[-1]["body"] = {"model": "default", "messages": [{"role": "user", "content": "wave " * 20_000}]}
    with web(crowded, key, timeout=120) as client:
        data = "\n".join(json.dumps(line) for line in lines).encode()
        file = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("b.jsonl", data)}).json()
        made = client.post(
            "/v1/batches",
            json={"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        ).json()
        done = within(
            240,
            lambda: (b := client.get(f"/v1/batches/{made['id']}").json())["status"] == "completed" and b,
            "the batch",
        )
        assert done["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
        good = [
            json.loads(line) for line in client.get(f"/v1/files/{done['output_file_id']}/content").text.splitlines()
        ]
        bad = [json.loads(line) for line in client.get(f"/v1/files/{done['error_file_id']}/content").text.splitlines()]
    by_id = {one["custom_id"]: one["response"]["body"] for one in good}
    assert set(by_id) == {"question-0", "question-1", "question-2"}
    assert "4" in by_id["question-1"]["choices"][0]["message"]["content"]
    assert all(body["usage"]["completion_tokens"] <= 12 for body in by_id.values())
    assert [(one["custom_id"], one["response"]["status_code"]) for one in bad] == [("question-3", 400)]
