"""``segue bench starts``: how far from the requested place a real browser starts a track, by format.

A five-minute track with a click every half second, each of its own pitch, over noise that swells, is encoded in the
common formats. A browser plays each from several places, twice: the plain file with ``audio.currentTime`` set, and the
server's answer to ``?start=``. The output of Web Audio is located in the samples by which the indexer counts time
(`features.decode.sound`); its place minus the requested one is the error. Sound is captured in the audio thread, so
that a busy page loses none; the page's player feeds Web Audio from a media element as well.
"""

import argparse
import base64
import contextlib
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from catalog.errors import UnknownTrackError
from catalog.records import Outline, Track
from features.decode.sound import decode
from features.spec import MUSIC_RATE_HZ

from .errors import BenchError
from .harness import Report, Row
from .report.progress import reached
from .report.run import publish, run_of

Floats = NDArray[np.float64]
RATE_HZ: Final = 44_100
BROWSERS: Final = ("chromium", "firefox")
# suffix, and ffmpeg's arguments
KINDS: Final = {
    "mp3 CBR 128": ("mp3", "-c:a libmp3lame -b:a 128k"),
    "mp3 CBR, no tag": ("mp3", "-c:a libmp3lame -b:a 128k -write_xing 0"),
    "mp3 VBR V2": ("mp3", "-c:a libmp3lame -q:a 2"),
    "mp3 VBR, no tag": ("mp3", "-c:a libmp3lame -q:a 2 -write_xing 0"),
    "mp3 ABR 160": ("mp3", "-c:a libmp3lame -abr 1 -b:a 160k"),
    "vorbis 44.1 kHz": ("ogg", "-c:a libvorbis -q:a 5"),
    "vorbis 32 kHz": ("ogg", "-c:a libvorbis -q:a 5 -ar 32000"),
    "opus": ("opus", "-c:a libopus -b:a 128k"),
    "flac": ("flac", "-c:a flac"),
    "aac in m4a": ("m4a", "-c:a aac -b:a 160k"),
    "wav": ("wav", "-c:a pcm_s16le"),
    "alac in m4a": ("m4a", "-c:a alac"),
    "wma": ("wma", "-c:a wmav2 -b:a 160k"),
    "aiff": ("aiff", "-c:a pcm_s16be"),
}
NEAR_S: Final = 40.0  # around the requested place, where the sound is searched for
PLAYED_S: Final = 1.0  # of sound to locate in the track
PLAY: Final = """async (url, at_s, length_s) => {
  const context = new AudioContext();
  const audio = new Audio(url);
  const within = (promise, seconds, otherwise) => Promise.race([
    promise, new Promise((_, reject) => { setTimeout(() => reject(new Error(otherwise)), 1000 * seconds); }),
  ]);
  try {
    await within(context.resume(), 5, "no sound device");
    await within(context.audioWorklet.addModule("/tap.js"), 20, "no worklet");
    const next = (kind) => within(new Promise((resolve, reject) => {
      audio.addEventListener(kind, resolve, { once: true });
      audio.addEventListener("error", () => reject(new Error("not played")), { once: true });
    }), 20, `no ${kind}`);
    const tap = new AudioWorkletNode(context, "tap");
    const samples = [];
    let begin = -1;
    tap.port.onmessage = ({ data }) => {
      if (begin < 0) begin = data.findIndex((value) => value !== 0);
      if (begin >= 0) samples.push(...data);
    };
    context.createMediaElementSource(audio).connect(tap).connect(context.destination);
    const loaded = next("loadedmetadata");
    audio.load();
    await loaded;
    if (at_s) {
      const seeked = next("seeked");
      audio.currentTime = at_s;
      await seeked;
    }
    await within(audio.play(), 20, "no play");
    const count = length_s * context.sampleRate;
    const until = performance.now() + 20000;
    while (samples.length - begin < count) {
      if (performance.now() > until) return { error: "silence" };
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
    audio.pause();
    const pcm = Int16Array.from(samples.slice(begin, begin + count), (value) => 30000 * value);
    const bytes = new Uint8Array(pcm.buffer);
    return { rate_hz: context.sampleRate, pcm: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
  } catch (error) {
    return { error: error.message };
  } finally {
    audio.removeAttribute("src"); // else its connection stays open, and a browser has six to a server
    audio.load();
    context.close();
  }
}"""
TAP: Final = """registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[channel]]) { if (channel) this.port.postMessage(channel.slice()); return true; }
});"""


