"""A browser driven through a pipe by its own protocol (CDP); no driver and no port is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any, Self

_ANSWERS_S = 60.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root, as in most containers, has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "about:blank",
)


class NavigatedError(AssertionError):
    """A page that went away while it was asked."""


class Chromium:
    """One browser.

    Args:
        program: to start.
        profile: empty folder for it.
    """

    def __init__(self, program: str, profile: Path) -> None:
        (child_in, to_child), (from_child, child_out) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (child_in, child_out)]
        for end in (child_in, child_out):
            os.close(end)

        def as_three_and_four() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [program, f"--user-data-dir={profile}", *_FLAGS],
            preexec_fn=as_three_and_four,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in ends:
            os.close(end)
        self._to, self._from, self._rest, self._last = to_child, from_child, b"", 0
        self._pages: dict[str, Page] = {}

    def call(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        """Ask, and wait for the answer; events meanwhile go to their pages."""
        self._last += 1
        number = self._last
        asked = {"id": number, "method": method, "params": values}
        os.write(self._to, json.dumps(asked | ({"sessionId": session} if session else {})).encode())
        os.write(self._to, b"\0")
        while True:
            message = self.read()
            if message.get("id") == number:
                error = message.get("error")
                if error and "navigated" in error["message"]:
                    raise NavigatedError(f"{method}: {error['message']}")
                assert not error, f"{method}: {error}"
                return message["result"]

    def read(self) -> dict[str, Any]:
        """The next message."""
        until = time.monotonic() + _ANSWERS_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._from, 1 << 20) if ready else b""
            assert part, "the browser does not answer"
            self._rest += part
        first, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(first)
        page = self._pages.get(message.get("sessionId", ""))
        if page is not None and "method" in message:
            page.saw(message["method"], message["params"])
        return message

    def page(self) -> Page:
        """A new tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        made = Page(self, target, attached["sessionId"])
        self._pages[made.session] = made
        for domain in ("Page", "Runtime", "Log", "Network"):
            made.call(f"{domain}.enable")
        made.call("Page.setLifecycleEventsEnabled", enabled=True)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._to)  # it ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)


class Page:
    """A tab, and everything it complained of and asked for.

    Attributes:
        problems: console errors and warnings, exceptions, refused loads.
        asked: addresses requested.
        loaded: documents that were loaded whole.
    """

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self.browser, self.target, self.session = browser, target, session
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.loaded: set[str] = set()

    def saw(self, event: str, values: dict[str, Any]) -> None:
        """One event."""
        if event == "Network.requestWillBeSent":
            self.asked.append(values["request"]["url"])
        elif event == "Page.lifecycleEvent" and values["name"] == "load":
            self.loaded.add(values["loaderId"])
        elif event == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(values["exceptionDetails"])[:500])
        elif event == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
            self.problems.append(json.dumps(values["args"])[:500])
        elif event == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.problems.append(values["entry"]["text"])

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """Ask the tab."""
        return self.browser.call(method, self.session, **values)

    def goto(self, address: str) -> None:
        """Load a page and wait for it."""
        document = self.call("Page.navigate", url=address)["loaderId"]
        while document not in self.loaded:
            self.browser.read()

    def wait_for(self, condition: str) -> None:
        """Wait until an expression holds, on this page or on one that follows it."""
        until = time.monotonic() + _ANSWERS_S
        while not self._holds(condition):
            assert time.monotonic() < until, condition
            time.sleep(0.05)

    def _holds(self, condition: str) -> bool:
        try:
            return self.run(condition) is True
        except NavigatedError:  # the page that was asked made way for the one that follows
            return False

    def click(self, selector: str) -> None:
        """Click what leads to another page, and wait for that."""
        before = len(self.loaded)
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        while len(self.loaded) == before:
            self.browser.read()

    def run(self, script: str) -> Any:
        """Value of an expression, or of the promise it gives."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def look(self, width: int, *, dark: bool = False, media: str = "screen") -> None:
        """Width in CSS pixels, colour scheme and medium."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG file."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self.target)
