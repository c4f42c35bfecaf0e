"""OBS as a session's player, on the session's side: what viewers ask of it, Auto, and the rules of OBS's scenes. Its
side in OBS is `deck_in_obs`.

The deck serves one session at a time, that in which it has the player's role (`stream.server.player`); each session
offers it a seat (`seat`).

*Bounds*: ``MOST_BEFORE`` tracks to go back to.
"""

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from catalog.errors import UnknownTrackError
from catalog.records import Track

from .auto import Auto
from .cuts import Cuts
from .deck_in_obs import DeckInObs
from .deck_parts import DeckOptions, Held, Host, Shelf
from .ducking import Ducking
from .errands import Errands
from .errors import ObsError, ObsGoneError
from .leaving import SHORT_S, Item, before_bar, choose
from .rig import Rig
from .scene_rules import RuledScenes
from .sounding import OvertakenError, Sounding
from .sources import Sources

log = logging.getLogger(__name__)

NAME: Final = "OBS"
REPORT_S: Final = 5.0
MOST_BEFORE: Final = 20


class ObsDeck:
    """``in_obs`` is a part of an `ObsLink`. ``clock`` counts seconds and never goes back; ``kit`` gives the wishes of a
    kit by its name, in a thread (StreamError for one that is not there); ``on_change`` is called when `state` may have
    changed."""

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
        self.errands = Errands()
        self.ducking = Ducking(self.sources.media, self.rig, clock, self.errands, self.changed)
        self.in_obs = DeckInObs(self, self.rig, self.sources, self.ducking, clock, self.errands)
        self.host: Host | None = None
        self.held: Held | None = None
        self.before: deque[Held] = deque(maxlen=MOST_BEFORE)
        self.on_change = on_change
        self._shelf, self._clock = shelf, clock
        self._scenes = RuledScenes(self, options.rules, kit, self.errands.spawn)
        self._auto = Auto(self, clock)
        self.item: Item | None = None  # the suggestion that plays
        self.starting: Held | None = None  # what is being started
        self._reported_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether OBS is connected, and has what the music needs."""
        return self.in_obs.ready

    @property
    def state(self) -> dict[str, Any]:
        """Fields of `status.ObsStatus`."""
        now = self.sources.now
        return {
            "rule": self._scenes.rule.text,
            "plays": self.ready and self.host is not None and now is not None and not now.paused,
            "ducked_db": round(self.ducking.db, 1),
            "music": self.rig.note,
        }

    @property
    def plays(self) -> str | None:
        """The track that sounds, or is about to."""
        if self.starting is not None:
            return self.starting.track
        now = self.sources.now
        return None if now is None or now.paused else now.track.id

    # as OBS has it

    def go_on(self, kept: bool) -> None:
        """OBS is ready, and has ``kept`` on playing what sounded, or not: what is to sound goes on."""
        now, starting = self.sources.now, self.starting
        if kept:
            self.report()
        elif now is not None:
            self.sources.now = None
            starting = starting or Held(now.track.id, now.place_s(self._clock()))
        if starting is not None and self._scenes.silent:
            self.starting, self.held = None, starting
            self._scenes.keep(starting)
        elif starting is not None:
            self.begin(starting.track, starting.place_s, SHORT_S)

    def stand_still(self) -> None:
        """OBS is gone."""
        now = self.sources.now
        if now is not None:
            self._say(now.track.id, now.place_s(self._clock()), True)

    def watch(self) -> None:
        """Time passes, while OBS is ready."""
        if self.starting is None:
            self._auto.watch(self.host)
        now = self.sources.now
        if now is not None and not now.paused and self._clock() - self._reported_s >= REPORT_S:
            self.report()

    def changed(self) -> None:
        """`state` may be another one."""
        self.on_change()

    def enter(self, scene: str) -> None:
        """OBS has this scene on air: its rule counts."""
        if scene and self._scenes.enter(scene):
            self.on_change()

    async def close(self) -> None:
        """Fade out and let go of OBS; what stands there stays."""
        self.in_obs.stop()
        self.errands.cancel()
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
        self.ducking.session(None)
        self.ducking.by_hand(None)
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
                self.errands.spawn(self._remove())
            case "duck":
                self.ducking.by_hand(action.get("on"))

    def listed(self, host: Host) -> None:
        """A new list of suggestions came in a session."""
        if host is not self.host or host.newest is None:
            return
        self.ducking.session(host.newest.get("duck_db"))
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
        self.errands.spawn(self._start(starting, fade_s, on_bar, back, leave_s))

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
            self.fail(str(error))  # else it is begun when OBS is back
            return
        except (UnknownTrackError, ObsError, OSError) as error:
            if self.starting is starting:
                self.starting = None
            self._auto.failed(track_id)
            self.fail(f"{track_id}: {error}" if isinstance(error, UnknownTrackError) else f"{_title(track)}: {error}")
            if self.sources.now is None:
                self._say(None)
            return
        if self.starting is starting:
            self.starting = None
        self.held = None
        self.rig.notes["play"] = ""
        items = (self.host.newest or {}).get("items") or () if self.host is not None else ()
        self.item = next((item for item in items if item["track"] == track_id), None)
        self.report()
        if left != track_id:
            await self.in_obs.mark(_title(sounding.track))
        self.on_change()

    def _bar(self, track: str, earliest_s: float, fade_s: float) -> tuple[float, float]:
        """Where what sounds begins to fall, so that the new track is there on a bar; where bars are not known, at
        once."""
        outline = None
        with contextlib.suppress(UnknownTrackError):
            outline = self._shelf.outline(track)
        return (earliest_s, fade_s) if outline is None else before_bar(outline.downbeats_s, earliest_s, fade_s)

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

    async def _remove(self) -> None:
        """Take everything of ours out of OBS, and be no session's player any more."""
        host = self.host
        await self.in_obs.remove()
        if host is not None:
            host.send({"type": "player", "take": False})

    def _tell(self) -> None:
        """Tell the session how its player stands."""
        if self.sources.now is None and self.held is not None:
            self._say(self.held.track, self.held.place_s, True)
        elif self.sources.now is None:
            self._say(None)
        else:
            self.report()

    def report(self) -> None:
        """Tell the session where what sounds is."""
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

    def fail(self, text: str) -> None:
        """Say why OBS does not play."""
        log.warning("OBS does not play: %s", text)
        self.rig.notes["play"] = text
        self.on_change()


def _title(track: Track) -> str:
    return f"{track.artist}: {track.title}" if track.artist else track.title
