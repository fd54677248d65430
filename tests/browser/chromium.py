"""Headless Chromium, driven over W3C WebDriver with nothing but an HTTP client.

Certificate errors are not ignored: the installation's CA is put into an NSS trust store under a throw-away HOME.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from installation import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver section 12
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb",
)  # fmt: skip
MISSING = [tool for tool in ("chromium", "chromedriver", "certutil") if shutil.which(tool) is None]
KEYS = {"enter": "\ue007", "escape": "\ue00c", "tab": "\ue004"}


class WebDriverError(AssertionError):
    """The driver said no."""


@dataclass
class Chromium:
    """One browser. ``folder`` holds its HOME, its profile and its pictures; ``ca`` is the only certificate it is given."""

    folder: Path
    ca: Path
    session: str = ""
    driver: subprocess.Popen[bytes] | None = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))

    def start(self) -> None:
        home = self.folder / "browser-home"
        for store in (home / ".pki" / "nssdb", home / ".local" / "share" / "pki" / "nssdb"):
            store.mkdir(parents=True)
            certutil = ["certutil", "-d", f"sql:{store}"]
            subprocess.run([*certutil, "-N", "--empty-password"], check=True, capture_output=True)
            subprocess.run(
                [*certutil, "-A", "-t", "C,,", "-n", "PAI", "-i", str(self.ca)], check=True, capture_output=True
            )
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
        port = free_port()
        command = ["chromedriver", f"--port={port}", "--allowed-ips=127.0.0.1"]
        with (self.folder / "driver.log").open("wb") as log:
            self.driver = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        self._await_driver()
        options = {
            "binary": shutil.which("chromium"),
            "args": [*FLAGS, f"--user-data-dir={self.folder / 'profile'}"],
        }
        wanted = {
            "browserName": "chrome", "acceptInsecureCerts": False, "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }  # fmt: skip
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def stop(self) -> None:
        if self.session:
            self._call("DELETE", self.session)
        if self.driver is not None:
            self.driver.terminate()
            self.driver.wait(20)
        self.client.close()

    def _await_driver(self) -> None:
        for _ in range(100):
            try:
                if self.client.get("/status").json()["value"]["ready"]:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise WebDriverError("chromedriver does not answer")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if method in ("GET", "DELETE") else json.dumps(body or {})
        value = self.client.request(method, path, content=content).json()["value"]
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(f"{path}: {value['error']}: {value['message'][:500]}")
        return value

    def do(self, path: str, **body: Any) -> Any:
        return self._call("POST", self.session + path, body)

    def cdp(self, command: str, **parameters: Any) -> Any:
        return self.do("/goog/cdp/execute", cmd=command, params=parameters)

    def screen(self, width: int, height: int, theme: str = "light") -> None:
        mobile = width < 600
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def picture(self, name: str) -> Path:
        path = self.folder / f"{name}.png"
        path.write_bytes(base64.b64decode(self.cdp("Page.captureScreenshot", format="png")["data"]))
        return path

    def open(self, url: str) -> None:
        self.do("/url", url=url)

    @property
    def url(self) -> str:
        return str(self._call("GET", self.session + "/url"))

    def js(self, script: str, *args: Any) -> Any:
        return self.do("/execute/sync", script=script, args=list(args))

    def find(self, css: str) -> str:
        return str(self.do("/element", using="css selector", value=css)[ELEMENT])

    def see(self, css: str) -> bool:
        """Whether an element with this selector is there and shown."""
        found = self.do("/elements", using="css selector", value=css)
        return any(self._call("GET", f"{self.session}/element/{one[ELEMENT]}/displayed") for one in found)

    def text(self, css: str) -> str:
        return str(self._call("GET", f"{self.session}/element/{self.find(css)}/text"))

    def click(self, css: str) -> None:
        self.wait(lambda: self.see(css), css)
        shown = next(
            one[ELEMENT]
            for one in self.do("/elements", using="css selector", value=css)
            if self._call("GET", f"{self.session}/element/{one[ELEMENT]}/displayed")
        )
        self.do(f"/element/{shown}/click")

    def type(self, css: str, text: str, *, clear: bool = False) -> None:
        element = self.find(css)
        if clear:
            self.do(f"/element/{element}/clear")
        self.do(f"/element/{element}/value", text=text)

    def press(self, key: str) -> None:
        value = KEYS[key]
        actions = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.do("/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def wait(self, true: Callable[[], bool], what: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if true():
                    return
            except WebDriverError:
                pass  # the page is changing under the question
            time.sleep(0.05)
        self.picture("failure")
        raise WebDriverError(f"waited in vain for {what} at {self.url}; see {self.folder / 'failure.png'}")

    def wait_for(self, css: str, seconds: float = 20) -> None:
        self.wait(lambda: self.see(css), css, seconds)

    def complaints(self) -> list[str]:
        """What the console said: script errors and violations of the content security policy."""
        entries = self.do("/se/log", type="browser")
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def requested(self) -> list[str]:
        """The addresses that the browser asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.do("/se/log", type="performance")]
        return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
