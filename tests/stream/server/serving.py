"""What the tests of server and page share: a small real catalogue, and a real server on a free port."""

import contextlib
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from once import once

from catalog.indexer import index_folder
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream.server.address import address_of, bind
from stream.server.hub import Hub
from stream.server.options import ServeOptions
from stream.server.parts import open_parts
from stream.server.process import server_of

RATE_HZ = 22_050
TEMPI_BPM = (72, 84, 96, 108, 120, 132, 144)
FINGERPRINT = ":".join(["AB"] * 32)
OFFER = f"""v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic: WMS
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=ssrc:1234 cname:test
""".replace("\n", "\r\n")


def write_tune(path: Path, bpm: float, seconds: float = 20.0) -> None:
    """Two sines and a click a beat: enough for a beat tracker, and different for every tempo."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    root_hz = 110.0 * 2 ** ((bpm - 60) / 40)  # each tempo has a chord of its own: they are seven recordings
    tone = np.sin(2 * np.pi * root_hz * time_s) + 0.6 * np.sin(2 * np.pi * 1.5 * root_hz * time_s)
    click = np.exp(-40 * (time_s % (60.0 / bpm))) * np.sin(2 * np.pi * 1200 * time_s)
    samples = np.clip((0.2 * tone + 0.6 * click) * 32_000, -32_000, 32_000).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(samples.tobytes())


def make_catalog(folder: Path, bundle: Path, seconds: float = 20.0) -> Path:
    """Seven tunes, each so long, indexed with ``bundle``; the music lies in ``folder/music``, the catalogue in what is
    returned."""
    music, catalog = folder / "music", folder / "catalog"
    music.mkdir(parents=True)
    for bpm in TEMPI_BPM:
        write_tune(music / f"tune {bpm}.wav", bpm, seconds)
    engine = OnnxEngine(load_bundle(bundle, FEATURES))
    try:
        report = index_folder(music, catalog, engine, 1, lambda *_: None)
    finally:
        engine.close()
    assert report.added == len(TEMPI_BPM), report
    return catalog


def shared_catalog(factory: pytest.TempPathFactory, bundle: Path, seconds: float = 20.0) -> Path:
    """The same, one for a whole run: neither it nor its music may be changed, not even for a moment."""
    return once(factory, f"tunes of {seconds:g} s", lambda folder: make_catalog(folder, bundle, seconds)) / "catalog"


@dataclass(frozen=True)
class Serving:
    """A running server; its hub belongs to the server's thread, so only look at it."""

    url: str
    hub: Hub

    @property
    def netloc(self) -> str:
        return self.url.removeprefix("http://").rstrip("/")


@contextlib.contextmanager
def serving(catalog: Path, bundle: Path, **options: Any) -> Iterator[Serving]:
    """A server with these options, stopped and joined at the end."""
    asked = ServeOptions(catalog, bundle=bundle, **{"port": 0, **options})
    started = threading.Event()
    with contextlib.closing(bind(asked.host, asked.port)) as bound, open_parts(asked) as parts:
        server = server_of(parts, asked, started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            assert started.wait(20), "the server did not start"
            yield Serving(address_of(bound, asked.host), server.config.app.state.hub)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"