class Browser(Protocol):
    """A page of our own server in a browser."""

    def call(self, function: str, *arguments: object) -> Any:
        """The value that the JavaScript function, which may be async, resolves to."""
        ...


@dataclass(frozen=True)
class StartsOptions:
    """``seconds`` of the track, played from each of ``places_s``; ``kinds``: names in `KINDS`."""

    browser: str = "chromium"
    seconds: float = 300.0
    places_s: tuple[float, ...] = (28.0, 100.0, 240.0, 280.0)
    kinds: tuple[str, ...] = tuple(KINDS)


def measure(options: StartsOptions, say: Callable[[str], None]) -> Report:
    """Raises `BenchError` if ffmpeg or the browser is not installed."""
    from .browsers import browsing

    if shutil.which("ffmpeg") is None:
        raise BenchError("ffmpeg is not on PATH; it encodes the tracks, so install it")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.wav"
        write_wav(source, options.seconds)
        tracks = {kind: path for kind in options.kinds if (path := encode(source, kind)) is not None}
        for kind in options.kinds:
            if kind not in tracks:
                say(f"{kind}: this ffmpeg has no encoder for it")
        with serving(list(tracks.values())) as url, browsing(options.browser, f"{url}/") as browser:
            for place, (kind, path) in enumerate(tracks.items()):
                reached(say, place, len(tracks))
                for at_s in options.places_s:
                    where = f"/tracks/{place:016x}/audio"
                    for metric, url_of, begin_s in (
                        ("before_ms", where, at_s),
                        ("after_ms", f"{where}?start={at_s}", 0.0),
                    ):
                        result = browser.call(PLAY, url_of, begin_s, PLAYED_S)
                        if "error" in result and result["error"] != "not played":
                            say(f"{kind}, {metric} at {at_s:g} s: {result['error']}; once more")
                            result = browser.call(PLAY, url_of, begin_s, PLAYED_S)
                        rows += _rows(metric, kind, path, at_s, result)
                say(f"{kind}: done")
    return Report("starts", rows, {"browser": options.browser, "seconds": options.seconds})


def _rows(metric: str, kind: str, path: Path, at_s: float, result: dict[str, Any]) -> list[Row]:
    if result.get("error") == "no sound device":
        raise BenchError(
            "the browser opens no sound device: start a sound server, such as pulseaudio with its null sink"
        )
    if "pcm" not in result:
        return []
    pcm = np.frombuffer(base64.b64decode(result["pcm"]), "<i2")
    error_s = off_s(path, at_s, pcm[:, None], int(result["rate_hz"]))
    return [Row(metric, 1000 * error_s, 1, "ms", {"kind": kind, "at_s": at_s})]


def print_table(report: Report, console: Console) -> None:
    """A line a format: the error with the plain file and with the server's cut, at each place."""
    places = sorted({float(row.labels["at_s"]) for row in report.rows})
    table = Table(title=f"error of the start, ms, in {report.settings['browser']}; -: not played", title_justify="left")
    table.add_column("format")
    for heading in ("file", "cut"):
        for at_s in places:
            table.add_column(f"{heading} {at_s:g} s", justify="right")
    cells = {(row.labels["kind"], row.metric, row.labels["at_s"]): row.value for row in report.rows}
    for kind in dict.fromkeys(str(row.labels["kind"]) for row in report.rows):
        errors_ms = [cells.get((kind, metric, at_s)) for metric in ("before_ms", "after_ms") for at_s in places]
        table.add_row(
            kind,
            *(
                "-" if value is None else f"{value:+.0f}" if abs(value) >= 10 else f"{value:+.1f}"
                for value in errors_ms
            ),
        )
    console.print(table)


