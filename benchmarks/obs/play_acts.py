"""What is done in OBS while it records: tracks are started, changed and lowered."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.errors import BenchError
from stream.obs.address import ObsAddress
from stream.obs.cuts import Cuts
from stream.obs.deck import ObsDeck
from stream.obs.deck_parts import DeckOptions
from stream.obs.errors import ObsError
from stream.obs.link import ObsLink

from .play_tracks import LOUDNESS, BenchShelf, noise

KINDS: Final = ("mp3 CBR 128", "mp3 VBR V2", "flac", "vorbis 44.1 kHz", "aac in m4a", "wav")
SECONDS: Final = 300.0
CONNECT_S: Final = 10.0
HEARD_S: Final = 1.4  # of each start
QUIET_S: Final = 0.8  # between two
BESIDE_S: Final = 4.0  # of each of two tracks of other loudness


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

    beside_s: float  # of each of two tracks of other loudness
    starts: list[Took] = field(default_factory=list)
    marks: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def begun_s(self) -> float:
        """When the first thing was heard, by the clock."""
        firsts = [took.at_s for took in self.starts[:1]] + [mark[0] for mark in self.marks.get("changes", [])[:1]]
        return min(firsts, default=0.0)


class _Host:
    """A session of nobody."""

    newest: Mapping[str, Any] | None = None
    asked: Mapping[str, Any] | None = None
    auto = False

    def send(self, message: Mapping[str, Any]) -> None:
        """Nobody listens."""


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


async def play(options: ObsBenchOptions, shelf: BenchShelf, say: Callable[[str], None]) -> tuple[Path, Log]:
    """Play everything while OBS records; returns the recording and what was done. Raises ObsError, BenchError."""
    deck, ears, log = (
        ObsDeck(shelf, Cuts(options.cuts), DeckOptions(level_db=0.0), time.monotonic),
        _Ears(),
        Log(BESIDE_S),
    )
    link = ObsLink(options.address, [deck.in_obs, ears])
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
        await _act(options, deck, shelf.paths, log, say)
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
    voice = noise(folder / "voice.wav", 2.0, 0.1)
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
