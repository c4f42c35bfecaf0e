"""``segue bench obs-play``: what a running OBS makes of the music that Segue plays in it, by what it records.

OBS records while tracks are started, changed and lowered; its recording is then compared with the tracks themselves, in
which every place differs from every other (`benchmarks.starts.signal`). It works on an OBS of this machine that neither
streams nor records, and takes out again what it puts in. Lossless sound in the recording gives the best figures.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import tempfile
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row, check_folder, print_rows
from benchmarks.starts import RATE_HZ, encode, off_s, write_wav
from catalog.errors import UnknownTrackError
from catalog.gain import gain_db
from catalog.records import Outline, Track
from features.decode.sound import decode
from stream.obs.address import ObsAddress, parse_address, password_of
from stream.obs.cuts import Cuts
from stream.obs.deck import ObsDeck
from stream.obs.deck_parts import DeckOptions
from stream.obs.duck import DEPTH_DB
from stream.obs.errors import ObsError
from stream.obs.link import ObsLink
from stream.obs.sources import ALONE_S

Sound = NDArray[np.float64]
Find = Callable[[float], tuple[int, int]]  # time by the clock -> samples of the recording
KINDS: Final = ("mp3 CBR 128", "mp3 VBR V2", "flac", "vorbis 44.1 kHz", "aac in m4a", "wav")
SECONDS: Final = 300.0
CONNECT_S: Final = 10.0
HEARD_S: Final = 1.4  # of each start
QUIET_S: Final = 0.8  # between two
STEP_S: Final = 0.01
SILENCE: Final = 10 ** (-66 / 20)
LOUDNESS: Final = (-27.0, -14.0)  # of the tracks between which the level may not step
BESIDE_S: Final = 4.0  # of each of them


@dataclass(frozen=True)
class ObsBenchOptions:
    """``starts`` of each of ``kinds``; ``changes`` from track to track, with and without a fade; ``steps`` from soft to
    loud and back; ``ducks``."""

    address: ObsAddress
    kinds: tuple[str, ...] = KINDS
    starts: int = 8
    changes: int = 8
    steps: int = 2
    ducks: int = 4
    seconds: float = SECONDS
    cuts: Path | None = None


@dataclass
class Took:
    """What was asked of OBS: ``asked_s`` of the track; ``after_s`` from asking to OBS's word that it has begun, at
    ``at_s`` by the clock."""

    kind: str
    path: Path
    asked_s: float
    after_s: float = 0.0
    at_s: float = 0.0


@dataclass
class Log:
    """What was done, in its order, by the kind of measurement. A change: from, to, where the first was to end."""

    starts: list[Took] = field(default_factory=list)
    marks: dict[str, list[Any]] = field(default_factory=dict)


class _Host:
    """A session of nobody."""

    newest: Mapping[str, Any] | None = None
    asked: Mapping[str, Any] | None = None
    auto = False

    def send(self, message: Mapping[str, Any]) -> None:
        """Nobody listens."""


class _Shelf:
    def __init__(self, paths: Mapping[str, Path], gains: Mapping[str, float], bars: Mapping[str, Outline]) -> None:
        self._paths, self._gains, self._bars = paths, gains, bars
        self._tracks = {
            name: Track(name, name, "", path, decode(path).duration_s, 120.0, "", ()) for name, path in paths.items()
        }

    def track(self, id: str) -> Track:
        if id not in self._tracks:
            raise UnknownTrackError(id)
        return self._tracks[id]

    def gain(self, id: str) -> float | None:
        return self._gains.get(id)

    def outline(self, id: str) -> Outline | None:
        return self._bars.get(id)


def measure(options: ObsBenchOptions, say: Callable[[str], None]) -> Report:
    """Raises `BenchError` where OBS or ffmpeg is not there."""
    if shutil.which("ffmpeg") is None:
        raise BenchError("ffmpeg is not on PATH; it encodes the tracks, so install it")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.wav"
        write_wav(source, options.seconds)
        paths = {kind: path for kind in options.kinds if (path := encode(source, kind)) is not None}
        gains: dict[str, float] = {}
        for lufs in LOUDNESS:
            path = _steady(folder / f"at {lufs:g}.wav", lufs)
            paths[path.stem] = path
            levels = decode(path, levels=True).levels
            assert levels is not None
            gains[path.stem] = gain_db(_outline(levels.lufs, levels.true_peak_db))
        shelf = _Shelf(paths, gains, {})
        try:
            recording, log = asyncio.run(_play(options, shelf, paths, say))
        except ObsError as error:
            raise BenchError(str(error)) from error
        rate_hz, sound = _read(recording)
        say(f"{len(sound) / rate_hz:.0f} s of sound recorded at {rate_hz} Hz; now it is compared")
        find = _finder(log, sound, rate_hz)
        rows = [row for rows_of in (_starts, _changes, _ducks) for row in rows_of(log, sound, rate_hz, find)]
    return Report("obs-play", rows, {"seconds": options.seconds})


def _outline(lufs: float, true_peak_db: float) -> Outline:
    """One that has nothing but levels."""
    none = np.zeros(0, np.float32)
    return Outline(lufs, 0.0, true_peak_db, none, np.zeros(0, np.uint8), ((0.0, 1.0),), 0.0, 1.0, none, none, ())


def _steady(path: Path, lufs: float) -> Path:
    """A minute of noise, of about this loudness throughout."""
    return _noise(path, 60.0, 10 ** ((lufs - 2.0) / 20))


def _noise(path: Path, seconds: float, power: float) -> Path:
    noise = np.random.default_rng(2).standard_normal((round(seconds * RATE_HZ), 2)) * power
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes((np.clip(noise, -1.0, 1.0) * 32_000).astype("<i2").tobytes())
    return path


class _Ears:
    """A part of the link: waits until OBS records, or no longer does."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.states: asyncio.Queue[str] = asyncio.Queue()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == "RecordStateChanged":
            self.states.put_nowait(str(data.get("outputState")))

    async def connected(self, client: object) -> None:
        self.ready.set()

    def lost(self, reason: str) -> None:
        self.ready.clear()

    async def hear(self, state: str) -> None:
        while not (await self.states.get()).endswith(state):
            pass


