"""Recordings of real speech with real models, inside the walls, by command, by API and by OpenAI's SDK."""

from __future__ import annotations

import io
import json
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

pytest.importorskip("ctranslate2", reason="the extra `speech` is not installed")
pytest.importorskip("soundfile")

import recordings as rec
from installation import Installation

pytestmark = [pytest.mark.extra, pytest.mark.model, pytest.mark.slow]
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "models"
SENTENCES = rec.sentences()


@pytest.fixture(scope="module")
def pai(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("speech"))
    shutil.copytree(initialised, made.home, symlinks=True)
    made.start()
    for name in ("whisper-tiny-en", "whisper-base"):
        made.ok("models", "add", name, "--from", str(CACHE))
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="module")
def key(pai: Installation) -> str:
    return pai.key("perception,audit")


@pytest.fixture(scope="module")
def web(pai: Installation, key: str) -> Iterator[httpx.Client]:
    with pai.web(key) as found:
        yield found


@pytest.fixture(scope="module")
def sdk(pai: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    with openai.OpenAI(base_url=f"{pai.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted)) as found:
        yield found


@pytest.mark.parametrize("model", ["whisper-tiny-en", "whisper-base"])
def test_real_speech_is_written_down(web: httpx.Client, model: str) -> None:
    wrong = said = 0
    for name, truth in SENTENCES.items():
        told = send(web, (rec.FOLDER / f"{name}.flac").read_bytes(), model=model)
        assert told.status_code == 200, told.text
        bad, of = rec.word_errors(truth, told.json()["text"])
        wrong, said = wrong + bad, said + of
    assert wrong / said <= 0.05, f"{wrong} of {said} words"


@pytest.mark.parametrize("form", ["wav8", "wav24", "wav-stereo-44100", "OGG", "MP3", "AIFF"])
def test_other_kinds_of_sound_are_decoded(web: httpx.Client, form: str) -> None:
    sound = rec.samples("austen-1")
    if form == "wav-stereo-44100":
        moments = np.arange(0, len(sound), rec.RATE / 44100)
        higher = np.interp(moments, np.arange(len(sound)), sound)
        data = rec.wav(np.stack([higher, higher], axis=1), 44100)
    else:
        data = {"wav8": lambda: rec.wav_that_says(len(sound), ((sound * 127) + 128).astype(np.uint8).tobytes(), bits=8),
                "wav24": lambda: rec.wav(sound, width=24)}.get(form, lambda: rec.coded(sound, form))()  # fmt: skip
    told = send(web, data, model="whisper-tiny-en").json()
    bad, _ = rec.word_errors(SENTENCES["austen-1"], told["text"])
    assert bad <= 2, told


@pytest.mark.filterwarnings("ignore:deprecated")  # the SDK about itself
def test_openais_sdk_gets_its_shapes(sdk: openai.OpenAI) -> None:
    file = ("a.flac", (rec.FOLDER / "austen-2.flac").read_bytes())
    ask = sdk.audio.transcriptions.create
    assert "young man" in ask(model="default-transcription", file=file).text
    assert "young man" in ask(model="default-transcription", file=file, response_format="text")
    verbose = ask(
        model="default-transcription",
        file=file,
        response_format="verbose_json",
        language="en",
        temperature=0,
        prompt="Austen.",
    )
    assert verbose.language == "en"
    assert 2.9 < float(verbose.duration) < 3.1
    assert verbose.segments
    assert 0 <= verbose.segments[0].start < verbose.segments[0].end <= 3.1
    srt = ask(model="default-transcription", file=file, response_format="srt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:0")
    vtt = ask(model="default-transcription", file=file, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> ")
    events = list(ask(model="default-transcription", file=file, stream=True))
    assert events[-1].type == "transcript.text.done"
    assert "".join(one.delta for one in events[:-1]) == events[-1].text
    translated = sdk.audio.translations.create(model="whisper-base", file=file)
    assert "young man" in translated.text
    with pytest.raises(openai.BadRequestError, match="English only"):
        sdk.audio.translations.create(model="whisper-tiny-en", file=file)
    with pytest.raises(openai.NotFoundError):
        ask(model="whisper-1", file=file)


def test_a_long_recording_is_told_of_while_it_is_heard(pai: Installation, key: str) -> None:
    pause = rec.silence(2.0)
    once = np.concatenate([part for name in SENTENCES for part in (rec.samples(name), pause)])
    times = 8
    file = pai.folder / "long.wav"
    file.write_bytes(rec.wav(np.tile(once, times)))
    done = pai.run("transcribe", str(file), "--model", "whisper-tiny-en", "--json", PAI_API_KEY=key, timeout=400)
    assert done.code == 0, done.err
    told = done.json
    seconds = len(once) * times / rec.RATE
    assert seconds > 240
    assert abs(told["duration"] - seconds) < 0.1
    shown = [line for line in done.err.splitlines() if " of " in line]
    assert len(shown) >= 2, "more than one process has heard a part"
    bad, of = rec.word_errors(" ".join([*SENTENCES.values()] * times), told["text"])
    assert bad / of <= 0.05, f"{bad} of {of}"
    ends = [one["end"] for one in told["segments"]]
    assert ends == sorted(ends)
    assert seconds - 15 < ends[-1] <= seconds
    srt = pai.run(
        "transcribe",
        str(pai.folder / "long.wav"),
        "--format",
        "srt",
        "--model",
        "whisper-tiny-en",
        PAI_API_KEY=key,
        timeout=400,
    )
    assert srt.out.count(" --> ") == len(told["segments"])


def test_silence_says_nothing(web: httpx.Client) -> None:
    told = send(web, rec.wav(rec.silence(95)), model="whisper-tiny-en", response_format="verbose_json").json()
    assert (told["text"], told["segments"]) == ("", [])
    assert told["duration"] == 95


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "no seconds": (rec.wav_that_says(0), "no_sound"),
    "a header alone": (rec.wav_that_says(10**6), "no_sound"),
    "a header that breaks off": (rec.wav_that_says(10)[:30], "bad_sound"),
    "no channels": (rec.wav_that_says(10, bytes(20), channels=0), "bad_sound"),
    "sixty thousand channels": (rec.wav_that_says(10, bytes(20), channels=60_000), "bad_sound"),
    "no rate": (rec.wav_that_says(10, bytes(20), rate=0), "bad_sound"),
    "a rate of gigahertz": (rec.wav_that_says(10, bytes(20), rate=4_000_000_000), "bad_sound"),
    "compressed": (rec.wav_that_says(10, bytes(20), kind=85), "bad_sound"),
    "a chunk without end": (b"RIFF\xff\xff\xff\xffWAVEjunk\xff\xff\xff\xff" + bytes(100), "bad_sound"),
    "thirteen hours in small": (rec.wav_that_says(13 * 3600 * 1000, bytes(13 * 3600 * 1000), rate=1000, bits=8), "sound_too_long"),
    "a broken FLAC": (b"fLaC" + bytes(range(256)) * 40, "bad_sound"),
    "a broken Ogg": (b"OggS" + bytes(2000), "bad_sound"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "unsupported_sound"),
    "a script": (b"<svg onload='alert(1)'></svg>", "unsupported_sound"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_bad_sound_is_refused_with_a_reason(web: httpx.Client, name: str) -> None:
    data, code = HOSTILE[name]
    refused = send(web, data, model="whisper-tiny-en")
    assert refused.status_code in (400, 413), refused.text
    assert refused.json()["error"]["code"] == code
    assert web.get("/v1/models").status_code == 200, "the gateway is untouched"


def test_noise_that_is_no_number_and_truncated_files_do_not_break_it(web: httpx.Client) -> None:
    wild = np.full(rec.RATE * 3, np.nan, np.float32)
    wild[::7] = 1e38
    data = rec.wav_that_says(len(wild), wild.tobytes(), bits=32, kind=3)
    assert send(web, data, model="whisper-tiny-en").status_code == 200
    whole = (rec.FOLDER / "austen-1.flac").read_bytes()
    cut = send(web, whole[: len(whole) // 2], model="whisper-tiny-en")
    assert cut.status_code in (200, 400)
    if cut.status_code == 400:
        assert cut.json()["error"]["code"] == "bad_sound"


def test_strangers_auditors_and_narrow_keys_hear_nothing(pai: Installation, web: httpx.Client) -> None:
    data = rec.wav(rec.samples("austen-2"))
    stranger = httpx.post(f"{pai.url}/v1/audio/transcriptions", files={"file": ("a.wav", data)}, verify=False)
    assert stranger.status_code == 401
    with pai.web(pai.key("inference,knowledge")) as narrow:
        assert send(narrow, data, model="whisper-tiny-en").status_code == 403
    pai.ok("user", "add", "auditor@pai.test", "--role", "auditor", "--password-file", str(pai.password_file))
    made = pai.ok(
        "key", "create", "--owner", "auditor@pai.test", "--name", "a", "--scopes", "perception",
        "--owner-password-file", str(pai.password_file),
    )  # fmt: skip
    with pai.web(made["key"]) as auditor:
        assert send(auditor, data, model="whisper-tiny-en").status_code == 403


def most_memory(server: Installation) -> int:
    """The most memory that the gateway has had so far, in bytes."""
    assert server.server is not None
    for child in Path(f"/proc/{server.server.pid}/task/{server.server.pid}/children").read_text().split():
        process = Path("/proc") / child
        if b"pai.bootstrap.gateway" in (process / "cmdline").read_bytes():
            (line,) = [x for x in (process / "status").read_text().splitlines() if x.startswith("VmHWM")]
            return int(line.split()[1]) << 10
    raise AssertionError("no gateway")


def test_a_recording_larger_than_any_may_be_is_refused_while_it_comes_in(pai: Installation, web: httpx.Client) -> None:
    """And what the gateway holds of it meanwhile is no more than a recording may have."""
    small = pai.folder / "small"
    server = Installation(small, extra={"PAI_LIMITS__DOCUMENT_MB": "8"})
    shutil.copytree(pai.home, server.home, symlinks=True, ignore=shutil.ignore_patterns("run"))
    server.start()
    try:
        with server.web(server.key("perception")) as client:
            before = most_memory(server)

            def pieces() -> Iterator[bytes]:
                yield b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-tiny-en\r\n'
                yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
                for _ in range(300):
                    yield bytes(1 << 20)
                yield b"\r\n--x--\r\n"

            kind = {"content-type": "multipart/form-data; boundary=x"}
            refused = client.post("/v1/audio/transcriptions", content=pieces(), headers=kind)
            assert refused.status_code == 413, refused.text
            assert "8 MB" in refused.json()["error"]["message"]
            assert most_memory(server) - before < 100 << 20
            told = send(client, rec.wav(rec.samples("austen-2")), model="whisper-tiny-en")
            assert "young man" in told.json()["text"], "what was refused holds no place"
    finally:
        assert server.stop() == 0


def test_it_is_recorded_that_and_not_what_was_said(pai: Installation, web: httpx.Client) -> None:
    told = send(web, (rec.FOLDER / "austen-3.flac").read_bytes(), model="whisper-tiny-en", label="restricted")
    assert told.headers["x-pai-label"] == "restricted"
    events = pai.ok("audit", "tail", "--limit", "5")["events"]
    (event,) = [one for one in events if one["name"] == "perception:sound:transcribe"][:1]
    assert event["model"]["name"] == "whisper-tiny-en"
    assert event["label"] == "restricted"
    assert "selfish" not in json.dumps(events)
    kept = (
        path for path in pai.home.rglob("*") if path.is_file() and "models" not in path.parts
    )  # vocabularies hold words
    assert b"selfish" not in b"".join(path.read_bytes() for path in kept)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"response_format": "docx"}, "bad_format"), ({"temperature": "7"}, "bad_temperature"), ({"language": "English!"}, "bad_language"),
        ({"timestamp_granularities[]": "word"}, "unsupported_parameter"), ({"model": ""}, "missing_field"), ({"bogus": "1"}, "bad_multipart"),
        ({"model": "default"}, "missing_capability"), ({"label": "secret"}, "unknown_label"), ({"language": "fr"}, "missing_capability"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(web: httpx.Client, fields: dict[str, str], code: str) -> None:
    refused = send(web, rec.wav(rec.samples("austen-2")), **{"model": "whisper-tiny-en", **fields})
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"]["code"] == code


def send(web: httpx.Client, data: bytes, **fields: Any) -> httpx.Response:
    return web.post("/v1/audio/transcriptions", data=fields, files={"file": ("a", io.BytesIO(data))}, timeout=300)
