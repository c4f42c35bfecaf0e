"""The two media sources in OBS, as one player: one sounds, the other waits or falls silent.

A track begins with its cut (`cut`): OBS gets a file and nothing else, since a seek right after a new file is lost. One
track goes over into the next one within the sound of the cuts themselves: the old one's falls from a place on that OBS
has not read yet, the new one's rises, both with equal power. Levels that change while something is heard take small
steps (`fader`).
"""

import asyncio
import contextlib
import logging
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.records import Track

from .client import ObsClient
from .cut import READ_AHEAD_S, Cut, CutError, Piece
from .cuts import Cuts
from .errors import ObsError, ObsGoneError, ObsRequestError
from .fader import MUTE_DB, SILENT_DB, TICK_S, Fader
from .rig import NOT_FOUND, SOURCES, Rig

log = logging.getLogger(__name__)

HEARD_S: Final = 0.08  # from asking OBS for a file to its begin, until it is known
ALONE_S: Final = 0.005  # of rise where nothing plays: no click
SETTLE_S: Final = 0.15  # of silence first: a stopped source still has a block of what it played, which stays muted
OPEN_S: Final = 0.05  # after OBS's word that a file plays, its source is heard
STARTED_S: Final = 3.0  # for OBS to begin a file
FADED_S: Final = 6.0  # for a level to reach silence
AFTER_S: Final = 0.4  # after a fall, before its source is stopped
DRIFT_S: Final = 0.25  # between OBS's own place and ours
STOP: Final = "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_STOP"
PLAYING, PAUSED, OPENING = (f"OBS_MEDIA_STATE_{state}" for state in ("PLAYING", "PAUSED", "OPENING"))


@dataclass(slots=True)
class Sounding:
    """A track that sounds: it was at ``from_s`` at ``at_s`` by the clock. ``asked_s``: where it was to start."""

    track: Track
    cut: Cut
    source: str
    asked_s: float
    from_s: float
    at_s: float
    paused: bool = False

    def place_s(self, now_s: float) -> float:
        return max(0.0, self.from_s if self.paused else self.from_s + now_s - self.at_s)

    def stands_at(self, place_s: float, now_s: float, paused: bool) -> None:
        self.from_s, self.at_s, self.paused = place_s, now_s, paused


class OvertakenError(ObsError):
    """A newer request has taken this one's place."""


