"""The cues of one session, from its notices: a sink.

Taken is what ``Aired`` says: the server puts it the moment it has carried out a player's ``playing``, with the position
that the player sent. The lists would tell it up to a second later. A player repeats itself every few seconds: that is
no new cue, but a jump of more than ``playing.JUMP_S``, a pause and its end are.

*Bounds*: ``CUES`` cues a session; later ones are counted only. Texts are cut at ``model.TEXT_CHARACTERS``.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from stream.core.events import Accepted, Aired, End, Item, Notice, Opened, Reset, Scene, Suggestions

from .lines import VERSION, cue_object, moment_object, run_object
from .model import TAKEN_BACK, WHY_CHARACTERS, Cue, Moment, Session, bounded
from .playing import Playing
from .proposals import proposed, reasons
from .runs import Run, Runs
from .timecodes import Clock, no_timecodes
from .wishes import BACK, KINDS, Wishes

CUES: Final = 5000
ALIVE_S: Final = 10.0
ITEMS: Final = 256  # of lists, whose titles are remembered


class Keep(Protocol):
    """Takes the lines of a session (``lines``), and is told of its end; never blocks."""

    def __call__(self, value: dict[str, Any], end: bool = False) -> None: ...


def forget(value: dict[str, Any], end: bool = False) -> None:
    """Keep nothing."""


class CueLog:
    """``utc`` gives the time of day, ``clock`` seconds that never go back; ``media_s`` the media time now, by the
    session's driver (None: that of the newest list, for drivers that follow no clock). ``timecodes``: of OBS."""

    def __init__(
        self,
        id: str,
        utc: Callable[[], datetime],
        clock: Callable[[], float],
        *,
        media_s: Callable[[], float] | None = None,
        timecodes: Clock = no_timecodes,
        keep: Keep = forget,
        label: str = "",
    ) -> None:
        self._utc, self._clock, self._media_s, self._keep = utc, clock, media_s, keep
        self.timecodes = timecodes
        self._session = Session(id, _iso(utc()), label=bounded(label))
        self._cues: list[Cue] = []
        self._runs = Runs()
        self._wishes = Wishes()
        self._items: dict[str, Item] = {}
        self._proposal: tuple[int, str] | None = None  # cue, track
        self._playing: Playing | None = None
        self._rested = ""  # the track that is paused
        self._before_s = 0.0  # media time before the last reset
        self._newest_s = 0.0, clock()  # media time, and when it was read
        self._alive_s = 0.0
        self._begun = self.over = False  # ``over``: no further notice counts

    @property
    def session(self) -> Session:
        """The session so far; safe to read in another thread."""
        return replace(self._session, cues=tuple(self._cues), runs=tuple(self._runs.all))

    @property
    def empty(self) -> bool:
        """Whether nothing has come that is worth keeping."""
        return not self._begun

    def put(self, notice: Notice) -> None:
        """Take a notice; never blocks."""
        if self.over:
            return
        match notice:
            case Opened():
                self._session = replace(self._session, session=notice.session, label=bounded(notice.label))
            case Suggestions():
                self._listed(notice)
            case Aired():
                self._aired(notice)
            case Accepted(command="like" | "skip", track=str() as track):
                self._wished(notice.command, track)
            case Accepted() if notice.command in BACK:
                self._wishes.doubt(notice.command, notice.track, self._moment())
            case Scene():
                self._add("scene", self._moment(self._before_s + notice.pts_s))
            case Reset():
                self._restart()
            case End():
                self._end()

    def _listed(self, notice: Suggestions) -> None:
        if self._media_s is None:
            self._newest_s = notice.pts_s, self._clock()
        now = self._moment(self._before_s + notice.pts_s)
        self._begin()
        for item in notice.items:
            self._items.pop(item.track, None)
            self._items[item.track] = item
        while len(self._items) > ITEMS:
            del self._items[next(iter(self._items))]
        if notice.asked is not None:
            for number, since in self._wishes.settle(notice.asked):
                self._take_back(number, since)
        if not notice.stale:
            self._propose(proposed(notice), now)
        self._session = replace(self._session, last=now)
        if self._playing is not None and now.pts_s - self._alive_s >= ALIVE_S:
            self._alive_s = now.pts_s
            self._keep({"at": moment_object(now)})

    def _propose(self, item: Item | None, now: Moment) -> None:
        if self._proposal is not None and (item is None or item.track != self._proposal[1]):
            self._conclude("ignored", now)
        if item is not None and self._proposal is None:
            number = self._add("proposed", now, item.track, from_s=item.start_s)
            if number is not None:
                self._proposal = number, item.track

    def _conclude(self, outcome: str, now: Moment) -> None:
        assert self._proposal is not None
        self._close(self._proposal[0], now, outcome=outcome)
        self._proposal = None

    def _aired(self, notice: Aired) -> None:
        now = self._moment()
        track, playing = notice.track, self._playing
        if playing is not None:
            if track is not None and not notice.paused and playing.goes_on(track, notice.position_s, now.pts_s):
                return
            at_rest = notice.position_s if notice.paused and track == playing.track else None
            expected = playing.place_s(now.pts_s)
            near = at_rest is not None and (expected is None or abs(at_rest - expected) < ALIVE_S)
            self._close(playing.number, now, to_s=at_rest if near else expected, from_s=playing.first_s())
            self._playing = None
        before, self._rested = self._rested, track if track is not None and notice.paused else ""
        if track is None or notice.paused:
            return
        how = "jumped" if playing is not None and playing.track == track else "resumed" if before == track else ""
        number = self._add("taken", now, track, from_s=notice.position_s, how=how)
        if number is not None:
            self._playing = Playing(number, track, now.pts_s, now.pts_s, notice.position_s)
        if self._proposal is not None and self._proposal[1] == track:
            self._conclude("taken", now)

    def _wished(self, command: str, track: str) -> None:
        now, kind = self._moment(), KINDS[command]
        if command == "skip" or not self._wishes.stands(kind, track):
            number = self._add(kind, now, track)
            if number is not None:
                self._wishes.add(kind, track, number)
        if command == "skip" and self._proposal is not None and self._proposal[1] == track:
            self._conclude("skipped", now)

    def _take_back(self, number: int, since: Moment | None) -> None:
        if since is not None:
            return self._close(number, since, outcome=TAKEN_BACK)
        self._cues[number] = replace(self._cues[number], end=None, outcome="")  # it stands again
        return self._keep({"cue": cue_object(self._cues[number])})

    def _restart(self) -> None:
        """Media time begins anew at 0: it goes on here from the last time that was read."""
        media_s, read_s = self._newest_s
        passed_s = self._clock() - read_s if self._media_s is not None else 0.0
        self._before_s += media_s + passed_s
        self._newest_s = 0.0, self._clock()

    def _end(self) -> None:
        now, self.over = self._moment(), True
        self._media_s, self.timecodes = None, no_timecodes  # they would keep the driver
        if not self._begun:
            return
        if self._playing is not None:
            playing, self._playing = self._playing, None
            self._close(playing.number, now, to_s=playing.place_s(now.pts_s), from_s=playing.first_s())
        if self._proposal is not None:
            self._conclude("ignored", now)
        self._session = replace(self._session, last=now, ended=True)
        self._keep({"ended": moment_object(now), "left_out": self._session.left_out}, end=True)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            one = self._session
            self._keep({"v": VERSION, "id": one.id, "started": one.started, "session": one.session, "label": one.label})
            self._keep_runs(self._runs.all)

    def _add(
        self, kind: str, start: Moment, track: str = "", *, from_s: float | None = None, how: str = ""
    ) -> int | None:
        """The number of a new cue, None where there is no room for it."""
        self._begin()
        if len(self._cues) >= CUES:
            self._session = replace(self._session, left_out=self._session.left_out + 1)
            return None
        item = self._items.get(track)
        cue = Cue(len(self._cues), kind, start, track, from_s=_ms(from_s), how=how)
        if item is not None:
            texts = (item.title, item.artist, item.licence, item.attribution)
            title, artist, licence, attribution = map(bounded, texts)
            cue = replace(
                cue, title=title, artist=artist, licence=licence, attribution=attribution, score=round(item.score, 4),
                why=bounded(reasons(item), WHY_CHARACTERS),
            )  # fmt: skip
        self._cues.append(cue)
        self._session = replace(self._session, last=start)
        self._keep({"cue": cue_object(cue)})
        return cue.number

    def _close(
        self,
        number: int,
        end: Moment,
        *,
        to_s: float | None = None,
        from_s: float | None = None,
        outcome: str = "",
    ) -> None:
        cue = self._cues[number]
        begun = cue.from_s if from_s is None or cue.from_s is not None else max(0.0, from_s)
        self._cues[number] = cue = replace(cue, end=end, from_s=_ms(begun), to_s=_ms(to_s), outcome=outcome)
        fields = {"end": moment_object(end), "from_s": cue.from_s, "to_s": cue.to_s, "outcome": outcome}
        self._keep({"of": number, **fields})

    def _moment(self, pts_s: float | None = None) -> Moment:
        """Now by every clock; or another time of the session by the same distance from now."""
        if self._media_s is not None:
            self._newest_s = self._media_s(), self._clock()
        now_s, codes = self._before_s + self._newest_s[0], self.timecodes()
        changed = self._runs.look(codes, now_s, self._clock())
        if self._begun:
            self._keep_runs(changed)
        ago_s = 0.0 if pts_s is None else now_s - pts_s
        stream_s, record_s = (
            None if seconds is None else round(max(0.0, seconds - ago_s), 3)
            for seconds in (codes.stream_s, codes.record_s)
        )
        return Moment(round(now_s - ago_s, 3), _iso(self._utc() - timedelta(seconds=ago_s)), stream_s, record_s)

    def _keep_runs(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._keep({"run": run_object(run)})


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