async def _play(
    options: ObsBenchOptions, shelf: _Shelf, paths: Mapping[str, Path], say: Callable[[str], None]
) -> tuple[Path, Log]:
    """Play everything while OBS records; returns the recording and what was done. Raises ObsError, BenchError."""
    deck, ears, log = ObsDeck(shelf, Cuts(options.cuts), DeckOptions(level_db=0.0), time.monotonic), _Ears(), Log()
    link = ObsLink(options.address, [deck, ears])
    running = asyncio.create_task(link.run())
    waiting = asyncio.create_task(ears.ready.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        if not waiting.done() or not deck.ready:
            raise BenchError(f"{options.address}: OBS is not ready ({link.state or deck.rig.note})")
        status = await link.client.request("GetRecordStatus")
        if status.get("outputActive"):
            raise BenchError("OBS is recording; stop it, since the benchmark makes a recording of its own")
        await link.client.request("StartRecord")
        await asyncio.wait_for(ears.hear("_STARTED"), CONNECT_S)
        await asyncio.sleep(0.5)
        deck.sit(_Host(), None, None, False)
        await _act(options, deck, paths, log, say)
        path = (await link.client.request("StopRecord")).get("outputPath")
        await asyncio.wait_for(ears.hear("_STOPPED"), CONNECT_S)
        return Path(str(path)), log
    finally:
        with contextlib.suppress(ObsError):
            await deck.close()
            await deck.rig.remove(link.client)
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)


async def _act(
    options: ObsBenchOptions, deck: ObsDeck, paths: Mapping[str, Path], log: Log, say: Callable[[str], None]
) -> None:
    choose = np.random.default_rng(3)
    for kind in options.kinds:
        for _ in range(options.starts if kind in paths else 0):
            asked_s = round(float(choose.uniform(20, options.seconds - 45)), 3)
            took = Took(kind, paths[kind], asked_s)
            took.after_s = await _begun(deck, kind, asked_s, deck.options.fade_s)
            took.at_s = _at(deck)
            log.starts.append(took)
            await asyncio.sleep(HEARD_S)
            await _quiet(deck)
        say(f"{kind}: started {options.starts} times")
    one, two = (kind for kind in (options.kinds * 2)[:2])
    for fade_s in (0.01, deck.options.fade_s):
        for _ in range(options.changes):
            places = [round(float(choose.uniform(20, options.seconds - 45)), 3) for _ in range(2)]
            await _begun(deck, one, places[0], fade_s)
            await asyncio.sleep(1.6)
            first = deck.sources.now
            assert first is not None
            await _begun(deck, two, places[1], fade_s)
            second = deck.sources.now
            assert second is not None and first.cut.falls_at_s is not None
            mark = (
                first.at_s,
                fade_s,
                paths[one],
                places[0],
                paths[two],
                places[1],
                first.cut.falls_at_s,
                second.at_s - first.at_s,
            )
            log.marks.setdefault("changes", []).append(mark)
            await asyncio.sleep(HEARD_S + fade_s)
            await _quiet(deck)
        say(f"{fade_s:g} s of fade: changed {options.changes} times")
    soft, loud = (f"at {lufs:g}" for lufs in LOUDNESS)
    for _ in range(options.steps):
        for pair in ((soft, loud), (loud, soft)):
            await _begun(deck, pair[0], 5.0, 1.0)
            await asyncio.sleep(BESIDE_S)
            first = deck.sources.now
            await _begun(deck, pair[1], 5.0, 1.0)
            assert first is not None and first.cut.falls_at_s is not None
            log.marks.setdefault("steps", []).append((first.at_s, first.cut.falls_at_s - 5.0))
            await asyncio.sleep(BESIDE_S + 1.0)
            await _quiet(deck)
    for _ in range(options.ducks):
        await _begun(deck, soft, 5.0, 1.0)
        log.marks.setdefault("ducks", []).append(_at(deck))
        await asyncio.sleep(1.5)
        deck.obey({"do": "duck", "on": True})
        await asyncio.sleep(1.5)
        deck.obey({"do": "duck", "on": False})
        await asyncio.sleep(1.5)
        await _quiet(deck)
    if options.ducks:
        await _voices(options, deck, paths[soft].parent, soft, log)
    say("levels: done")


