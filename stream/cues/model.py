"""Cues, and the session that they belong to.

*Conventions*: seconds; ``pts_s`` is media time since the session's first frame, running on over a ``reset``; positions
in a track count from where the track begins.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from .runs import OUTPUTS, Run

KINDS: Final = ("taken", "proposed", "liked", "skipped", "scene")
OUTCOMES: Final = ("taken", "ignored", "skipped")
TAKEN_BACK: Final = "taken back"  # the outcome of a like or skip that does not stand any more
NAMED: Final = ("taken", "proposed", "ignored", "liked", "skipped", "scene")  # what an export may hold
TEXT_CHARACTERS: Final = 500
WHY_CHARACTERS: Final = 1000


def bounded(text: str, most: int = TEXT_CHARACTERS) -> str:
    """A text as cues hold it: cut, and half of a surrogate pair, from a file's name, is a question mark."""
    return text[:most].encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment by every clock. ``wall``: UTC as ISO 8601 with milliseconds; ``stream_s``, ``record_s``: of OBS's
    stream and recording, None where they did not run."""

    pts_s: float
    wall: str
    stream_s: float | None = None
    record_s: float | None = None

    def by(self, clock: str) -> float | None:
        """Seconds by one of ``export.options.CLOCKS``."""
        seconds = {"pts": self.pts_s, "stream": self.stream_s, "record": self.record_s}[clock]
        return None if seconds is None else float(seconds)


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing that happened, of ``KINDS``.

    ``taken``: the track was on air from ``start`` to ``end`` without a break, from ``from_s`` to ``to_s`` of the track;
    a pause or a jump ends it, and ``how`` says of the next one "resumed" or "jumped". ``proposed``: it stood first, or
    the advice was to switch to it, from ``start`` to ``end``, to be started at ``from_s``; ``outcome`` is one of
    ``OUTCOMES``, empty while it stands. The others have no end, but for a wish that was ``TAKEN_BACK``. ``score`` and
    ``why`` are those of the newest list.
    """

    number: int
    kind: str
    start: Moment
    track: str = ""
    title: str = ""
    artist: str = ""
    licence: str = ""
    attribution: str = ""
    from_s: float | None = None
    to_s: float | None = None
    score: float | None = None
    why: str = ""
    how: str = ""
    outcome: str = ""
    end: Moment | None = None

    @property
    def name(self) -> str:
        """The word for it in ``NAMED``."""
        return "ignored" if self.kind == "proposed" and self.outcome in ("ignored", "skipped") else self.kind

    @property
    def stands(self) -> bool:
        """False for a wish that was taken back."""
        return self.outcome != TAKEN_BACK

    @property
    def words(self) -> str:
        """Title and artist in one line; the id of a track that nothing is known of."""
        return " - ".join(filter(None, (self.artist, self.title))) or self.track or self.kind


@dataclass(frozen=True, slots=True)
class Session:
    """A session and its cues in the order of their beginnings. ``id`` names it among the kept ones, ``session`` is what
    viewers knew it by. ``ended``: None while it runs, or where its program was killed; ``last`` is the newest moment
    that is known."""

    id: str
    started: str
    session: str = ""
    label: str = ""
    cues: tuple[Cue, ...] = ()
    runs: tuple[Run, ...] = ()  # of OBS's stream and recording
    last: Moment | None = None
    ended: bool = False
    left_out: int = 0  # cues beyond the bound

    @property
    def length_s(self) -> float:
        """Media time from the first frame to the last known moment."""
        moments = [self.last, *(moment for cue in self.cues for moment in (cue.start, cue.end))]
        return max((moment.pts_s for moment in moments if moment is not None), default=0.0)

    def of(self, *names: str) -> list[Cue]:
        """The cues that go by these words of ``NAMED``, without wishes that were taken back; all proposals go by
        "proposed"."""
        return [cue for cue in self.cues if cue.stands and (cue.name in names or cue.kind in names)]

    @property
    def clocks(self) -> list[str]:
        """What its cues can be placed by: media time, and each stream and recording of OBS; with its number where there
        was more than one."""
        found = ["pts"]
        for output in OUTPUTS:
            takes = sorted({run.take for run in self.runs if run.output == output})
            found += [output] if len(takes) == 1 else [f"{output}-{take}" for take in takes]
        return found

    def runs_of(self, output: str, take: int | None) -> list[Run]:
        """Those of one stream or recording; of the newest one for None."""
        runs = [run for run in self.runs if run.output == output]
        wanted = max((run.take for run in runs), default=None) if take is None else take
        return [run for run in runs if run.take == wanted]

    def closed(self) -> "Session":
        """Everything with an end: what was open ends with the last known moment."""
        last = self.last
        if last is None:
            return self
        cues = tuple(_closed(cue, last) for cue in self.cues)
        return replace(self, cues=cues, runs=tuple(run.closed(last.pts_s) for run in self.runs))

    def summary(self) -> dict[str, Any]:
        """What a list of sessions shows of it."""
        counts = {kind: len(self.of(kind)) for kind in KINDS}
        return {
            "id": self.id, "session": self.session, "label": self.label, "started": self.started,
            "length_s": round(self.length_s, 3), "ended": self.ended, **counts,
        }  # fmt: skip


def _closed(cue: Cue, last: Moment) -> Cue:
    if cue.end is not None or cue.kind not in ("taken", "proposed"):
        return cue
    end = last if last.pts_s >= cue.start.pts_s else cue.start
    to_s = cue.to_s
    if to_s is None and cue.kind == "taken" and cue.from_s is not None:
        to_s = round(cue.from_s + end.pts_s - cue.start.pts_s, 3)
    return replace(cue, end=end, to_s=to_s)
