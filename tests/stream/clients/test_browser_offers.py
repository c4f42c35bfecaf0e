"""Offers as a browser makes them beside the page's own: what it says to the answer, and whether pictures come."""

import importlib.util
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import needs
import pytest

HERE = Path(__file__).parent

PUBLISH = """async ({ parts, policy, without }) => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  let count = 0;
  setInterval(() => {
    context.fillStyle = `hsl(${(count * 7) % 360} 80% 50%)`;
    context.fillRect((count++ * 5) % 300, 0, 60, 150);
  }, 40);
  const audio = new AudioContext();
  const sound = audio.createMediaStreamDestination();
  audio.createOscillator().connect(sound);
  const peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: policy });
  for (const part of parts) {
    if (part === "data") peer.createDataChannel("talk");
    if (part === "video") peer.addTransceiver(canvas.captureStream(25).getVideoTracks()[0], { direction: "sendonly" });
    if (part === "audio") peer.addTransceiver(sound.stream.getAudioTracks()[0], { direction: "sendonly" });
    if (part === "listen") peer.addTransceiver("audio", { direction: "recvonly" });
  }
  await peer.setLocalDescription();
  await new Promise((done) => {
    if (peer.iceGatheringState === "complete") done();
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
    setTimeout(done, 1500);
  });
  let sdp = peer.localDescription.sdp;
  for (const word of without) sdp = sdp.replaceAll(word, "unheard-of/48000");
  const answer = await fetch("/whip?label=browser", {
    method: "POST", headers: { "Content-Type": "application/sdp" }, body: sdp,
  });
  const text = await answer.text();
  if (answer.status !== 201) return { error: text };
  await peer.setRemoteDescription({ type: "answer", sdp: text });
  const until = performance.now() + 15000;
  while (peer.connectionState !== "connected" && performance.now() < until) {
    await new Promise((done) => setTimeout(done, 50));
  }
  window.peer = peer;
  return { state: peer.connectionState, answer: text, location: answer.headers.get("Location") };
}"""


def _serving() -> Any:
    """The neighbours' way to serve; tests are not packages, so a plain import would not find it."""
    name = "serving_for_clients"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE.parent / "server" / "serving.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look it up
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Any]:
    catalog = _serving().shared_catalog(tmp_path_factory, tiny_bundle)
    with _serving().serving(catalog, tiny_bundle) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=needs.program("Chromium"), headless=True, args=arguments
        )
        yield context
        context.close()


UNHEARD = ["opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"]
OFFERS: dict[str, tuple[list[str], list[str], str]] = {
    "a data channel": (["video", "data"], [], "10"),
    "a data channel first": (["data", "video"], [], "10"),  # the browser puts it last
    "two videos and sound": (["audio", "video", "video"], [], "110"),
    "sound that is not decoded here": (["audio", "video"], UNHEARD, "11"),  # the first stays open, for its transport
    "sound to listen to": (["listen", "video"], [], "11"),
    "all of it": (["listen", "audio", "video", "video", "data"], [], "11100"),
}


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
@pytest.mark.parametrize("name", OFFERS)
def test_a_browser_takes_the_answer_and_its_pictures_come(server: Any, browser: Any, name: str, policy: str) -> None:
    parts, without, taken = OFFERS[name]
    page = browser.new_page()
    try:
        page.goto(server.url)
        told = page.evaluate(PUBLISH, {"parts": parts, "policy": policy, "without": without})
        assert told.get("state") == "connected", told
        ports = [line.split()[1] for line in told["answer"].splitlines() if line.startswith("m=")]
        assert "".join(str(int(port != "0")) for port in ports) == taken
        until_s = time.monotonic() + 20
        while (
            not any(session.live.stats.arrived >= 10 for session in server.hub.sessions) and time.monotonic() < until_s
        ):
            page.wait_for_timeout(100)
        assert any(session.live.stats.arrived >= 10 for session in server.hub.sessions)
        page.evaluate(
            "async (location) => { await fetch(location, { method: 'DELETE' }); peer.close(); }", told["location"]
        )
    finally:
        page.close()
