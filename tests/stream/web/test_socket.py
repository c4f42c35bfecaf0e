"""The page where WebRTC does not get through: the same picture by the websocket, without a word from the user."""

from typing import Any

import httpx
import pytest
from until import until

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


def connected(server: Any) -> list[Any]:
    return [each for each in httpx.get(f"{server.url}api/sessions").json()["sessions"] if each["connected"]]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (NO_UDP, "webm"),
        ("delete window.RTCPeerConnection;", "webm"),
        ("delete window.RTCPeerConnection; delete window.MediaRecorder;", "frames"),
    ],
    ids=["no UDP", "no WebRTC", "neither WebRTC nor MediaRecorder"],
)
def test_the_page_falls_back_to_the_socket(browser: Any, server: Any, script: str, kind: str) -> None:
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
        page.goto(server.url)
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        assert page.inner_text("#status-text") == "Live"
        assert [f'"kind":"{kind}"' in hello for hello in hellos if "hello" in hello] == [True]
        (found,) = connected(server)
        assert found["label"] == "Camera"
        until(page, lambda: connected(server)[0]["frames"] > found["frames"] + 8)  # it goes on
        assert connected(server)[0]["id"] == found["id"]
        page.click("#stop")
        page.wait_for_selector("#welcome:visible")
        until(page, lambda: httpx.get(f"{server.url}api/sessions").json()["sessions"] == [])
    finally:
        page.close()
    assert wrong == []


def test_where_webrtc_connects_the_socket_is_not_used(browser: Any, server: Any) -> None:
    page = browser.new_page()
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    try:
        page.goto(server.url)
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        assert opened and not any("/ingest" in url for url in opened)
    finally:
        page.close()
