"""The page where WebRTC does not get through: the same picture by the websocket, without a word from the user."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from stream.server.app import ServeOptions, bind, create_app, open_parts
from stream.server.ingest import ingest_routes

FIRST_MS = 40_000

# what a network without UDP looks like from a page: offers are answered, and nothing ever connects
NO_UDP = """
const real = window.RTCPeerConnection;
const without = ({ type, sdp }) => ({
  type, sdp: sdp.split("\\r\\n").filter((line) => !line.startsWith("a=candidate")).join("\\r\\n"),
});
window.RTCPeerConnection = class extends real {
  setRemoteDescription(answer) { return super.setRemoteDescription(without(answer)); }
  get localDescription() { return super.localDescription && without(super.localDescription); }
};
"""


@pytest.fixture(scope="module")
def address(page_catalog: Path, tiny_bundle: Path) -> Iterator[str]:
    """The URL of a real server that takes the socket's messages too."""
    options = ServeOptions(page_catalog, bundle=tiny_bundle, port=0)
    with contextlib.closing(bind("127.0.0.1", 0)) as bound, open_parts(options) as parts:
        app = create_app(parts, options)
        if not any(getattr(route, "path", "") == "/ingest" for route in app.routes):
            app.include_router(ingest_routes(app.state.hub))
        config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", ws_max_size=4 * 1024 * 1024)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (NO_UDP, "webm"),
        ("delete window.RTCPeerConnection;", "webm"),
        ("delete window.RTCPeerConnection; delete window.MediaRecorder;", "frames"),
    ],
    ids=["no UDP", "no WebRTC", "neither WebRTC nor MediaRecorder"],
)
def test_the_page_falls_back_to_the_socket(browser: Any, address: str, script: str, kind: str) -> None:
    page = browser.new_page()
    hellos: list[str] = []
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda data: hellos.append(data) if isinstance(data, str) else None),
    )
    try:
        page.add_init_script(script)
        page.goto(address)
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        assert page.inner_text("#status-text") == "Live"
        assert [f'"kind":"{kind}"' in hello for hello in hellos if "hello" in hello] == [True]
        found = [s for s in httpx.get(f"{address}api/sessions").json()["sessions"] if s["connected"]]
        assert len(found) == 1 and found[0]["label"] == "Camera"
        page.wait_for_timeout(3000)  # it goes on
        later = [s for s in httpx.get(f"{address}api/sessions").json()["sessions"] if s["connected"]]
        assert later[0]["id"] == found[0]["id"] and later[0]["frames"] > found[0]["frames"] + 8
        page.click("#stop")
        page.wait_for_selector("#welcome:visible")
        page.wait_for_timeout(1500)
        assert httpx.get(f"{address}api/sessions").json()["sessions"] == []
    finally:
        page.close()
    assert wrong == []


def test_where_webrtc_connects_the_socket_is_not_used(browser: Any, address: str) -> None:
    page = browser.new_page()
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    try:
        page.goto(address)
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        assert opened and not any("/ingest" in url for url in opened)
    finally:
        page.close()
