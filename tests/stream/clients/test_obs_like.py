"""A publisher on the library that OBS uses: what it may expect of the server, and what comes of its stream."""

import importlib.util
import json
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from stream.server.access import AccessOptions

HERE = Path(__file__).parent
CLIENT = HERE / "obs_like.mjs"
PACKAGE = HERE / "node_modules" / "node-datachannel"
FPS, SECONDS = 25, 4
TOKEN = "a-token-of-sufficient-length"

pytestmark = pytest.mark.needs("node", PACKAGE)


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
def catalog(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    made: Path = _serving().shared_catalog(tmp_path_factory, tiny_bundle)
    return made


@pytest.fixture
def serving(catalog: Path, tiny_bundle: Path) -> Callable[..., Any]:
    return lambda **options: _serving().serving(catalog, tiny_bundle, **options)


def encoded(path: Path, **more: str) -> Path:
    """H.264 as OBS sends it: no B-frames, a key frame every two seconds, parameter sets before each; each access unit
    behind its length."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 180, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.options = {"profile": "high", "tune": "zerolatency", "preset": "veryfast", "g": str(2 * FPS), "bf": "0"}
    encoder.options |= more
    across = np.linspace(0, 255, 320, dtype=np.uint8)[None, :, None]
    packets = []
    for index in range(SECONDS * FPS):
        picture = np.broadcast_to(np.roll(across, 5 * index, axis=1), (180, 320, 3))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
        frame.pts, frame.time_base = index, Fraction(1, FPS)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    path.write_bytes(b"".join(struct.pack(">I", packet.size) + bytes(packet) for packet in packets))
    return path


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded(tmp_path_factory.mktemp("video") / "units")


@contextmanager
def publishing(url: str, units: Path, *words: str, query: str = "") -> Iterator[subprocess.Popen[bytes]]:
    command = ["node", str(CLIENT), f"{url}whip{query}", str(units), str(FPS), str(SECONDS), *words]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield client
    finally:
        client.kill()
        client.communicate()


def told(client: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    out, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors.decode()
    found: list[dict[str, Any]] = json.loads(out)
    return found


def watched(netloc: str, events: str) -> list[dict[str, Any]]:
    """What a viewer hears until the session ends."""
    with connect(f"ws://{netloc}{events}") as viewer:
        return [json.loads(text) for text in viewer]


def first_session(url: str) -> dict[str, Any]:
    until_s = time.monotonic() + 30
    with httpx.Client(base_url=url) as client:
        while time.monotonic() < until_s:
            for session in client.get("/api/sessions").json()["sessions"]:
                if session["connected"]:
                    return dict(session)
            time.sleep(0.05)
    raise AssertionError("no session came up")


def test_a_stream_as_obs_sends_it_is_suggested_for(serving: Callable[..., Any], units: Path) -> None:
    with serving() as server, publishing(server.url, units) as client:
        heard = watched(server.netloc, first_session(server.url)["events"])
        (one,) = told(client)
        sessions = httpx.get(f"{server.url}api/sessions").json()["sessions"]
    assert "a=candidate" not in one["offer"] and "a=sendonly" in one["offer"]
    assert (one["status"], one["type"]) == (201, "application/sdp")
    assert one["location"].startswith("/whip/") and one["events"].startswith("/sessions/")
    assert one["deleted"] == 200 and sessions == []
    suggestions = [message for message in heard if message["type"] == "suggestions"]
    assert len(suggestions) >= SECONDS - 2
    assert heard[-1]["type"] == "end"
    assert heard[-1]["frames"] >= 0.8 * one["sent"]


def test_marks_at_the_end_of_every_unit_make_no_more_pictures(serving: Callable[..., Any], tmp_path: Path) -> None:
    slices = encoded(tmp_path / "slices", **{"x264-params": "slices=4:aud=1:repeat-headers=1"})
    with serving() as server, publishing(server.url, slices, "units") as client:
        heard = watched(server.netloc, first_session(server.url)["events"])
        (one,) = told(client)
    assert heard[-1]["type"] == "end"
    assert 0.8 * one["sent"] <= heard[-1]["frames"] <= one["sent"] + 3  # one cut short by a mark comes again whole
    assert not [message for message in heard if message["type"] == "warning"]


def test_a_token_is_taken_as_obs_sends_it(serving: Callable[..., Any], units: Path) -> None:
    with serving(access=AccessOptions(publish=TOKEN)) as server:
        with publishing(server.url, units, "wrong-token") as client:
            _, errors = client.communicate(timeout=60)
            assert client.returncode == 1 and b"401" in errors
        with publishing(server.url, units, TOKEN) as client:
            (one,) = told(client)
    assert (one["status"], one["deleted"]) == (201, 200)


def test_who_posts_again_with_the_same_key_goes_on(serving: Callable[..., Any], units: Path) -> None:
    with serving() as server, publishing(server.url, units, "again", query="?key=desk") as client:
        heard = watched(server.netloc, first_session(server.url)["events"])
        first, second = told(client)
        counters = httpx.get(f"{server.url}healthz").json()["counters"]
    assert first["events"] == second["events"] and first["location"] != second["location"]
    # gone, if the second has sent a picture by then; either way it does not end what the second one goes on with
    assert first["deleted"] in (200, 404) and second["deleted"] == 200
    assert (counters["opened"], counters["taken_over"] + counters["resumed"], counters["ended"]) == (1, 1, 1)
    kinds = [message["type"] for message in heard]
    assert kinds[-1] == "end" and kinds.count("end") == 1
    assert kinds.count("suggestions") >= 2 * (SECONDS - 2)
    assert heard[-1]["frames"] >= 0.8 * (first["sent"] + second["sent"])