@lru_cache(maxsize=4)
def signal(rate_hz: int, seconds: float) -> Floats:
    """(n, 2) in [-1, 1]: the track, in which every place differs from every other."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    bed = 0.03 * (1.3 + np.sin(2 * np.pi * time_s / 17))[:, None]
    sound: Floats = np.random.default_rng(1).standard_normal((len(time_s), 2)) * bed
    ring_s = np.arange(round(0.06 * rate_hz)) / rate_hz
    for click in range(int(2 * seconds)):
        begin = round(click * 0.5 * rate_hz)
        pitch_hz = 300 * 2 ** ((37 * click % 240) / 60)
        tone = 0.7 * np.exp(-60 * ring_s) * np.sin(2 * np.pi * pitch_hz * ring_s)
        sound[begin : begin + len(tone)] += tone[: len(sound) - begin, None]
    return np.clip(sound, -1.0, 1.0)


def off_s(path: Path, at_s: float, sound: NDArray[np.int16], rate_hz: int) -> float:
    """How much later in the track than ``at_s`` the ``sound`` (n, channels), a second of it, begins; up to 40 s."""
    whole = decoded(path)
    first = max(0, round((at_s - NEAR_S) * MUSIC_RATE_HZ))
    known = whole[first : round((at_s + NEAR_S) * MUSIC_RATE_HZ)]
    mono = sound[:rate_hz].mean(axis=1)
    spectrum = np.fft.rfft(mono)[: MUSIC_RATE_HZ // 2 + 1]
    spectrum = np.pad(spectrum, (0, MUSIC_RATE_HZ // 2 + 1 - len(spectrum)))
    sample = np.fft.irfft(spectrum, MUSIC_RATE_HZ)[: round(0.9 * MUSIC_RATE_HZ)]  # the ends ring
    sample -= sample.mean()
    size = 1 << (len(known) + len(sample) - 1).bit_length()
    match = np.fft.irfft(np.fft.rfft(known, size) * np.conj(np.fft.rfft(sample, size)), size)[: len(known)]
    best = int(np.argmax(match))
    left, top, right = match[best - 1], match[best], match[(best + 1) % len(match)]
    return float((first + best + (left - right) / (2 * (left - 2 * top + right))) / MUSIC_RATE_HZ - at_s)


def decoded(path: Path) -> Floats:
    """The whole track, (n,) at `MUSIC_RATE_HZ`, decoded once."""
    return _decode_cached(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _decode_cached(path: Path, changed_ns: int) -> Floats:
    return decode(path).samples.astype(np.float64)


def write_wav(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes((signal(RATE_HZ, seconds) * 32_000).astype("<i2").tobytes())


def encode(source: Path, kind: str) -> Path | None:
    """Encode the track in a format, beside ``source``; None if ffmpeg cannot."""
    suffix, words = KINDS[kind]
    path = source.with_name(f"{kind}.{suffix}")
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-i", source, *words.split(), path], capture_output=True, check=False
    )
    return path if done.returncode == 0 else None


class _TrackCatalog:
    def __init__(self, paths: Sequence[Path]) -> None:
        self._tracks = {
            f"{place:016x}": Track(f"{place:016x}", path.stem, "", path, decode(path).duration_s, 120.0, "", ())
            for place, path in enumerate(paths)
        }

    def gain(self, track_id: str) -> float | None:
        return None

    def outline(self, track_id: str) -> Outline | None:
        return None

    def track(self, track_id: str) -> Track:
        if track_id not in self._tracks:
            raise UnknownTrackError(track_id)
        return self._tracks[track_id]


@contextlib.contextmanager
def serving(paths: Sequence[Path]) -> Iterator[str]:
    """The server's own routes for these files, numbered in hexadecimal, and an empty page; its URL."""
    import socket
    import threading

    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse, Response

    from stream.server.preview import preview_routes

    app = FastAPI()
    app.include_router(preview_routes(_TrackCatalog(paths)))

    @app.get("/")
    def page() -> Response:
        return HTMLResponse("<!doctype html><title>starts</title>")

    @app.get("/tap.js")
    def tap() -> Response:
        return Response(TAP, media_type="text/javascript")

    with contextlib.closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def add_starts(kinds: Any) -> None:
    parser = kinds.add_parser(
        "starts", help="how far from the requested place a real browser starts a track, by format"
    )
    parser.add_argument("--browser", choices=BROWSERS, default=BROWSERS[0], help="an installed one (default chromium)")
    parser.add_argument("--quick", action="store_true", help="a minute of sound, three formats, one place")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def starts(options: argparse.Namespace) -> int:
    settings = StartsOptions(options.browser)
    if options.quick:
        settings = StartsOptions(options.browser, 60.0, (41.0,), ("mp3 VBR V2", "vorbis 44.1 kHz", "wav"))
    report = measure(settings, run_of(options).say)
    print_table(report, Console())
    return publish(options, report)
