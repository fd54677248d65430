"""Commands of the box: they ignore PAI_URL."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click

from pai import __version__
from pai.entrypoints.cli.asking import nothing, passphrases
from pai.entrypoints.cli.console import ask_server, call
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.machine import machine_text, machine_value
from pai.entrypoints.cli.output import START, say, show_json
from pai.entrypoints.cli.verdict import groups_of, text_of, value_of
from pai.foundation.errors import Unavailable, Usage

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON alone on stdout.")


def show(context: Context, value: Any, text: str) -> None:
    """Print a result in the form that was asked for."""
    if context.json:
        show_json(value)
    else:
        say(text)


@click.command()
@click.option("--host", help="Address to listen on (127.0.0.1); others see below.")
@click.option("--port", type=int, help="Port to listen on (8443).")
@click.option("--passphrase-file", help="File with the root passphrase, mode 0600.")
@click.option("--sealed", is_flag=True, help="Ask for nothing and start sealed, as without a terminal and a file.")
@click.pass_obj
def serve(context: Context, host: str | None, port: int | None, passphrase_file: str | None, sealed: bool) -> int:
    """Serve until SIGTERM or Ctrl-C. Prints one line when ready.

    Without a passphrase from a file or a terminal it starts sealed: it answers 503 to everything until `pai keys unseal`.

    Beyond loopback (--host 0.0.0.0, or one address of this machine) PAI serves once every administrator has a second factor; the
    certificate then names this machine and its addresses, besides those of the setting server.names.

    Example: pai serve --port 8443
    """
    context.flags.update({"server.host": host, "server.port": port})
    settings = context.settings()
    return context.serve(settings, nothing() if sealed else passphrases(context, settings, passphrase_file))


@click.command()
@as_json
@click.pass_obj
def status(context: Context, json_: bool) -> int:
    """Tell whether the server is ready; it needs no passphrase. Exit code 1 when no server runs.

    Example: pai status --json
    """
    settings = context.settings()
    try:
        value = ask_server(context, "status")
    except Unavailable as error:
        if error.code != "not_serving":
            raise
        value = {"running": False, "ready": False, "reason": "not running", "version": __version__}
        show(context, value, f"not running: no server uses {settings.home} (start one with {START})")
        return 1
    port = context.port(settings)
    show(
        context,
        {"running": True, **value},
        f"ready at https://localhost:{port}" if value["ready"] else f"not ready: {value['reason']}",
    )
    return 0


@click.command()
@as_json
@click.pass_obj
def doctor(context: Context, json_: bool) -> None:
    """Say whether everything holds: kernel layers at the last start, keys, models, disk, port, memory; and what this machine has.

    Example: pai doctor
    """
    settings = context.settings()
    told, machine = call(context, "doctor"), context.machine(settings)
    groups = groups_of(settings, told, context.port(settings), running=told["serving"])
    value = {
        "measured": bool(told["layers"]), "layers": told["layers"], "missing": told["missing"], **value_of(groups),
        "machine": machine_value(machine),
    }  # fmt: skip
    show(context, value, f"{text_of(groups)}\n\n{machine_text(machine)}")


@click.command()
@as_json
@click.pass_obj
def version(context: Context, json_: bool) -> None:
    """Show the version. Example: pai version"""
    show(context, {"version": __version__}, __version__)


@click.command()
@as_json
@click.pass_obj
def env(context: Context, json_: bool) -> None:
    """Show what SDKs need to reach this server. Example: eval "$(pai env)" """
    settings = context.settings()
    base = f"https://localhost:{context.port(settings)}"
    ca = str(settings.home / "tls" / "ca.pem")
    value = {
        "OPENAI_BASE_URL": f"{base}/v1", "ANTHROPIC_BASE_URL": base, "OLLAMA_HOST": base, "SSL_CERT_FILE": ca, "PAI_URL": base,
        "PAI_CA_FILE": ca,
    }  # fmt: skip
    # The home may have any name, and this is run by a shell.
    lines = [f"export {name}={shlex.quote(text)}" for name, text in value.items()]
    show(
        context,
        value,
        "\n".join(
            [
                *lines,
                "# SSL_CERT_FILE: programs of this shell trust PAI's certificate authority and no other",
                "# and a key, as OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_API_KEY: $(pai key create ...)",
            ]
        ),
    )


@click.group()
def tls() -> None:
    """The local certificate authority. Example: pai tls show"""


@tls.command("show")
@as_json
@click.pass_obj
def tls_show(context: Context, json_: bool) -> None:
    """Print where the authority's certificate lies, for clients to trust."""
    path = str(context.settings().home / "tls" / "ca.pem")
    show(context, {"ca": path}, path)


@tls.command("trust")
@click.option("--install", is_flag=True, help="Put it into this user's store of Chromium and Chrome (needs certutil).")
@as_json
@click.pass_obj
def tls_trust(context: Context, install: bool, json_: bool) -> None:
    """Show how browsers and programs come to trust this installation's certificate, or do it for Chromium.

    Example: pai tls trust --install
    """
    path = context.settings().home / "tls" / "ca.pem"
    if not path.exists():
        raise Usage("there is no certificate yet", code="not_initialised", hint="run `pai init` first")
    store = Path.home() / ".pki" / "nssdb"
    if install:
        _install(path, store)
        show(
            context, {"ca": str(path), "installed_in": str(store)}, f"Chromium and Chrome of this user trust {path} now"
        )
        return
    lines = [
        f"The authority's certificate: {path}",
        "Chromium, Chrome:  pai tls trust --install",
        "Firefox:           Settings > Certificates > View > Authorities > Import",
        f"whole system:      sudo cp {path} /usr/local/share/ca-certificates/pai.crt && sudo update-ca-certificates",
        "Python SDKs:       see `pai env`",
    ]
    show(context, {"ca": str(path), "installed_in": None}, "\n".join(lines))


def _install(path: Path, store: Path) -> None:
    tool = shutil.which("certutil")
    if tool is None:
        raise Unavailable("certutil is not installed", code="no_certutil", hint="Debian: apt install libnss3-tools")
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = ["-d", f"sql:{store}"]
    if not (store / "cert9.db").exists():
        subprocess.run([tool, *at, "-N", "--empty-password"], check=True, capture_output=True)
    done = subprocess.run(
        [tool, *at, "-A", "-t", "C,,", "-n", "PAI local authority", "-i", str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Unavailable(f"certutil refused: {done.stderr.strip()[:200]}", code="certutil", hint=f"look at {store}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands. Example: pai completion bash > ~/.local/share/bash-completion/completions/pai"""
    from click.shell_completion import get_completion_class

    from pai.entrypoints.cli.app import pai

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(pai, {}, "pai", "_PAI_COMPLETE").source())