async def _voices(options: ObsBenchOptions, deck: ObsDeck, folder: Path, track: str, log: Log) -> None:
    """Let OBS itself duck under a source that speaks now and then, and is not in the recording's first audio track."""
    client, name = deck.sources.client, "Segue bench voice"
    assert client is not None
    voice = _noise(folder / "voice.wav", 2.0, 0.1)
    scene = (await client.request("GetCurrentProgramScene"))["currentProgramSceneName"]
    made = {"sceneName": scene, "inputName": name, "inputKind": "ffmpeg_source", "inputSettings": {}}
    await client.request("CreateInput", made)
    try:
        await client.request("SetInputAudioTracks", {"inputName": name, "inputAudioTracks": {"1": False}})
        deck.rig.microphone = name
        await deck.rig.ensure(client)
        for _ in range(options.ducks):
            await _begun(deck, track, 5.0, 1.0)
            log.marks.setdefault("voices", []).append(_at(deck))
            await asyncio.sleep(1.5)
            spoken = {"inputName": name, "inputSettings": {"local_file": str(voice)}}
            await client.request("SetInputSettings", spoken)
            await asyncio.sleep(3.5)
            await _quiet(deck)
    finally:
        deck.rig.microphone = ""
        await client.request("RemoveInput", {"inputName": name})


async def _begun(deck: ObsDeck, track: str, place_s: float, fade_s: float) -> float:
    """Start a track; returns how long it took until OBS said that it had begun. Raises BenchError."""
    asked_s, before = time.monotonic(), deck.sources.now
    deck.begin(track, place_s, fade_s)
    for _ in range(600):
        await asyncio.sleep(0.01)
        now = deck.sources.now
        if now is not None and now is not before:
            return now.at_s - asked_s
    raise BenchError(f"OBS did not play {track}: {deck.rig.note or 'it said nothing'}")


def _at(deck: ObsDeck) -> float:
    """When what sounds began, by the clock."""
    assert deck.sources.now is not None
    return deck.sources.now.at_s


async def _quiet(deck: ObsDeck) -> None:
    deck.silence()
    await deck.sources.quiet()
    await asyncio.sleep(QUIET_S)


def _read(recording: Path) -> tuple[int, Sound]:
    """The first audio track of a recording, (n,) at its own rate, mono."""
    with av.open(str(recording)) as opened:
        pieces = [frame.to_ndarray() for frame in opened.decode(audio=0)]
        stream = opened.streams.audio[0]
        rate_hz, channels = stream.rate, stream.codec_context.channels
    if pieces[0].shape[0] == 1:  # interleaved
        sound = np.concatenate(pieces, axis=1).reshape(-1, channels).mean(axis=1)
    else:
        sound = np.concatenate(pieces, axis=1).mean(axis=0)
    full = {"int16": 2.0**15, "int32": 2.0**31}.get(pieces[0].dtype.name, 1.0)
    return rate_hz, np.asarray(sound / full, np.float64)


