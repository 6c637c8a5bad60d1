"""A headless Chromium driven over its debugging port: pages opened, looked at, clicked, and listened to."""

from __future__ import annotations

import base64
import io
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
    *("--remote-debugging-port=0", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)


class Tab:
    """One page. console: its messages and errors; asked: the addresses it asked for."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.console: list[str] = []
        self.asked: list[str] = []
        self._events: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and returns its result, noting the events that come before it."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=300))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def open(
        self, page: Path, width: int = 1280, height: int = 900, *, dark: bool = False, scripts: bool = True
    ) -> Tab:
        """Loads a file in a window of this size, and waits until it has drawn."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.console.clear()
        self.asked.clear()
        self._events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._note(json.loads(self._socket.recv(timeout=300)))
        self.call("Emulation.setScriptExecutionDisabled", value=False)
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        return self

    def run(self, script: str) -> Any:
        """The value of an expression in the page, a promise's once it is kept."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def pixels(self, selector: str) -> np.ndarray:
        """An element's picture as (rows, columns, colours), 0 to 255."""
        import matplotlib.image

        box = self.run(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}})()"
        )
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={**box, "scale": 1})
        picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(shot["data"])))
        return (picture[:, :, :3] * 255).round().astype(int)

    def _note(self, message: dict[str, Any]) -> None:
        method, values = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.asked.append(values["request"]["url"])
        elif method == "Log.entryAdded":
            self.console.append(values["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(a.get("value", a.get("description"))) for a in values["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(values["exceptionDetails"]))


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A tab of a fresh Chromium with its profile in `folder`."""
    import urllib.request

    from websockets.sync.client import connect

    profile = folder / "profile"
    options = [*QUIET, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen([str(CHROMIUM), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 300
        while not (port.exists() and port.read_text().strip()):
            assert process.poll() is None, "Chromium ended"
            assert time.monotonic() < deadline, "Chromium did not open its port"
            time.sleep(0.05)
        number = port.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/json/list", timeout=300) as answer:
            targets = json.load(answer)
        address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
        with connect(address, max_size=None, ping_interval=None) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(timeout=300)