class Sources:
    """``clock`` counts seconds and never goes back. ``client`` is set while OBS is connected. ``on_end(sounding)`` is
    called when what sounds has come to its end, or was stopped in OBS."""

    def __init__(self, cuts: Cuts, rig: Rig, clock: Callable[[], float], on_end: Callable[[Sounding], None]) -> None:
        self.client: ObsClient | None = None
        self.now: Sounding | None = None
        self.fader = Fader(SOURCES)
        self._cuts, self._rig, self._clock, self._on_end = cuts, rig, clock, on_end
        self._turn = 0
        self._coming = 0  # requests to play that are being carried out
        self._loaded: dict[str, Cut | None] = dict.fromkeys(SOURCES)
        self._started: dict[str, asyncio.Future[float]] = {}
        self._took: deque[float] = deque(maxlen=5)  # seconds from asking OBS for a file to its begin
        self._riding: asyncio.Task[None] | None = None
        self._tasks = set[asyncio.Task[None]]()
        self._wake = asyncio.Event()

    @property
    def place_s(self) -> float:
        """Where what sounds is; 0 for nothing."""
        return 0.0 if self.now is None else self.now.place_s(self._clock())

    async def play(
        self,
        track: Track,
        start_s: float,
        gain_db: float,
        fade_s: float,
        off_vod: bool,
        plan: Callable[[float, float], tuple[float, float]] | None = None,
    ) -> Sounding:
        """Play a track from ``start_s`` on, at full level there; what sounds makes way.

        ``plan(earliest_s, fade_s)`` gives the place in the old track where its fall begins, not before ``earliest_s``,
        and how long it takes. Raises `OvertakenError` where a newer call has come, `CutError`, `ObsError`.
        """
        turn = self._next_turn()
        self._coming += 1
        try:
            return await self._play(turn, track, start_s, gain_db, fade_s, off_vod, plan)
        finally:
            self._coming -= 1

    async def _play(
        self,
        turn: int,
        track: Track,
        start_s: float,
        gain_db: float,
        fade_s: float,
        off_vod: bool,
        plan: Callable[[float, float], tuple[float, float]] | None,
    ) -> Sounding:
        old = None if self.now is None or self.now.paused else self.now
        leave_s = None
        if old is None:
            fade_s = ALONE_S
        else:
            leave_s = self._clock_place(old) + READ_AHEAD_S + HEARD_S
            if plan is not None:
                leave_s, fade_s = plan(leave_s + 0.2, fade_s)  # until the new cut is there
        rise_s = min(start_s, fade_s)
        begin_s = start_s - rise_s - SETTLE_S
        file_s = track.begin_s + track.duration_s if track.end_s is None else None
        piece = Piece(
            Path(track.path), track.duration_s, track.begin_s, file_s, begin_s, max(ALONE_S, rise_s), gain_db, SETTLE_S
        )
        cut = await self._cuts.make(piece)
        try:
            self._check(turn)
            old = None if self.now is None or self.now.paused else self.now
            source = next((name for name in SOURCES if old is not None and name != old.source), None) or next(
                (name for name in SOURCES if self._loaded[name] is None), SOURCES[0]
            )
            await self._prepare(source, off_vod)
            if old is not None:
                await self._make_way(turn, old, leave_s, fade_s)
            self._check(turn)
            at_s = await self._begin(source, cut)
            await asyncio.sleep(max(0.0, at_s + OPEN_S - self._clock()))
            await self._send({source: self.fader.jump(source)})
        except BaseException:
            self._cuts.drop(cut)
            raise
        sounding = Sounding(track, cut, source, start_s, begin_s, at_s)
        if turn != self._turn:  # something newer came while OBS began: it replaces this one
            self._spawn(self._end(source, cut, 0.0))
            raise OvertakenError("another track was asked for")
        standing, self.now = self.now, sounding
        if standing is not None and standing is not old and standing.source != source:  # paused in OBS
            self._spawn(self._end(standing.source, standing.cut, 0.0))
        if old is not None:
            falls_s = old.cut.falls_at_s
            left_s = fade_s if falls_s is None else max(0.0, falls_s + fade_s - self._clock_place(old))
            self._spawn(self._end(old.source, old.cut, left_s + AFTER_S))
        return sounding

    def stop(self) -> Sounding | None:
        """Let what sounds fade out; returns it, as it was."""
        self._next_turn()
        last, self.now = self.now, None
        if last is not None and self.client is not None:
            self._spawn(self._fade_out(last.source, last.cut))
        return last

    def level(self, part: str, db: float) -> None:
        """Set one of the levels that count for both sources; it is reached in small steps."""
        if self.fader.shared.get(part, 0.0) != db:
            self.fader.shared[part] = db
            self._ride()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take an event of OBS about one of the sources."""
        source = data.get("inputName")
        if source not in self._loaded:
            return
        now = self.now
        if kind == "MediaInputPlaybackStarted":
            waiting = self._started.pop(source, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(self._clock())
            elif now is not None and now.source == source:  # somebody pressed "restart" in OBS
                now.stands_at(now.cut.piece.start_s, self._clock(), False)
        elif now is None or now.source != source:
            return
        elif kind == "MediaInputPlaybackEnded":
            self._over(now)
        elif kind == "MediaInputActionTriggered":
            action = str(data.get("mediaAction"))
            if action.endswith("_PAUSE") or (action.endswith("_PLAY") and now.paused):
                now.stands_at(now.place_s(self._clock()), self._clock(), action.endswith("_PAUSE"))
            elif action.endswith("_STOP"):
                self._over(now)

    def lost(self) -> None:
        """OBS is gone: what sounded stands still."""
        self.client = None
        self._next_turn()
        if self.now is not None:
            self.now.stands_at(self.now.place_s(self._clock()), self._clock(), True)
        for waiting in self._started.values():
            if not waiting.done():
                waiting.set_exception(ObsGoneError("the connection to OBS is lost"))
        self._started.clear()

    async def take_up(self) -> bool:
        """After connecting: whether OBS still plays what sounded; else its sources are silent now."""
        assert self.client is not None
        kept = False
        for source in SOURCES:
            status = await self.client.request("GetMediaInputStatus", {"inputName": source})
            now = self.now
            if now is not None and now.source == source and status.get("mediaState") == PLAYING:
                settings = (await self.client.request("GetInputSettings", {"inputName": source}))["inputSettings"]
                cursor_s = (status.get("mediaCursor") or 0) / 1000
                if settings.get("local_file") == str(now.cut.file) and cursor_s > 0:
                    now.stands_at(now.cut.piece.start_s + cursor_s, self._clock(), False)
                    kept = True
                    continue
            if status.get("mediaState") in (PLAYING, PAUSED, OPENING):
                await self._silence(source)
            if self._loaded[source] is not None:
                self._forget(source)
        await self._send({source: self.fader.jump(source) for source in SOURCES})
        return kept

    async def check(self) -> None:
        """Compare what sounds with what OBS says. Raises ObsRequestError (600) where the source is gone."""
        now, client = self.now, self.client
        if now is None or client is None or self._started:
            return
        asked_s = self._clock()
        status = await client.request("GetMediaInputStatus", {"inputName": now.source})
        if self.now is not now or now.cut.falls_at_s is not None:
            return
        state, cursor = status.get("mediaState"), status.get("mediaCursor")
        if state in (PLAYING, PAUSED) and cursor is not None:
            at_s = (asked_s + self._clock()) / 2
            place_s, paused = now.cut.piece.start_s + cursor / 1000, state == PAUSED
            if paused != now.paused or abs(place_s - now.place_s(at_s)) > DRIFT_S:
                now.stands_at(place_s, at_s, paused)
        elif state not in (PLAYING, PAUSED, OPENING):
            self._over(now)

    async def close(self) -> None:
        """Let go of OBS: fade out what sounds, and leave no file of ours named there."""
        try:
            await self._let_go()
        finally:
            for source in SOURCES:
                self._forget(source)
            self._cuts.close(self.client is not None)

    async def _let_go(self) -> None:
        self.stop()
        await self.quiet()
        for task in [*self._tasks, *filter(None, [self._riding])]:
            task.cancel()
        for source in SOURCES:
            if self.client is not None:
                with contextlib.suppress(ObsError):
                    await self.client.request(
                        "SetInputSettings", {"inputName": source, "inputSettings": {"local_file": ""}}
                    )

    def _next_turn(self) -> int:
        """The newest request wins; one that waits is woken."""
        self._turn += 1
        self._wake.set()
        self._wake = asyncio.Event()
        return self._turn

    def _clock_place(self, sounding: Sounding) -> float:
        return sounding.place_s(self._clock())

    def _check(self, turn: int) -> None:
        if turn != self._turn:
            raise OvertakenError("another track was asked for")

    def _asked(self) -> ObsClient:
        if self.client is None:
            raise ObsGoneError("OBS is not connected; music plays there once it is")
        return self.client

    async def _prepare(self, source: str, off_vod: bool) -> None:
        """Make a source ready that is not heard: level and audio tracks."""
        client = self._asked()
        if self._loaded[source] is not None:
            await self._silence(source)
            self._forget(source)
        try:
            await self._rig.keep_off_vod(client, source, off_vod)
        except ObsRequestError as error:
            await self._make_again(client, source, error)
            await self._rig.keep_off_vod(client, source, off_vod)
        self.fader.now[source] = MUTE_DB
        await self._send({source: MUTE_DB})

    async def _make_way(self, turn: int, old: Sounding, leave_s: float | None, fade_s: float) -> None:
        """Let the old one fall from its place on, and wait until it is there."""
        earliest_s = self._clock_place(old) + READ_AHEAD_S
        leave_s = max(leave_s or 0.0, earliest_s)
        if old.cut.falls_at_s is not None:  # for a request that was overtaken
            return
        if not await asyncio.to_thread(old.cut.fall, leave_s, fade_s):
            leave_s = min(leave_s, old.cut.piece.end_s)  # it ends by itself before
        took_s = SETTLE_S + (statistics.median(self._took) if self._took else HEARD_S)
        await self._pause(leave_s - took_s - self._clock_place(old))
        self._check(turn)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until another request comes."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), seconds)

    async def _begin(self, source: str, cut: Cut) -> float:
        """Hand OBS the file; returns when it began, by the clock."""
        client = self._asked()
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        overtaken = self._started.get(source)
        if overtaken is not None and not overtaken.done():  # its file is played no more
            overtaken.set_exception(OvertakenError("another track was asked for"))
        self._started[source] = waiting
        self._loaded[source] = cut
        given = {"inputName": source, "inputSettings": {"local_file": str(cut.file)}}
        try:
            asked_s = self._clock()
            try:
                await client.request("SetInputSettings", given)
            except ObsRequestError as error:
                await self._make_again(client, source, error)
                await client.request("SetInputSettings", given)
            at_s = await asyncio.wait_for(waiting, STARTED_S)
            self._took.append(min(0.5, at_s - asked_s))
            status = await client.request("GetMediaInputStatus", {"inputName": source})
            if status.get("mediaState") not in (PLAYING, OPENING) and not status.get("mediaDuration"):
                raise TimeoutError
        except TimeoutError:
            self._unload(source, cut)
            raise CutError(
                f"OBS does not play {cut.file}; it must be able to read that file: --obs-cuts names a folder"
            ) from None
        except ObsError:
            self._unload(source, cut)
            raise
        finally:
            if self._started.get(source) is waiting:
                del self._started[source]
        await asyncio.to_thread(self._cuts.opened, cut)
        return at_s

    async def _make_again(self, client: ObsClient, source: str, error: ObsRequestError) -> None:
        """Make what is missing, where a request was refused for want of it. Raises the error where it was not."""
        if error.code != NOT_FOUND:
            raise error
        wanted = self._rig.removed
        await self._rig.ensure(client)
        self._rig.notes["made"] = "" if wanted else f"{source} was gone from OBS and was made again"
        await self._send({name: self.fader.now[name] for name in SOURCES})

    async def quiet(self) -> None:
        """Wait until everything has faded out."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=FADED_S)

    def _over(self, sounding: Sounding) -> None:
        """What sounds does so no longer."""
        self.now = None
        self._forget(sounding.source)
        if not self._coming:
            self._on_end(sounding)

    def _forget(self, source: str) -> None:
        cut, self._loaded[source] = self._loaded[source], None
        if cut is not None:
            cut.close()

    def _unload(self, source: str, cut: Cut) -> None:
        """The source has not begun this cut; it may have a newer one."""
        if self._loaded[source] is cut:
            self._loaded[source] = None

    async def _silence(self, source: str) -> None:
        with contextlib.suppress(ObsRequestError):
            await self._asked().request("TriggerMediaInputAction", {"inputName": source, "mediaAction": STOP})

    async def _end(self, source: str, cut: Cut, after_s: float) -> None:
        """Stop a source later, unless it has something new."""
        await asyncio.sleep(after_s)
        if self._loaded[source] is cut and self.client is not None:
            self._loaded[source] = None
            with contextlib.suppress(ObsError):
                await self._silence(source)
        cut.close()

    async def _fade_out(self, source: str, cut: Cut) -> None:
        self.fader.own[source] = SILENT_DB
        self._ride()
        until_s = self._clock() + FADED_S
        while (  # noqa: ASYNC110 - the fader tells nobody
            self.fader.now[source] > MUTE_DB and self._loaded[source] is cut and self._clock() < until_s
        ):
            await asyncio.sleep(TICK_S)
        await self._end(source, cut, 0.0)

    def _ride(self) -> None:
        """Begin to move the levels to where they are to be."""
        if self.client is not None and (self._riding is None or self._riding.done()):
            self._riding = asyncio.create_task(self._move())

    async def _move(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ObsError):
            while not self.fader.settled and self.client is not None:
                begun_s = loop.time()
                await self._send(self.fader.step())
                await asyncio.sleep(max(0.0, begun_s + TICK_S - loop.time()))

    async def _send(self, levels: Mapping[str, float]) -> None:
        if levels and self.client is not None:
            await self.client.batch(
                [("SetInputVolume", {"inputName": name, "inputVolumeDb": db}) for name, db in levels.items()]
            )

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
