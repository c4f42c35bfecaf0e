"""The page as another machine would see it: over TLS, by an address that is not loopback, from several processes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from until import until

NAME = "studio.example"  # the browser is told that it is here
FIRST_MS = 40_000  # generous: the machine may be busy


@pytest.fixture
def abroad(page_catalog: Path, tiny_bundle: Path, self_signed: tuple[Path, Path]) -> Iterator[str]:
    """The URL of two processes behind TLS."""
    cert, key = self_signed
    words = ["--host", "0.0.0.0", "--port", "0", "--no-tokens", "--workers", "2", "--drain-s", "0"]
    words += ["-c", str(page_catalog), "--bundle", str(tiny_bundle), "--tls-cert", str(cert), "--tls-key", str(key)]
    command = [sys.executable, "-m", "segue", "serve", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(150, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert "https://localhost:" in line, line or process.stderr.read()
            yield f"https://{NAME}:{line.partition('https://localhost:')[2].partition('/')[0]}"
            process.terminate()
            _, errors = process.communicate(timeout=40)
            assert process.returncode == 0 and errors == ""
        finally:
            watchdog.cancel()
            process.kill()


def test_the_camera_brings_suggestions_through_a_workers_own_port(
    abroad: str, chromium: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    playwright: Any = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=chromium,
            headless=True,
            args=(*arguments, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"),
            ignore_https_errors=True,
        )
        page = context.new_page()
        wrong: list[str] = []
        reached: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("websocket", lambda opened: reached.append(opened.url))
        page.on("request", lambda asked: reached.append(asked.url) if asked.method == "DELETE" else None)
        page.goto(abroad)
        assert page.evaluate("window.isSecureContext")
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        here, named = abroad.replace(NAME, "127.0.0.1"), {"host": abroad.partition("//")[2]}
        with httpx.Client(base_url=here, headers=named, verify=False) as client:
            (session,) = client.get("/api/sessions").json()["sessions"]
            assert session["connected"]
            page.click("#stop")
            page.wait_for_selector("#welcome", state="visible")
            until(page, lambda: client.get("/api/sessions").json()["sessions"] == [])
        context.close()
    assert wrong == []
    worker = session["events"].partition("/sessions/")[0]
    assert worker.startswith(abroad.rpartition(":")[0]) and worker != abroad
    assert reached[0].startswith(worker.replace("https", "wss")) and reached[-1].startswith(f"{worker}/whip/")
