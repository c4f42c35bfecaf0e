"""The cues of an export, placed on its timeline: what every format is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..known import Known, Lookup, complete
from ..model import Cue, Session
from ..timecode import exactly
from .options import ExportOptions

MARKER_FRAMES = 1


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
    def place(self) -> str:
        """Where the sound is; the title where nobody may know, or it is not in the catalogue."""
        return self.known.place or self.cue.words

    @property
    def seconds(self) -> Fraction:
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Sheet:
    """``left_out``: cues without a time by the clock."""

    session: Session
    options: ExportOptions
    spans: Sequence[Span]
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
        length = self.options.rate.frame(exactly(self.session.length_s)) if self.options.clock == "pts" else 0
        return max([length, 1, *(span.end for span in self.spans)])

    @property
    def end_s(self) -> Fraction:
        length = exactly(self.session.length_s) if self.options.clock == "pts" else Fraction(0)
        return max([length, *(span.end_s for span in self.spans)])

    def timecode(self, frame: int) -> str:
        """The timecode of a frame of the timeline."""
        return self.options.rate.text(self.options.start + frame)


def make_sheet(session: Session, options: ExportOptions, look_up: Lookup) -> Sheet:
    """The cues that the options ask for, on a timeline; open ones end with the last known moment."""
    whole = complete(session.closed(), look_up)
    chosen = whole.of(*options.names)
    placed = [cue for cue in chosen if cue.start.by(options.clock) is not None]
    known = {track: look_up(track) or Known() for track in {cue.track for cue in placed if cue.track}}
    spans = sorted((_span(cue, options, known.get(cue.track) or Known()) for cue in placed), key=_order)
    return Sheet(whole, options, spans, len(chosen) - len(placed))


def _order(span: Span) -> tuple[Fraction, int]:
    return span.begin_s, span.cue.number


def _span(cue: Cue, options: ExportOptions, known: Known) -> Span:
    rate, clock = options.rate, options.clock
    begin_s = exactly(cue.start.by(clock) or 0.0)
    ended = None if cue.end is None else cue.end.by(clock)
    if ended is None and cue.end is not None:  # the stream or recording stopped before the music did
        ended = float(begin_s) + cue.end.pts_s - cue.start.pts_s
    end_s = begin_s if ended is None else max(begin_s, exactly(ended))
    begin = rate.frame(begin_s)
    end = max(begin + 1, rate.frame(end_s))
    source = rate.frame(exactly(known.begin_s) + exactly(cue.from_s or 0.0))
    return Span(cue, begin_s, end_s, begin, end, source, known)
