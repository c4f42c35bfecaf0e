"""What is painted in a browser is what the server sees, in whatever matrix and range the browser codes it."""

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from until import until

from benchmarks.browsers import FIREFOX, browsing
from features.decode.reader import PictureReader, ReaderResult

COLOURS = [[230, 25, 25], [25, 200, 25], [30, 30, 220], [220, 220, 30]]
COLOURS += [[30, 210, 210], [210, 30, 210], [240, 240, 240], [128, 128, 128]]
ENOUGH = 24  # pictures
WITHIN = 7  # levels; read in the wrong way they are up to 48 off

PUBLISH = """async (colours, film, way, codec) => {
  const [width, height] = [640, 360];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d", { alpha: false });
  let count = 0;
  const paint = () => {
    colours.forEach((colour, at) => {
      pen.fillStyle = `rgb(${colour.join(",")})`;
      pen.fillRect((at % 4) * width / 4, Math.floor(at / 4) * height / 2, width / 4, height / 2);
    });
    pen.fillStyle = count++ % 2 ? "black" : "white";
    pen.fillRect(0, 0, 8, 8);
  };
  paint();
  const timer = setInterval(paint, 66);
  let source = { stream: canvas.captureStream(15), stop() {} };
  if (film) {
    const { file } = await import("/sources.js");
    const bytes = Uint8Array.from(atob(film), (letter) => letter.charCodeAt(0));
    const video = document.createElement("video");
    document.body.append(video);
    source = await file(video, new File([bytes], "film.mp4", { type: "video/mp4" }));
  }
  let sent;
  if (way === "whip") {
    const add = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function (...given) {
      const made = add.apply(this, given);
      const codecs = RTCRtpSender.getCapabilities("video").codecs;
      made.setCodecPreferences(codecs.filter((one) => one.mimeType.toLowerCase() === `video/${codec}`));
      return made;
    };
    const { publish } = await import("/whip.js");
    sent = await publish(source.stream, "colours", () => {});
  } else {
    const known = MediaRecorder.isTypeSupported.bind(MediaRecorder);
    MediaRecorder.isTypeSupported = (type) => known(type) && type.includes(codec);
    const { publishBySocket } = await import("/socket.js");
    sent = await publishBySocket(source.stream, "colours", "", () => {});
  }
  window.stopAll = async () => {
    await sent.stop();
    clearInterval(timer);
    source.stop();
    return true;
  };
  return true;
}"""
STOP = "async () => window.stopAll()"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The server's canonical pictures, as they come."""
    found: list[Any] = []
    read = PictureReader.read

    def kept(self: PictureReader, frame: Any) -> ReaderResult:
        made = read(self, frame)
        found.append(made.picture)
        return made

    monkeypatch.setattr(PictureReader, "read", kept)
    return found


def off(picture: Any) -> float:
    """By how many levels the worst patch is wrong."""
    patches = [
        picture[45 * (at // 4) + 15 : 45 * (at // 4) + 35, 40 * (at % 4) + 12 : 40 * (at % 4) + 30] for at in range(8)
    ]
    means = np.array([patch.reshape(-1, 3).mean(axis=0) for patch in patches])
    return float(np.abs(means - COLOURS).max())


def film(folder: Path) -> str:
    """The patches as H.264 of BT.709, in base64."""
    picture = np.zeros((360, 640, 3), np.uint8)
    for at, colour in enumerate(COLOURS):
        picture[180 * (at // 4) : 180 * (at // 4 + 1), 160 * (at % 4) : 160 * (at % 4 + 1)] = colour
    ffmpeg, path = needs.program("ffmpeg"), folder / "film.mp4"
    words = (
        "-v error -y -f rawvideo -pix_fmt rgb24 -s 640x360 -r 15 -i - -vf scale=out_color_matrix=bt709,format=yuv420p"
    )
    coded = "-c:v libx264 -crf 12 -colorspace bt709 -color_primaries bt709 -color_trc bt709"
    subprocess.run([ffmpeg, *words.split(), *coded.split(), str(path)], input=picture.tobytes() * 45, check=True)
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture
def opened(browser: Any, server: Any) -> Iterator[Any]:
    page = browser.new_page()
    page.goto(server.url)
    yield page
    page.close()


@pytest.mark.parametrize(("source", "way", "codec"), [
    ("canvas", "whip", "vp8"), ("canvas", "whip", "h264"), ("film", "whip", "vp8"),
    ("canvas", "socket", "vp8"), ("canvas", "socket", "vp9"), ("film", "socket", "vp8"),
])  # fmt: skip
def test_colours_are_those_that_were_painted(
    opened: Any, seen: list[Any], tmp_path: Path, source: str, way: str, codec: str
) -> None:
    given = [COLOURS, film(tmp_path) if source == "film" else None, way, codec]
    assert opened.evaluate(f"(given) => ({PUBLISH})(...given)", given)
    until(opened, lambda: len(seen) >= ENOUGH)
    assert opened.evaluate(STOP)
    assert off(np.median(seen[4:], axis=0)) <= WITHIN


@pytest.mark.parametrize("way", ["whip", "socket"])
def test_firefox_paints_the_same(server: Any, seen: list[Any], way: str) -> None:
    if not any(map(shutil.which, FIREFOX)):
        pytest.skip("no Firefox on this machine")
    with browsing("firefox", server.url) as page:
        assert page.call(PUBLISH, COLOURS, None, way, "vp8")
        over_s = time.monotonic() + 60
        while len(seen) < ENOUGH and time.monotonic() < over_s:
            time.sleep(0.1)
        assert page.call(STOP)
    assert len(seen) >= ENOUGH
    assert off(np.median(seen[4:], axis=0)) <= WITHIN
