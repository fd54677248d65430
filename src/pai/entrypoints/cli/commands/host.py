"""Commands of the box: they ignore PAI_URL."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from pai import __version__
from pai.entrypoints.cli.console import call, passphrase_of
from pai.entrypoints.cli.context import Context
from pai.entrypoints.cli.machine import machine_text, machine_value
from pai.entrypoints.cli.output import note, say, show_json
from pai.foundation.errors import Unavailable, Usage
from pai.foundation.redaction import Secret

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON alone on stdout.")


def show(context: Context, value: Any, text: str) -> None:
    """Print a result in the form that was asked for."""
    if context.json:
        show_json(value)
    else:
        say(text)


_VARIABLES = {"password": "PAI_ADMIN_PASSWORD_FILE", "passphrase": "PAI_PASSPHRASE_FILE"}


def new_secret(what: str) -> Secret:
    """Ask twice at the terminal. Raises Usage when there is none, or when the entries differ."""
    if not sys.stdin.isatty():
        raise Usage(
            f"the {what} is needed", hint=f"give --{what}-file, or set {_VARIABLES[what]} to a file with mode 0600"
        )
    first = getpass.getpass(f"New {what}: ")
    if first != getpass.getpass(f"The same {what} again: "):
        raise Usage(f"the two entries of the {what} differ", hint="try again")
    return Secret(first.encode())


def _ask_back(code: str) -> str:
    note(f"\nRecovery code: {code}\nIt opens PAI if the passphrase is lost. Write it down, away from this machine.")
    return str(click.prompt("Type it here to confirm (Enter: later)", default="", show_default=False))


@click.command()
@click.option("--admin", help="E-mail address of the first administrator (PAI_ADMIN_EMAIL).")
@click.option("--password-file", help="File with the administrator's password, mode 0600 (PAI_ADMIN_PASSWORD_FILE).")
@click.option("--passphrase-file", help="File with the root passphrase, mode 0600 (PAI_PASSPHRASE_FILE).")
@click.option("--profile", type=click.Choice(["laptop", "server", "airgap"]), help="Where this installation stands.")
@click.option("--models", help="starter, small, echo or none (PAI_MODELS).")
@click.option("--ask", is_flag=True, help="Ask at the terminal for the administrator's password too.")
@as_json
@click.pass_obj
def init(
    context: Context, admin: str | None, password_file: str | None, passphrase_file: str | None, profile: str | None,
    models: str | None, ask: bool, json_: bool,
) -> None:  # fmt: skip
    """Make a new installation in PAI_HOME. Interrupted, it can be run again.

    Without a password file it prints a link, good once and for 30 minutes, where the first administrator chooses a password.

    Example: pai init --admin me@example.org --password-file pw --passphrase-file pp --models starter
    """
    context.flags["profile"] = profile
    settings = context.settings()
    email = admin or settings.admin_email
    if not email and sys.stdin.isatty():
        email = click.prompt("E-mail address of the first administrator")
    if not email:
        raise Usage("the address of the first administrator is needed", hint="give --admin or set PAI_ADMIN_EMAIL")
    password_path = Path(password_file) if password_file else settings.admin_password_file
    password = context.secret_file(password_path, "password") if password_path else None
    if password is None and ask:
        password = new_secret("password")
    path = Path(passphrase_file) if passphrase_file else settings.passphrase_file
    passphrase = context.secret_file(path, "passphrase") if path else new_secret("passphrase")
    made = context.initialise(
        settings, admin_email=email, admin_password=password, passphrase=passphrase,
        models=models or settings.models_choice or "starter", cache=context.cache, progress=note,
        confirm=_ask_back if ask and sys.stdin.isatty() else None,
    )  # fmt: skip
    value = {
        "home": str(settings.home), "admin": made.admin, "models": made.models, "recovery_code": made.recovery_code,
        "admin_recovery_code": made.admin_recovery_code, "seconds": made.seconds, "setup_url": None,
    }  # fmt: skip
    text = f"PAI is initialised in {settings.home}. Next: pai serve"
    if made.setup_token:
        value["setup_url"] = f"https://localhost:{settings.server.port}/setup#{made.setup_token}"
        text += (
            f"\nThen choose a password for {made.admin} (this link works once, for 30 minutes): {value['setup_url']}"
        )
    kept = settings.home / "recovery-code.txt"
    if made.recovery_code and kept.exists():
        text += f"\nRecovery code (write it down, away from this machine): {made.recovery_code}"
        text += f"\nIt also lies in {kept} until you confirm it: pai keys confirm-recovery"
    show(context, value, text)


@click.command()
@click.option("--host", help="Address to listen on (loopback only).")
@click.option("--port", type=int, help="Port to listen on (8443).")
@click.option("--passphrase-file", help="File with the root passphrase, mode 0600.")
@click.pass_obj
def serve(context: Context, host: str | None, port: int | None, passphrase_file: str | None) -> int:
    """Serve until SIGTERM or Ctrl-C. Prints one line when ready.

    Example: pai serve --port 8443
    """
    context.flags.update({"server.host": host, "server.port": port})
    settings = context.settings()
    return context.serve(settings, passphrase_of(context, settings, passphrase_file))


@click.command()
@as_json
@click.pass_obj
def status(context: Context, json_: bool) -> None:
    """Tell whether the server is ready. Example: pai status --json"""
    value = call(context, "status")
    show(context, value, "ready" if value["ready"] else f"not ready: {value['reason']}")


@click.command()
@as_json
@click.pass_obj
def doctor(context: Context, json_: bool) -> None:
    """Show what this machine has, and which kernel layers hold around the gateway, as its last start recorded them.

    Example: pai doctor
    """
    machine = context.machine(context.settings())
    events = call(context, "audit.tail", name="operations:server:start", limit=1)["events"]
    layers = events[0]["protections"] if events else []
    missing = events[0]["missing"] if events else []
    value = {"measured": bool(events), "layers": layers, "missing": missing, "machine": machine_value(machine)}
    walls = [f"  {layer}" for layer in layers] or ["  not measured: start `pai serve` once"]
    show(context, value, "\n".join([machine_text(machine), "Walls around the gateway, at its last start", *walls]))


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
    base = f"https://localhost:{settings.server.port}"
    ca = str(settings.home / "tls" / "ca.pem")
    value = {"OPENAI_BASE_URL": f"{base}/v1", "SSL_CERT_FILE": ca, "PAI_URL": base, "PAI_CA_FILE": ca}
    lines = [f"export {name}={text}" for name, text in value.items()]
    show(context, value, "\n".join([*lines, "# and a key: export OPENAI_API_KEY=$(pai key create ... )"]))


@click.group()
def audit() -> None:
    """The audit log. Example: pai audit verify"""


@audit.command("tail")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--subject", help="Only events that touched this data subject (id).")
@as_json
@click.pass_obj
def audit_tail(context: Context, limit: int, subject: str | None, json_: bool) -> None:
    """Show the newest events."""
    value = call(context, "audit.tail", limit=limit, subject=subject)
    lines = [
        f"{e['index']:>6}  {e['at'][:19]}  {e['name']:<34} {e['actor']['id']}  {e['outcome']}" for e in value["events"]
    ]
    show(context, value, "\n".join(lines))


@audit.command("verify")
@as_json
@click.pass_obj
def audit_verify(context: Context, json_: bool) -> int:
    """Recompute the whole log and compare it with the tree and every signed checkpoint."""
    value = call(context, "audit.verify")
    errors = "".join(f"\n  {e['kind']} at {e['index']}: {e['hint']}" for e in value["errors"])
    show(
        context, value, f"{'intact' if value['ok'] else 'BROKEN'}: {value['size']} events, root {value['root']}{errors}"
    )
    return 0 if value["ok"] else 1


@audit.command("checkpoint")
@as_json
@click.pass_obj
def audit_checkpoint(context: Context, json_: bool) -> None:
    """Sign the present head of the log."""
    value = call(context, "audit.checkpoint")
    show(context, value, value["note"])


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
