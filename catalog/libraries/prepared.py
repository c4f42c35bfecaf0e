"""What a library says of a track, in one form whatever program wrote it.

All times are seconds of the program that wrote them, until ``delay.py`` has brought them to those of ``decode``: both
count from the first sample, but not all decoders drop an encoder's delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, Self

CueKind = Literal["hot", "memory", "main", "load", "intro", "outro", "loop"]
CUE_KINDS: Final = ("hot", "memory", "main", "load", "intro", "outro", "loop")
MAX_CUES: Final = 64  # of a track
MAX_TEMPI: Final = 20_000
MAX_BEATS: Final = 40_000
LEAST_BPM, MOST_BPM = 20.0, 500.0


@dataclass(frozen=True, slots=True)
class Cue:
    """A place that somebody marked; ``end_s`` of a loop, and where an intro or outro ends. An outro may have no begin:
    then ``begin_s`` is None."""

    kind: CueKind
    begin_s: float | None
    end_s: float | None = None
    name: str = ""

    def shifted(self, by_s: float) -> Self:
        return replace(
            self,
            begin_s=None if self.begin_s is None else self.begin_s + by_s,
            end_s=None if self.end_s is None else self.end_s + by_s,
        )


@dataclass(frozen=True, slots=True)
class Tempo:
    """From ``begin_s``, which is a beat, until the next one: beats at ``bpm``; ``beat`` counts the first from 1 to
    ``meter``, 0 where bars are not known."""

    begin_s: float
    bpm: float
    beat: int = 0
    meter: int = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """A track in a library. ``location``: as the library spells it; ``size`` of the file in bytes and ``length_s``: 0
    where not known; ``tempo_bpm`` 0, ``key`` empty, ``rating`` (1 to 5) None: not given. Beats are ``tempi``, or
    ``beats_s`` one by one. ``first_sound_s``: where the library's program heard the first sample of -60 dB."""

    location: str
    size: int = 0
    length_s: float = 0.0
    tempo_bpm: float = 0.0
    key: str = ""
    rating: int | None = None
    tempi: tuple[Tempo, ...] = ()
    beats_s: tuple[float, ...] = ()
    cues: tuple[Cue, ...] = ()
    playlists: tuple[str, ...] = ()
    first_sound_s: float | None = None

    def shifted(self, by_s: float) -> Self:
        """With all times later by ``by_s``."""
        return replace(
            self,
            tempi=tuple(replace(tempo, begin_s=tempo.begin_s + by_s) for tempo in self.tempi),
            beats_s=tuple(beat_s + by_s for beat_s in self.beats_s),
            cues=tuple(cue.shifted(by_s) for cue in self.cues),
        )


@dataclass(frozen=True, slots=True)
class Library:
    """A library's tracks. ``origin``: the program, as in ``catalog.notes.ORIGINS``; ``notes``: what was left out."""

    path: Path
    origin: str
    tracks: Sequence[Prepared]
    notes: list[str] = field(default_factory=list)
