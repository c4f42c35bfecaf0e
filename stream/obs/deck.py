"""OBS as a session's player: what viewers ask of it, Auto, ducking, the rules of OBS's scenes, and what is restored
when OBS comes back.

The deck serves one session at a time, that in which it has the player's role (`stream.server.player`); each session
offers it a seat (`seat`).

*Bounds*: ``MOST_BEFORE`` tracks to go back to.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from catalog.errors import UnknownTrackError
from catalog.records import Track
from stream.errors import StreamError

from .auto import SHORT_S, Auto
from .client import ObsClient
from .cut import READ_AHEAD_S
from .cuts import Cuts
from .deck_parts import DeckOptions, Held, Host, Shelf
from .duck import Duck
from .errors import ObsError, ObsGoneError, ObsRequestError
from .leaving import Item, choose
from .rig import NOT_FOUND, SCENE, Rig
from .scene_rules import RuledScenes
from .sounding import OvertakenError, Sounding
from .sources import Sources

log = logging.getLogger(__name__)

NAME: Final = "OBS"
TICK_S: Final = 0.25
CHECK_S: Final = 2.0  # between looks at OBS's own place in the file
REPORT_S: Final = 5.0
MOST_BEFORE: Final = 20
BAR_S: Final = 3.0  # at most so long a bar is waited for


class ObsDeck:
    """A part of an `ObsLink`. ``clock`` counts seconds and never goes back; ``kit`` gives the wishes of a kit by its
    name, in a thread (StreamError for one that is not there); ``on_change`` is called when `state` may have changed."""

    def __init__(
        self,
        shelf: Shelf,
        cuts: Cuts,
        options: DeckOptions,
        clock: Callable[[], float],
        kit: Callable[[str], Mapping[str, Any]] | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.options = options
        self.rig = Rig(options.vod_track, options.microphone)
        self.sources = Sources(cuts, self.rig, clock, self._ended)
        self.sources.media.level("music", options.level_db)
        self.duck = Duck()
        self.host: Host | None = None
        self.held: Held | None = None
        self.before: deque[Held] = deque(maxlen=MOST_BEFORE)
        self.on_change = on_change
        self.on_ready: Callable[[bool], None] = lambda ready: None
        self._shelf, self._clock = shelf, clock
        self._scenes = RuledScenes(self, options.rules, kit, self._spawn)
        self._auto = Auto(self, clock)
        self.item: Item | None = None  # the suggestion that plays
        self.starting: Held | None = None  # what is being started
        self._recording = False
        self._client: ObsClient | None = None
        self._setting_up = asyncio.Lock()
        self._anew: asyncio.Task[None] | None = None  # sets up in another collection of scenes
        self._ticking: asyncio.Task[None] | None = None
        self._tasks = set[asyncio.Task[None]]()
        self._checked_s = self._reported_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether OBS is connected, and has what the music needs."""
        return self.sources.client is not None

    @property
    def state(self) -> dict[str, Any]:
        """Fields of `status.ObsStatus`."""
        now = self.sources.now
        ducked_db = round(self.sources.media.fader.shared.get("duck", 0.0), 1)
        return {
            "rule": self._scenes.rule.text,
            "plays": self.ready and self.host is not None and now is not None and not now.paused,
            "ducked_db": ducked_db,
            "music": self.rig.note,
        }

    @property
    def plays(self) -> str | None:
        """The track that sounds, or is about to."""
        if self.starting is not None:
            return self.starting.track
        now = self.sources.now
        return None if now is None or now.paused else now.track.id

    # OBS

    async def connected(self, client: ObsClient) -> None:
        """Make what is missing in OBS, and go on where the music should be. Raises ObsError."""
        self._client = client
        async with self._setting_up:
            await self._set_up(client)

    async def _set_up_anew(self, client: ObsClient) -> None:
        async with self._setting_up:
            if not self.ready:
                await self._set_up(client)

    async def _set_up(self, client: ObsClient) -> None:
        try:
            if await self.rig.ensure(client) and client.connections > 1:
                self.rig.notes["made"] = "OBS had lost its music sources; they were made again"
            special = {} if self.options.microphone else await client.request("GetSpecialInputs")
            names = [special.get(f"mic{number}") for number in range(1, 5)]
            self.duck.microphones = frozenset(name for name in names if name)
            self._recording = bool((await client.request("GetRecordStatus")).get("outputActive"))
            self.sources.client = client
            kept = await self.sources.take_up()
        except BaseException as error:
            self.sources.client = None
            if isinstance(error, ObsError) and not isinstance(error, ObsGoneError):
                self._fail(str(error))
            raise
        self.rig.notes["play"] = ""
        self.on_ready(True)
        now, starting = self.sources.now, self.starting
        if kept:
            self._report()
        elif now is not None:
            self.sources.now = None
            starting = starting or Held(now.track.id, now.place_s(self._clock()))
        if starting is not None and self._scenes.silent:
            self.starting, self.held = None, starting
            self._scenes.keep(starting)
        elif starting is not None:
            self.begin(starting.track, starting.place_s, SHORT_S)
        self._duck_changed()
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = asyncio.create_task(self._tick())
        self.on_change()

    def lost(self, reason: str) -> None:
        if self._anew is not None:
            self._anew.cancel()
        if not self.ready:
            return
        self.sources.lost()
        if self._ticking is not None:
            self._ticking.cancel()
        now = self.sources.now
        if now is not None:
            self._say(now.track.id, now.place_s(self._clock()), True)
        self.on_ready(False)
        self.on_change()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == "InputVolumeMeters":
            self.duck.meters(data.get("inputs") or (), self._clock())
            self._duck_changed()
        elif kind.startswith("MediaInput"):
            paused = self.sources.now is not None and self.sources.now.paused
            self.sources.event(kind, data)
            if self.sources.now is not None and self.sources.now.paused != paused:
                self._report()
        elif kind == "RecordStateChanged":
            self._recording = bool(data.get("outputActive"))
        elif kind in ("CurrentSceneCollectionChanging", "ExitStarted"):  # OBS may crash when it is asked now
            self.lost("OBS changes its collection of scenes")
        elif kind == "CurrentSceneCollectionChanged":
            if self._client is not None and not self.ready:
                self._anew = self._spawn(self._set_up_anew(self._client))
        elif kind == "SceneCreated" and not data.get("isGroup"):
            name, client = str(data.get("sceneName")), self.sources.client
            if client is not None and name != SCENE and not self.rig.removed:
                self._spawn(self.rig.nest(client, name))

    def enter(self, scene: str) -> None:
        """OBS has this scene on air: its rule counts."""
        if scene and self._scenes.enter(scene):
            self.on_change()

    async def close(self) -> None:
        """Fade out and let go of OBS; what stands there stays."""
        if self._ticking is not None:
            self._ticking.cancel()
        for task in list(self._tasks):
            task.cancel()
        await self.sources.close()

    # the session

    def sit(self, host: Host, track: str | None, place_s: float | None, paused: bool) -> None:
        """The deck is a session's player from now on, and goes on with what was on air there."""
        self.host = host
        if track is not None and self.sources.now is None:
            if paused:
                self.held = Held(track, place_s or 0.0)
            else:
                self.begin(track, place_s or 0.0)
        self._scenes.sat()
        if self.starting is None:  # else it is told with the track
            self._tell()
        self.on_change()

    def rise(self, host: Host) -> None:
        """The deck is no longer that session's player: it falls silent."""
        if host is not self.host:
            return
        self.host = self.starting = None
        self.held = None
        self.before.clear()
        self.sources.stop()
        self.sources.media.level("music", self.options.level_db)
        self.duck.session_db = None
        self._duck_by_hand(None)
        self.on_change()

    def obey(self, action: Mapping[str, Any]) -> None:
        """Carry out a viewer's ``do``."""
        match action.get("do"):
            case "play":
                self.begin(str(action["track"]), float(action["start_s"]), on_bar=True)
            case "pause":
                self.pause()
            case "resume":
                self.resume()
            case "seek":
                self.seek(float(action["position_s"]))
            case "stop":
                self.silence()
            case "back":
                self.back()
            case "level":
                self.sources.media.level("music", float(action["db"]))
                if self.starting is None:
                    self._tell()
            case "remove":
                self.silence()
                self._spawn(self._remove())
            case "duck":
                self._duck_by_hand(action.get("on"))

    def listed(self, host: Host) -> None:
        """A new list of suggestions came in a session."""
        if host is not self.host or host.newest is None:
            return
        self.duck.session_db = host.newest.get("duck_db")
        self._duck_changed()
        self._scenes.listed()
        if self.starting is None and self.ready and not self._scenes.silent:
            self._auto.listed(host)

    def begin(
        self,
        track: str,
        start_s: float,
        fade_s: float | None = None,
        *,
        on_bar: bool = False,
        back: bool = False,
        leave_s: float | None = None,
    ) -> None:
        """Start a track. ``on_bar``: with the next bar of what sounds, where bars are known. ``leave_s``: what sounds
        is left there. ``back``: on the way back through what was."""
        self.starting = starting = Held(track, start_s)
        self._spawn(self._start(starting, fade_s, on_bar, back, leave_s))

    def pause(self) -> None:
        now, starting = self.sources.stop(), self.starting
        self.starting = None
        if starting is None and now is not None:
            starting = Held(now.track.id, now.place_s(self._clock()))
        if starting is not None:
            self.held = starting
            self._say(self.held.track, self.held.place_s, True)

    def resume(self) -> None:
        now = self.sources.now
        if now is not None and now.paused:  # in OBS
            self.begin(now.track.id, now.place_s(self._clock()), back=True)
        elif self.held is not None and self.sources.now is None:
            self.begin(self.held.track, self.held.place_s)

    def seek(self, place_s: float) -> None:
        if self.sources.now is not None:
            self.begin(self.sources.now.track.id, place_s, SHORT_S, back=True)
        elif self.held is not None:
            self.held = Held(self.held.track, place_s)
            self._say(self.held.track, place_s, True)

    def silence(self) -> None:
        """Nothing plays any more."""
        self._remember()
        self.held = self.starting = None
        self.sources.stop()
        self._say(None)

    def back(self) -> None:
        """Go back to the track before, at the place where it was left."""
        if self.before:
            last = self.before.pop()
            self.begin(last.track, last.place_s, back=True)

    def first(self) -> Item | None:
        """The best suggestion now."""
        return None if self.host is None else choose(self.host.newest)

    # within

    async def _start(
        self, starting: Held, fade_s: float | None, on_bar: bool, back: bool, leave_s: float | None
    ) -> None:
        if self.starting is not starting:  # something newer came
            return
        track_id, start_s = starting.track, starting.place_s
        old = self.sources.now
        left = None if old is None else old.track.id

        def plan(earliest_s: float, fade: float) -> tuple[float, float]:
            assert old is not None
            if leave_s is not None:
                return max(leave_s, earliest_s), fade
            return self._bar(old.track.id, earliest_s, fade) if on_bar else (earliest_s, fade)

        try:
            track = self._shelf.track(track_id)
            start_s = min(start_s, max(0.0, track.duration_s - 1.0))
            gain_db = self._shelf.gain(track_id) or 0.0
            off_vod = getattr(getattr(track, "rights", None), "vod_ok", None) is not True
            fade = self.options.fade_s if fade_s is None else fade_s
            if not back:
                self._remember(besides=track_id)
            sounding = await self.sources.play(track, start_s, gain_db, fade, off_vod, None if old is None else plan)
        except OvertakenError:
            return
        except ObsGoneError as error:
            if self.ready and self.starting is starting:  # OBS is there, and does not answer
                self.starting = None
            self._fail(str(error))  # else it is begun when OBS is back
            return
        except (UnknownTrackError, ObsError, OSError) as error:
            if self.starting is starting:
                self.starting = None
            self._auto.failed(track_id)
            self._fail(f"{track_id}: {error}" if isinstance(error, UnknownTrackError) else f"{_title(track)}: {error}")
            if self.sources.now is None:
                self._say(None)
            return
        if self.starting is starting:
            self.starting = None
        self.held = None
        self.rig.notes["play"] = ""
        items = (self.host.newest or {}).get("items") or () if self.host is not None else ()
        self.item = next((item for item in items if item["track"] == track_id), None)
        self._report()
        if left != track_id:
            await self._chapter(sounding)
        self.on_change()

    def _bar(self, track: str, earliest_s: float, fade_s: float) -> tuple[float, float]:
        """Where what sounds begins to fall, so that the new track is there on a bar; where bars are not known, at
        once."""
        with contextlib.suppress(UnknownTrackError):
            outline = self._shelf.outline(track)
            if outline is not None and len(outline.downbeats_s):
                bars = outline.downbeats_s
                later = bars[(bars >= earliest_s + SHORT_S) & (bars <= earliest_s + fade_s + BAR_S)]
                if len(later):
                    bar = float(later[0])
                    fade_s = min(fade_s, bar - earliest_s)
                    return bar - fade_s, fade_s
        return earliest_s, fade_s

    def _remember(self, besides: str = "") -> None:
        """Note what sounds or is held as something to go back to."""
        now = self.sources.now
        held = self.held if now is None else Held(now.track.id, now.place_s(self._clock()))
        if held is not None and held.track != besides:
            self.before.append(held)

    def _ended(self, last: Sounding) -> None:
        """What sounded has ended."""
        if not last.cut.piece.whole and last.place_s(self._clock()) > last.cut.piece.end_s - 1.0:
            self.begin(last.track.id, last.cut.piece.end_s, SHORT_S, back=True)
            return
        if self.host is None or not self._auto.ended(self.host, last.track.id):
            self._say(None)
        self.on_change()

    async def _tick(self) -> None:
        """What time brings, while OBS is connected."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                if self.starting is None:
                    self._auto.watch(self.host)
                now_s = self._clock()
                if self.sources.now is not None and now_s - self._checked_s >= CHECK_S:
                    self._checked_s = now_s
                    await self._look()
                if (
                    self.sources.now is not None
                    and not self.sources.now.paused
                    and now_s - self._reported_s >= REPORT_S
                ):
                    self._report()
            except ObsError as error:
                log.info("%s", error)
            except Exception:
                log.exception("OBS's music was not watched")

    async def _look(self) -> None:
        paused = self.sources.now is not None and self.sources.now.paused
        try:
            await self.sources.check()
        except ObsRequestError as error:
            now, client = self.sources.now, self.sources.client
            if error.code != NOT_FOUND or now is None or client is None:
                raise
            place_s = now.place_s(self._clock())
            await asyncio.to_thread(now.cut.fall, place_s + READ_AHEAD_S, SHORT_S)  # it may only have another name
            if self.sources.now is not now or self.starting is not None:  # something newer was asked for, and finds out
                return
            self.sources.stop()
            self.starting = again = Held(now.track.id, place_s)
            try:
                await self.rig.ensure(client)
            except BaseException:
                if self.starting is again and self.ready:
                    self.starting = None
                raise
            self.rig.notes["made"] = f"{now.source} was gone from OBS and was made again"
            if self.starting is again:  # nobody has asked for something else, or for silence
                self.begin(again.track, again.place_s, SHORT_S, back=True)
            self.on_change()
            return
        if self.sources.now is not None and self.sources.now.paused != paused:
            self._report()

    def _duck_by_hand(self, on: bool | None) -> None:
        self.duck.by_hand = on
        self._duck_changed()
        if (client := self.sources.client) is not None:
            self._spawn(self.rig.duck_in_obs(client, on is not False))

    def _duck_changed(self) -> None:
        target_db = self.duck.target_db(self._clock())
        if self.options.microphone and self.duck.by_hand is None:
            target_db = 0.0  # OBS does it
        if target_db != self.sources.media.fader.shared.get("duck", 0.0):
            self.sources.media.level("duck", target_db)
            self.on_change()

    async def _chapter(self, sounding: Sounding) -> None:
        """Mark the take in OBS's recording, where OBS can."""
        client = self.sources.client
        if client is not None and self._recording and "CreateRecordChapter" in client.available:
            with contextlib.suppress(ObsError):
                await client.request("CreateRecordChapter", {"chapterName": _title(sounding.track)})

    async def _remove(self) -> None:
        """Take everything of ours out of OBS; the next track puts it there again."""
        client, host = self.sources.client, self.host
        if client is not None:
            await self.sources.quiet()
            await self.rig.remove(client)
        if host is not None:
            host.send({"type": "player", "take": False})

    def _tell(self) -> None:
        """Tell the session how its player stands."""
        if self.sources.now is None and self.held is not None:
            self._say(self.held.track, self.held.place_s, True)
        elif self.sources.now is None:
            self._say(None)
        else:
            self._report()

    def _report(self) -> None:
        now = self.sources.now
        if now is not None:
            self._reported_s = self._clock()
            self._say(now.track.id, max(0.0, now.place_s(self._clock())), now.paused)

    def _say(self, track: str | None, place_s: float = 0.0, paused: bool = False) -> None:
        if self.host is None:
            return
        place = {} if track is None else {"position_s": place_s, "paused": paused}
        level_db = self.sources.media.fader.shared.get("music", 0.0)
        self.host.send({"type": "playing", "track": track, **place, "level_db": level_db})

    def _fail(self, text: str) -> None:
        log.warning("OBS does not play: %s", text)
        self.rig.notes["play"] = text
        self.on_change()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except ObsError as error:
                log.info("%s", error)
            except StreamError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("a part of OBS's music failed")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # of one that was cancelled before it began
        return task


def _title(track: Track) -> str:
    return f"{track.artist}: {track.title}" if track.artist else track.title
