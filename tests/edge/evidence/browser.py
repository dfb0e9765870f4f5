"""A headless Chromium, spoken to over two pipes in the DevTools protocol: no port, no driver, no dependency."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), "")

_FLAGS = (
    "--headless",
    "--no-sandbox",  # a test may run as root, which its sandbox refuses
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
    "--window-size=1200,1500",
)


class Navigated(Exception):
    """The page went elsewhere before it answered."""


class Page:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._number = 0
        self._session = ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable")
        self._ask("Runtime.enable")

    def open(self, url: str) -> None:
        """Go there and wait for the page to have loaded."""
        self._ask("Page.navigate", url="about:blank")
        self._ask("Page.navigate", url=url)
        self.run("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def phone(self, width: int) -> None:
        """From here on it is a phone, so many CSS pixels wide."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=740, deviceScaleFactor=1, mobile=True)

    def run(self, script: str) -> Any:
        """The value of an expression; promises are waited for."""
        told = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until an expression is true, whatever page shows it by then. The test's own timeout ends a wait in vain."""
        look = f"new Promise((done) => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look() }})"
        while True:
            try:
                self.run(look)
            except Navigated:
                continue
            return

    def screenshot(self, path: Path) -> None:
        """For a person to look at."""
        shot = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "navigated" in str(answer.get("error", "")):
                    raise Navigated(answer["error"])
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "the browser has ended"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser with an empty profile there, and its one tab."""
    its_in, to_browser = os.pipe()
    from_browser, its_out = os.pipe()
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$@" 3</dev/fd/{its_in} 4>/dev/fd/{its_out}', "sh", *command],
        pass_fds=(its_in, its_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(its_in)
    os.close(its_out)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)
        os.close(from_browser)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