def _stretches(sound: Sound, rate_hz: int) -> list[tuple[int, int]]:
    """Where something is heard, from sample to sample, between silences of half a second."""
    step = round(STEP_S * rate_hz)
    level = np.sqrt((sound[: len(sound) // step * step].reshape(-1, step) ** 2).mean(axis=1))
    heard = np.flatnonzero(level > SILENCE)
    breaks = np.flatnonzero(np.diff(heard) > 0.5 / STEP_S)
    firsts, lasts = [heard[0], *heard[breaks + 1]], [*heard[breaks], heard[-1]]
    return [(_onset(sound, first * step, step), (last + 1) * step) for first, last in zip(firsts, lasts, strict=True)]


def _finder(log: Log, sound: Sound, rate_hz: int) -> Find:
    """Finds the stretch that began at a time by the clock. The first one is that of the first thing that was played."""
    stretches = _stretches(sound, rate_hz)
    firsts = [took.at_s for took in log.starts[:1]] + [mark[0] for mark in log.marks.get("changes", [])[:1]]
    zero_s = min(firsts, default=0.0) - stretches[0][0] / rate_hz
    return lambda at_s: min(stretches, key=lambda found: abs(found[0] / rate_hz - (at_s - zero_s)))


def _onset(sound: Sound, near: int, step: int) -> int:
    """The first sample that is heard, from a step before ``near`` on."""
    begin = max(0, near - step)
    return begin + int(np.argmax(np.abs(sound[begin : near + step]) > SILENCE / 2))


def _located(path: Path, guess_s: float, sound: Sound, at: int, rate_hz: int) -> float:
    """Where in the track the sound at this sample is."""
    piece = (sound[at : at + rate_hz, None] * 30_000).astype(np.int16)
    return guess_s + off_s(path, guess_s, piece, rate_hz)


def _starts(log: Log, sound: Sound, rate_hz: int, find: Find) -> list[Row]:
    errors: dict[str, list[float]] = {}
    for took in log.starts:
        first, _ = find(took.at_s)
        late = round(0.1 * rate_hz)
        heard_s = _located(took.path, took.asked_s, sound, first + late, rate_hz) - late / rate_hz
        errors.setdefault(took.kind, []).append(1000 * (heard_s + ALONE_S - took.asked_s))
    rows = []
    for kind, found in errors.items():
        rows += [
            Row("start_error_median_ms", float(np.median(found)), len(found), "ms", {"of": kind}),
            Row("start_error_most_ms", float(np.max(np.abs(found))), len(found), "ms", {"of": kind}),
        ]
        after = [1000 * took.after_s for took in log.starts if took.kind == kind]
        rows.append(Row("take_to_begun_p50_ms", float(np.median(after)), len(after), "ms", {"of": kind}))
        rows.append(Row("take_to_begun_most_ms", float(np.max(after)), len(after), "ms", {"of": kind}))
    return rows


def _changes(log: Log, sound: Sound, rate_hz: int, find: Find) -> list[Row]:
    """How well the second track meets the first one, and how loud they are."""
    marks = log.marks.get("changes", [])
    off: dict[float, list[float]] = {}
    silent: dict[float, list[float]] = {}
    for at_s, fade_s, one, one_s, two, two_s, falls_s, after_s in marks:
        first, _ = find(at_s)
        at = first + round(0.2 * rate_hz)
        first_ends = at + (falls_s + fade_s - _located(one, one_s + 0.2, sound, at, rate_hz)) * rate_hz
        at = first + round((after_s + fade_s + 0.25) * rate_hz)
        second_full = at + (two_s - _located(two, two_s + 0.25, sound, at, rate_hz)) * rate_hz
        off.setdefault(fade_s, []).append(1000 * (second_full - first_ends) / rate_hz)
        around = sound[int(first_ends - 0.3 * rate_hz) : int(first_ends + 0.3 * rate_hz)]
        silent.setdefault(fade_s, []).append(1000 * _longest(np.abs(around) < SILENCE) / rate_hz)
    rows = []
    for fade_s in off:
        label = {"of": "hard change" if fade_s < 0.1 else f"{fade_s:g} s of fade"}
        rows += [
            Row("meeting_error_median_ms", float(np.median(off[fade_s])), len(off[fade_s]), "ms", label),
            Row("meeting_error_most_ms", float(np.max(np.abs(off[fade_s]))), len(off[fade_s]), "ms", label),
            Row("gap_most_ms", float(np.max(silent[fade_s])), len(silent[fade_s]), "ms", label),
        ]
    steps, dips = [], []
    for at_s, left_s in log.marks.get("steps", []):
        first, last = find(at_s)
        change = first + round(left_s * rate_hz)
        length = round((BESIDE_S - 1.0) * rate_hz)
        second = sound[change + round(1.3 * rate_hz) : min(last, change + round(1.3 * rate_hz) + length)]
        before, after = (
            _level_db(sound[change - round(0.2 * rate_hz) - length : change - round(0.2 * rate_hz)]),
            _level_db(second),
        )
        between = sound[change : change + round(1.1 * rate_hz)]
        part = round(0.1 * rate_hz)
        within = [_level_db(between[at : at + part]) for at in range(0, len(between) - part, part)]
        steps.append(abs(after - before))
        dips.append(max(abs(level - (before + after) / 2) for level in within))
    if steps:
        rows.append(Row("level_step_most_lu", float(np.max(steps)), len(steps), "LU", {"of": f"{LOUDNESS} LUFS"}))
        rows.append(Row("level_within_fade_most_lu", float(np.max(dips)), len(dips), "LU", {"of": "blocks of 0.1 s"}))
    return rows


def _ducks(log: Log, sound: Sound, rate_hz: int, find: Find) -> list[Row]:
    depths, times = [], []
    for at_s in log.marks.get("ducks", []):
        first, _ = find(at_s)
        step = round(0.02 * rate_hz)
        piece = sound[first : first + 4 * rate_hz]
        levels = _levels(piece, step)
        full, low = float(np.median(levels[10:60])), float(np.median(levels[110:140]))
        depths.append(low - full)
        below = np.flatnonzero(levels < full + 0.1 * (low - full) - 0.5)
        there = np.flatnonzero(levels < low + 0.1 * (full - low) + 0.5)
        times.append(0.02 * float(there[0] - below[0]))
    falls, gones = [], []
    for at_s in log.marks.get("voices", []):
        first, _ = find(at_s)
        levels = _levels(sound[first : first + 5 * rate_hz], step := round(0.02 * rate_hz))
        full = float(np.median(levels[10:60]))
        low = float(np.median(np.sort(levels[:200])[:40]))
        below = np.flatnonzero(levels < full - 1.0)
        falls.append(low - full)
        gones.append(0.02 * float(np.flatnonzero(levels < 0.9 * (low - full) + full)[0] - below[0]))
    if not depths:
        return []
    return [
        Row("voice_duck_depth_median_db", float(np.median(falls)), len(falls), "dB", {"of": "OBS's compressor"}),
        Row("voice_duck_fall_most_s", float(np.max(gones)), len(gones), "s", {"of": "1 dB to 90 %"}),
        Row("duck_depth_median_db", float(np.median(depths)), len(depths), "dB", {"of": f"{DEPTH_DB:g} dB asked"}),
        Row("duck_fall_median_s", float(np.median(times)), len(times), "s", {"of": "10 to 90 %"}),
        Row("duck_fall_most_s", float(np.max(times)), len(times), "s", {"of": "10 to 90 %"}),
    ]


def _levels(sound: Sound, step: int) -> Sound:
    """The level of each ``step`` samples, in dB."""
    return np.array([_level_db(sound[at : at + step]) for at in range(0, len(sound) - step, step)])


def _level_db(sound: Sound) -> float:
    """Of noise of one colour, which is why plain power will do."""
    return float(10 * np.log10(max(1e-12, float((sound**2).mean()))))


def _longest(quiet: NDArray[np.bool_]) -> int:
    """The longest run of samples that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def add_obs_play(kinds: Any) -> None:
    parser = kinds.add_parser("obs-play", help="what a running OBS makes of the music that Segue plays in it")
    parser.add_argument("--obs", required=True, metavar="URL", help="OBS's websocket, as in ws://127.0.0.1:4455")
    parser.add_argument("--obs-password-file", type=Path, metavar="FILE", help="file with its password")
    parser.add_argument("--obs-cuts", type=Path, metavar="FOLDER", help="folder for sound, which OBS can read")
    parser.add_argument("--quick", action="store_true", help="each thing once or twice, a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def obs_play(options: argparse.Namespace) -> int:
    check_folder(options.json)
    try:
        address = parse_address(options.obs, password_of(options.obs_password_file, os.environ))
    except ObsError as error:
        raise BenchError(str(error)) from error
    settings = ObsBenchOptions(address, cuts=options.obs_cuts)
    if options.quick:
        settings = ObsBenchOptions(address, starts=1, changes=2, steps=1, ducks=1, seconds=120.0, cuts=options.obs_cuts)
    report = measure(settings, Console(stderr=True).print)
    print_rows(report.rows, Console(), "OBS's own recording against what was asked")
    if options.json is not None:
        report.write(options.json)
    return 0
