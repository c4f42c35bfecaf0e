"""A page in an installed browser: Chromium by Playwright, Firefox by WebDriver BiDi, which is built in."""

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .errors import BenchError

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
FIREFOX: Final = ("firefox-esr", "firefox")
START_S: Final = 60.0
CALL_S: Final = 90.0
PREFERENCES: Final = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.update.disabledForTesting": True,
}


def find_program(names: tuple[str, ...]) -> str:
    """The path of the first program that is installed. Raises `BenchError`."""
    path = next((candidate for name in names if (candidate := shutil.which(name))), None)
    if path is None:
        raise BenchError(f"none of {', '.join(names)} is on PATH; install one")
    return path


@contextlib.contextmanager
def browsing(browser: str, url: str) -> Iterator["Chromium | Firefox"]:
    """A page at ``url``, without a window; sound may play without a click. Raises `BenchError`."""
    with (_chromium if browser == "chromium" else _firefox)(url) as page:
        yield page


class Chromium:
    def __init__(self, page: Any) -> None:
        self._page = page

    def call(self, function: str, *arguments: object) -> Any:
        return self._page.evaluate(f"(parameters) => ({function})(...parameters)", list(arguments))


@contextlib.contextmanager
def _chromium(url: str) -> Iterator[Chromium]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BenchError('the package playwright is not installed; pip install ".[test]" brings it') from error
    words = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_program(CHROMIUM), headless=True, args=words)
        try:
            page = browser.new_page()
            page.goto(url)
            yield Chromium(page)
        finally:
            browser.close()


class Firefox:
    """A client of WebDriver BiDi (W3C), with the few commands needed here."""

    def __init__(self, socket: Any, url: str) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._request("session.new", {"capabilities": {}})
        self._context = self._request("browsingContext.getTree", {})["contexts"][0]["context"]
        self._request("browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"})

    def call(self, function: str, *arguments: object) -> Any:
        text = f"({function})(...{json.dumps(arguments)}).then((result) => JSON.stringify(result))"
        target = {"context": self._context}
        parameters = {"expression": text, "target": target, "awaitPromise": True, "userActivation": True}
        answer = self._request("script.evaluate", parameters)
        if answer["type"] != "success":
            raise BenchError(f"Firefox: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    def _request(self, method: str, parameters: dict[str, object]) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            try:
                message = json.loads(self._socket.recv(timeout=CALL_S))
            except TimeoutError as error:
                raise BenchError(f"Firefox did not answer {method} within {CALL_S:g} s; try again") from error
            if message.get("id") == number:
                if message["type"] == "error":
                    raise BenchError(f"Firefox, {method}: {message['message']}")
                return message["result"]


@contextlib.contextmanager
def _firefox(url: str) -> Iterator[Firefox]:
    from websockets.sync.client import connect

    with tempfile.TemporaryDirectory() as profile:
        lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        command = [
            find_program(FIREFOX),
            "--headless",
            "--no-remote",
            "--profile",
            profile,
            "--remote-debugging-port",
            "0",
        ]
        environment = os.environ | {"HOME": profile, "MOZ_CRASHREPORTER_DISABLE": "1"}
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
        ) as firefox:
            watchdog = threading.Timer(START_S, firefox.kill)
            watchdog.start()
            try:
                assert firefox.stderr is not None
                address = next((match for line in firefox.stderr if (match := re.search(r"ws://\S+", line))), None)
                watchdog.cancel()
                if address is None:
                    raise BenchError("Firefox did not start: it opened no WebDriver BiDi")
                drain = threading.Thread(target=firefox.stderr.read, daemon=True)
                drain.start()
                with connect(f"{address[0]}/session", max_size=None, compression=None) as socket:
                    yield Firefox(socket, url)
            finally:
                watchdog.cancel()
                firefox.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    firefox.wait(10)
                firefox.kill()
