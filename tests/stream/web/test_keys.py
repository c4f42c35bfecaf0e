"""The page that was opened with a stream's key: it waits, attaches, and outlives the server."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from rows import hold, let_go, play_row, press, row_of, text_of

FIRST_MS = 40_000  # generous: the machine may be busy
SOON_MS = 15_000
KEY = "studio-41"


class Restarted:
    """``segue serve`` in a process of its own, on a port that stays the same."""

    def __init__(self, catalog: Path, bundle: Path, *words: str) -> None:
        self._words = ["-c", str(catalog), "--bundle", str(bundle), "--drain-s", "0", *words]
        self.port, self._process = 0, None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "-m", "segue", "serve", "--port", str(self.port), *self._words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(150, process.kill)
        watchdog.start()
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        watchdog.cancel()
        assert "http://" in line, line or process.stderr.read()
        self.port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
        self._process = process

    def stop(self, sig: int) -> str:
        """Returns what it said to standard error."""
        assert self._process is not None
        os.kill(self._process.pid, sig)
        _, said = self._process.communicate(timeout=60)
        return said


@pytest.fixture
def restarted(long_catalog: Path, tiny_bundle: Path) -> Iterator[Restarted]:
    made = Restarted(long_catalog, tiny_bundle)
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """``opened(url)``: a page; scripts that fail fail the test."""
    wrong: list[str] = []
    pages: list[Any] = []

    def open_page(url: str) -> Any:
        page = browser.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(url)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert wrong == []


def test_it_waits_says_so_and_attaches_again_and_again(opened: Any, server: Any) -> None:
    viewer = opened(f"{server.url}?key={KEY}")
    viewer.wait_for_selector("#remote:visible", timeout=SOON_MS)
    assert "Waiting for the stream of this key" in viewer.inner_text("#remote")
    assert viewer.inner_text("#status-text") == "Waiting for the stream"
    assert KEY not in viewer.inner_text("body")
    sender = opened(f"{server.url}#key={KEY}")
    sender.click("#stop")  # it waits too; here something is to be sent
    for _ in range(2):
        sender.click("#use-camera")
        sender.wait_for_selector(".row", timeout=FIRST_MS)
        viewer.wait_for_selector(".row", timeout=FIRST_MS)
        assert viewer.inner_text("#remote-name") == "The stream of this key"
        assert viewer.inner_text("#status-text") == "Live"
        assert KEY not in httpx.get(f"{server.url}api/sessions").text
        sender.click("#stop")
        viewer.wait_for_selector(".row", state="detached", timeout=FIRST_MS)
        viewer.wait_for_selector("#remote:has-text('Waiting')", timeout=SOON_MS)
        assert viewer.is_hidden("#toast")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_restart_of_the_server_loses_neither_stream_nor_sound_nor_wishes(
    opened: Any, restarted: Restarted, sig: int
) -> None:
    sender, viewer = opened(f"{restarted.url}#key={KEY}"), opened(f"{restarted.url}?key={KEY}")
    sender.click("#stop")
    sender.click("#use-camera")
    sender.wait_for_selector(".row", timeout=FIRST_MS)
    viewer.wait_for_selector(".row", timeout=FIRST_MS)
    hold(sender)
    played = row_of(sender, 1)
    title = text_of(played, ".title")
    play_row(played)
    viewer.wait_for_selector('#player[data-state="playing"]', timeout=SOON_MS)
    hold(viewer)
    left, other = [row for row in (row_of(viewer, place) for place in (1, 2, 3)) if text_of(row, ".title") != title][:2]
    out, liked = text_of(left, ".title"), text_of(other, ".title")
    press(left, ".drop-it")
    press(other, ".like")
    let_go(viewer)
    for page in (sender, viewer):
        page.wait_for_function("() => document.querySelectorAll('#wishes li').length === 2", timeout=SOON_MS)
    sender.wait_for_timeout(1500)  # a list more, that says so
    (before,) = httpx.get(f"{restarted.url}api/sessions").json()["sessions"]
    said = restarted.stop(sig)
    assert KEY not in said
    for page in (sender, viewer):
        page.wait_for_selector('#status:not([data-state="live"])', timeout=SOON_MS)
    time.sleep(2)
    restarted.start()
    for page in (sender, viewer):
        page.wait_for_selector('#status[data-state="live"]', timeout=FIRST_MS)
        page.wait_for_selector(".row", timeout=FIRST_MS)
        page.wait_for_function("() => document.querySelectorAll('#wishes li').length === 2", timeout=FIRST_MS)
        told = page.inner_text("#wishes ul")
        assert f"Left out: {out}" in told and f"Liked: {liked}" in told
        assert out not in page.locator(".row .title").all_inner_texts()
    (after,) = httpx.get(f"{restarted.url}api/sessions").json()["sessions"]
    assert after["id"] != before["id"] and after["connected"]
    sender.wait_for_selector('#player[data-state="playing"]', timeout=FIRST_MS)
    assert sender.inner_text("#now-title") == title
    place = "() => Number(document.querySelector('#seek').value)"
    was_s = sender.evaluate(place)
    sender.wait_for_function(f"was => ({place})() > was + 1", arg=was_s, timeout=SOON_MS)  # and it goes on
    viewer.wait_for_selector('#player[data-state="playing"]', timeout=FIRST_MS)
    assert viewer.inner_text("#now-title") == title and viewer.is_visible("#take")


def test_a_page_without_a_key_goes_on_too(opened: Any, restarted: Restarted) -> None:
    sender = opened(restarted.url)
    sender.click("#use-camera")
    sender.wait_for_selector(".row", timeout=FIRST_MS)
    restarted.stop(signal.SIGKILL)
    restarted.start()
    sender.wait_for_selector('#status:not([data-state="live"])', timeout=SOON_MS)
    sender.wait_for_selector('#status[data-state="live"]', timeout=FIRST_MS)
    until_s = time.monotonic() + FIRST_MS / 1000
    while not (after := httpx.get(f"{restarted.url}api/sessions").json()["sessions"]) and time.monotonic() < until_s:
        sender.wait_for_timeout(100)  # a publisher that is being connected may be the second one, on a slow machine
    assert len(after) == 1 and after[0]["connected"] and after[0]["label"] == "Camera"


def test_each_tab_has_a_key_of_its_own_even_a_duplicate(opened: Any, server: Any) -> None:
    one = opened(server.url)
    take = "async () => (await import('/key.js')).streamKey()"
    mine = one.evaluate(take)
    assert one.evaluate(take) == mine and len(mine) == 32
    one.reload()
    assert one.evaluate(take) == mine
    with one.expect_popup() as popup:
        one.evaluate("window.open(location.href)")  # takes what the tab keeps along, as a duplicated tab does
    assert popup.value.evaluate("sessionStorage.getItem('segue-key')") in (None, mine)
    assert popup.value.evaluate(take) != mine
    popup.value.close()


def test_of_several_processes_the_one_that_has_the_stream_is_found(
    opened: Any, page_catalog: Path, tiny_bundle: Path
) -> None:
    made = Restarted(page_catalog, tiny_bundle, "--workers", "2")
    try:
        sender = opened(f"{made.url}#key={KEY}")
        sender.click("#stop")
        sender.click("#use-camera")
        sender.wait_for_selector(".row", timeout=FIRST_MS)
        (session,) = httpx.get(f"{made.url}api/sessions").json()["sessions"]
        holder = urlsplit(session["events"]).port
        named = httpx.get(f"{made.url}metrics").text.rpartition("ports ")[2]  # each worker's own
        (other,) = {int(port) for port in re.findall(r"[0-9]+", named)} - {holder}
        for port in (holder, other):
            viewer = opened(f"http://127.0.0.1:{port}/?key={KEY}")
            viewer.wait_for_selector(".row", timeout=FIRST_MS)
            assert viewer.inner_text("#status-text") == "Live"
        # and who sends with the key comes to the session, wherever it asks
        again = opened(f"http://127.0.0.1:{other}/#key={KEY}")
        again.wait_for_selector(".row", timeout=FIRST_MS)
        again.click("#stop")
        again.click("#use-camera")
        again.wait_for_selector(".row", timeout=FIRST_MS)
        deadline = time.monotonic() + 60
        while True:
            (after,) = httpx.get(f"{made.url}api/sessions").json()["sessions"]
            assert after["id"] == session["id"]
            if after["frames"] > session["frames"] + 24 and after["connected"]:
                break
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        made.stop(signal.SIGTERM)
