"""Advice on models and facts of the machine, as the operator gets them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import engine_models
from installation import Installation
from model_files import gguf_file
from pai.adapters.models.catalogue import catalogue


def test_advice_while_serving(served: Installation) -> None:
    told = served.ok("models", "advise", "--context", "4096", "--parallel", "1")
    assert told["machine"]["memory"]["total"] > 0
    assert told["machine"]["memory"]["held_by_engines"] > 0  # the echo engine's process
    starters = {name for name, starter in catalogue().items() if starter.format == "gguf"}
    assert {model["name"] for model in told["models"]} == starters
    for model in told["models"]:
        assert model["fits"] in {"yes", "tight", "no"}
        assert model["memory"]["total"] > model["memory"]["weights"] > 0
    assert told["speed"] is None


def test_advice_for_people(served: Installation) -> None:
    told = served.run("models", "advise", "--measure")
    assert told.code == 0, told.err
    assert "Machine" in told.out
    assert "Chat models with a context of 8192 tokens, 8 at once" in told.out
    assert "writes" in told.out.splitlines()[-1]
    heads = [line for line in told.out.splitlines() if "longest context" in line]
    assert heads[0].index("weights") > heads[0].index("here")


@pytest.mark.slow
def test_speed_is_measured_and_recorded(served: Installation) -> None:
    told = served.ok("models", "advise", "--measure", "--model", "echo")["speed"]
    assert told["model"] == "echo"
    assert told["prompt_tokens"] > 100
    assert told["generated_tokens_per_second"] > 0
    shown = served.ok("models", "show", "echo")
    assert shown["measured"] == told
    assert "echo engine" in shown["why"]
    assert "writes" in served.run("models", "show", "default").out
    events = served.ok("audit", "tail", "--limit", "20")["events"]
    assert "models:speed:measure" in [event["name"] for event in events]
    assert served.run("models", "advise", "--measure", "--model", "nobody", "--json").code == 1


def test_an_alias_means_a_model_of_its_own_kind(served: Installation) -> None:
    for name, alias in (("echo", "default-embedding"), ("echo-embedding", "default"), ("echo", "other")):
        told = served.run("models", "activate", name, "--alias", alias, "--json")
        assert (told.code, '"bad_alias"' in told.err) == (1, True)
    assert "default" in served.ok("models", "activate", "echo")["aliases"]
    assert served.ok("models", "show", "default-embedding")["name"] == "echo-embedding"


def test_the_doctor_tells_the_machine_too(served: Installation) -> None:
    told = served.ok("doctor")
    assert told["measured"]
    assert told["layers"]
    assert told["machine"]["cores"] >= 1
    assert "instructions" in served.run("doctor").out


def test_advice_without_a_server_needs_no_passphrase(fresh: Installation) -> None:
    good, cut = (fresh.home / "models" / name for name in ("tiny", "cut"))
    for folder, data in ((good, gguf_file()), (cut, gguf_file()[:700])):
        folder.mkdir(parents=True)
        (folder / "model.gguf").write_bytes(data)
    (fresh.home / "models" / "linked").mkdir()
    (fresh.home / "models" / "linked" / "model.gguf").symlink_to(good / "model.gguf")
    told = fresh.ok("models", "advise", PAI_PASSPHRASE_FILE=str(fresh.folder / "nowhere"))
    found = {model["name"]: model for model in told["models"]}
    assert found["tiny"]["installed"]
    assert found["tiny"]["fits"] == "yes"
    assert (found["cut"]["fits"], "ends inside" in found["cut"]["advice"][0]) == ("unknown", True)
    assert found["linked"]["fits"] == "unknown"
    refused = fresh.run("models", "advise", "--measure", "--json")
    assert (refused.code, '"not_serving"' in refused.err) == (1, True)


@pytest.mark.model
def test_the_catalogue_describes_its_models_as_their_files_do() -> None:
    import msgspec

    from pai.adapters.models.formats import validate
    from pai.core.models.advice import shape_of

    source = Path(os.environ.get("PAI_TEST_MODELS") or Path(engine_models.__file__).parents[1] / ".cache" / "models")
    checked = 0
    for name, starter in catalogue().items():
        path = source / name / "model.gguf"
        if starter.format == "gguf" and path.exists():
            with path.open("rb") as file:
                header = msgspec.to_builtins(validate("gguf", {"model.gguf": file.fileno()}))
            assert shape_of(header) == starter.shape, name
            checked += 1
    if not checked:
        pytest.skip(f"real weights are not here: {source}")
