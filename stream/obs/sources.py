"""The two media sources in OBS, as one player: one sounds, the other waits or falls silent.

A track begins with its cut (`cut`): OBS gets a file and nothing else, since a seek right after a new file is lost. One
track goes over into the next one within the sound of the cuts themselves: the old one's falls from a place on that OBS
has not read yet, the new one's rises, both with equal power. Levels that change while something is heard take small
steps (`fader`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from catalog.records import Track

from .client import ObsClient
from .cut import READ_AHEAD_S, Piece
from .cuts import Cuts
from .media import FADED_S, HEARD_S, OPENING, PAUSED, PLAYING, Media
from .rig import SOURCES, Rig
from .sounding import OvertakenError, Sounding

ALONE_S: Final = 0.005  # of rise where nothing plays: no click
SETTLE_S: Final = 0.15  # of silence first: a stopped source still has a block of what it played, which stays muted
OPEN_S: Final = 0.05  # after OBS's word that a file plays, its source is heard
AFTER_S: Final = 0.4  # after a fall, before its source is stopped
DRIFT_S: Final = 0.25  # between OBS's own place and ours


class Sources:
    """``clock`` counts seconds and never goes back. ``client`` is set while OBS is connected. ``on_end(sounding)`` is
    called when what sounds has come to its end, or was stopped in OBS."""

    def __init__(self, cuts: Cuts, rig: Rig, clock: Callable[[], float], on_end: Callable[[Sounding], None]) -> None:
        self.now: Sounding | None = None
        self.media = Media(cuts, rig, clock)
        self._cuts, self._clock, self._on_end = cuts, clock, on_end
        self._turn = 0
        self._coming = 0  # requests to play that are being carried out
        self._tasks = set[asyncio.Task[None]]()
        self._wake = asyncio.Event()

    @property
    def client(self) -> ObsClient | None:
        return self.media.client

    @client.setter
    def client(self, client: ObsClient | None) -> None:
        self.media.client = client

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
                (name for name in SOURCES if self.media.loaded[name] is None), SOURCES[0]
            )
            await self.media.prepare(source, off_vod)
            if old is not None:
                await self._make_way(turn, old, leave_s, fade_s)
            self._check(turn)
            at_s = await self.media.begin(source, cut)
            await asyncio.sleep(max(0.0, at_s + OPEN_S - self._clock()))
            await self.media.sound(source)
        except BaseException:
            self._cuts.drop(cut)
            raise
        sounding = Sounding(track, cut, source, start_s, begin_s, at_s)
        if turn != self._turn:  # something newer came while OBS began: it replaces this one
            self._spawn(self.media.end(source, cut, 0.0))
            raise OvertakenError("another track was asked for")
        standing, self.now = self.now, sounding
        if standing is not None and standing is not old and standing.source != source:  # paused in OBS
            self._spawn(self.media.end(standing.source, standing.cut, 0.0))
        if old is not None:
            falls_s = old.cut.falls_at_s
            left_s = fade_s if falls_s is None else max(0.0, falls_s + fade_s - self._clock_place(old))
            self._spawn(self.media.end(old.source, old.cut, left_s + AFTER_S))
        return sounding

    def stop(self) -> Sounding | None:
        """Let what sounds fade out; returns it, as it was."""
        self._next_turn()
        last, self.now = self.now, None
        if last is not None and self.client is not None:
            self._spawn(self.media.fade_out(last.source, last.cut))
        return last

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take an event of OBS about one of the sources."""
        source = data.get("inputName")
        if source not in SOURCES:
            return
        now = self.now
        if kind == "MediaInputPlaybackStarted":
            if (
                not self.media.started(source) and now is not None and now.source == source
            ):  # somebody pressed "restart" in OBS
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
        self._next_turn()
        if self.now is not None:
            self.now.stands_at(self.now.place_s(self._clock()), self._clock(), True)
        self.media.lost()

    async def take_up(self) -> bool:
        """After connecting: whether OBS still plays what sounded; else its sources are silent now."""
        assert self.client is not None
        kept = False
        for source in SOURCES:
            status = await self.media.status(source)
            now = self.now
            if now is not None and now.source == source and status.get("mediaState") == PLAYING:
                settings = (await self.client.request("GetInputSettings", {"inputName": source}))["inputSettings"]
                cursor_s = (status.get("mediaCursor") or 0) / 1000
                if settings.get("local_file") == str(now.cut.file) and cursor_s > 0:
                    now.stands_at(now.cut.piece.start_s + cursor_s, self._clock(), False)
                    kept = True
                    continue
            if status.get("mediaState") in (PLAYING, PAUSED, OPENING):
                await self.media.silence(source)
            self.media.forget(source)
        await self.media.sound(*SOURCES)
        return kept

    async def check(self) -> None:
        """Compare what sounds with what OBS says. Raises ObsRequestError (600) where the source is gone."""
        now = self.now
        if now is None or self.client is None or self.media.beginning:
            return
        asked_s = self._clock()
        status = await self.media.status(now.source)
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
            self.stop()
            await self.quiet()
            for task in self._tasks:
                task.cancel()
            await self.media.let_go()
        finally:
            self.media.close()

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

    async def _make_way(self, turn: int, old: Sounding, leave_s: float | None, fade_s: float) -> None:
        """Let the old one fall from its place on, and wait until it is there."""
        earliest_s = self._clock_place(old) + READ_AHEAD_S
        leave_s = max(leave_s or 0.0, earliest_s)
        if old.cut.falls_at_s is not None:  # for a request that was overtaken
            return
        if not await asyncio.to_thread(old.cut.fall, leave_s, fade_s):
            leave_s = min(leave_s, old.cut.piece.end_s)  # it ends by itself before
        await self._pause(leave_s - SETTLE_S - self.media.took_s - self._clock_place(old))
        self._check(turn)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until another request comes."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), seconds)

    async def quiet(self) -> None:
        """Wait until everything has faded out."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=FADED_S)

    def _over(self, sounding: Sounding) -> None:
        """What sounds does so no longer."""
        self.now = None
        self.media.forget(sounding.source)
        if not self._coming:
            self._on_end(sounding)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
