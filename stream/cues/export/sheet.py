"""The cues of an export, placed on its timeline: what every format is made of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..known import Known, Lookup, complete
from ..model import Cue, Moment, Session
from ..runs import Run
from ..timecode import Rate, exactly
from .options import ExportOptions


@dataclass(frozen=True, slots=True)
class Span:
    """A cue on the timeline. ``begin_s``, ``end_s``: by the export's clock; ``begin``, ``end``: frames from the
    timeline's first one, at least one frame apart; ``source``: the frame of the track's sound with which it begins, of
    the file if ``known`` says where the track begins in it. ``is_music``: it was on air."""

    cue: Cue
    begin_s: Fraction
    end_s: Fraction
    begin: int
    end: int
    source: int
    known: Known

    @property
    def is_music(self) -> bool:
        return self.cue.kind == "taken"

    @property
    def label(self) -> str:
        """What to call it among cues of all kinds."""
        cue = self.cue
        return cue.words if self.is_music else f"{cue.name}: {cue.words}" if cue.track else cue.name

    @property
    def note(self) -> str:
        """Whom to credit, by which licence, and why it was proposed."""
        cue = self.cue
        return "; ".join(filter(None, (cue.attribution, cue.licence and f"licence {cue.licence}", cue.why)))

    @property
    def place(self) -> str:
        """Where the sound is; the title where nobody may know, or it is not in the catalogue."""
        return self.known.place or self.cue.words

    @property
    def seconds(self) -> Fraction:
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Sheet:
    """``length_s``: of what the clock counts, as far as it is known. ``left_out``: how many cues it does not have."""

    session: Session
    options: ExportOptions
    spans: Sequence[Span]
    length_s: Fraction
    left_out: int

    @property
    def title(self) -> str:
        return self.session.label or f"Segue {self.session.started[:16].replace('T', ' ')}"

    @property
    def music(self) -> list[Span]:
        return [span for span in self.spans if span.is_music]

    @property
    def marks(self) -> list[Span]:
        return [span for span in self.spans if not span.is_music]

    @property
    def frames(self) -> int:
        """The timeline's length."""
        return max([self.options.rate.frame(self.length_s), 1, *(span.end for span in self.spans)])

    @property
    def end_s(self) -> Fraction:
        return max([self.length_s, *(span.end_s for span in self.spans)])

    def timecode(self, frame: int) -> str:
        """The timecode of a frame of the timeline."""
        return self.options.rate.text(self.options.start + frame)


def make_sheet(session: Session, options: ExportOptions, look_up: Lookup) -> Sheet:
    """The cues that the options ask for, on a timeline; open ones end with the last known moment. By the clock of a
    stream or recording, music is what of it lies within: it may begin before and go on after it, and a pause cuts
    it in two."""
    whole = complete(session.closed(), look_up)
    chosen = whole.of(*options.names)
    known = {track: look_up(track) or Known() for track in {cue.track for cue in chosen if cue.track}}
    if options.clock == "pts":
        length_s = exactly(whole.length_s)
        placed = [_placed(cue, cue.start.pts_s, None if cue.end is None else cue.end.pts_s) for cue in chosen]
    else:
        runs = whole.runs_of(options.clock, options.take)
        length_s = exactly(max((run.end_at_s or run.at_s for run in runs), default=0.0))
        placed = [part for cue in chosen for part in _within(cue, runs)]
    spans = [_span(*part, options.rate, known.get(part[0].track) or Known()) for part in placed]
    left_out = len(chosen) - len({cue.number for cue, *_ in placed})
    return Sheet(whole, options, sorted(spans, key=_order), length_s, left_out)


def _order(span: Span) -> tuple[Fraction, int]:
    return span.begin_s, span.cue.number


def _placed(cue: Cue, begin_s: float, end_s: float | None) -> tuple[Cue, Fraction, Fraction]:
    begin = exactly(begin_s)
    return cue, begin, begin if end_s is None else max(begin, exactly(end_s))


def _within(cue: Cue, runs: Iterable[Run]) -> Iterator[tuple[Cue, Fraction, Fraction]]:
    """The parts of a cue that lie in the runs of an output, and where they stand in it."""
    start, end = cue.start, cue.end or cue.start
    for run in runs:
        over_s = run.end_pts_s if run.end_pts_s is not None else run.pts_s
        begin_s, end_s = max(start.pts_s, run.pts_s), min(end.pts_s, over_s)
        if begin_s > end_s or (begin_s == end_s and end.pts_s > start.pts_s):
            continue
        at = _place(run, start, begin_s), _place(run, end, end_s)
        part = cue
        if cue.kind == "taken" and cue.from_s is not None:
            from_s, to_s = (round(cue.from_s + pts_s - start.pts_s, 3) for pts_s in (begin_s, end_s))
            part = replace(cue, from_s=from_s, to_s=cue.to_s if end_s == end.pts_s else to_s)
        yield _placed(part, *at)


def _place(run: Run, moment: Moment, pts_s: float) -> float:
    """Where in an output ``pts_s`` is; as it was read at a ``moment`` that is meant."""
    read_s = moment.by(run.output) if moment.pts_s == pts_s else None
    end_s = run.at_s if run.end_at_s is None else run.end_at_s
    return min(end_s, max(run.at_s, run.at_s + pts_s - run.pts_s if read_s is None else read_s))


def _span(cue: Cue, begin_s: Fraction, end_s: Fraction, rate: Rate, known: Known) -> Span:
    begin = rate.frame(begin_s)
    end = max(begin + 1, rate.frame(end_s))
    source = rate.frame(exactly(known.begin_s) + exactly(cue.from_s or 0.0))
    return Span(cue, begin_s, end_s, begin, end, source, known)
