"""The records of a track, of a search's filters and of its results.

*Conventions*: times in seconds, tempi in beats per minute; C, E and 7 as in the bundle (clip width, embedding width,
clips in a window). Clips stand oldest first, the valid ones first, zeros behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.spec import MOOD_AXES

from .circle import mixes
from .licence import marks, matches
from .rights import NOTHING_SAID, Rights, credit
from .vocal_tags import tells_of_vocals

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

JINGLE_S: Final = 20.0
VOCAL_SHARE: Final = 0.15  # of a track: less may be a voice-like instrument
# Marks a field that a record did not have from the beginning. As long as it has its default, a hash of the record, and
# what is kept of it, are as they were without it (``stream.recording.values``): so recordings stay of use.
LATER: Final[MappingProxyType[str, Any]] = MappingProxyType({"later": True})
# The same of a field that is measured: tracks get a value as soon as they are analysed again. No hash counts it.
MEASURED_LATER: Final[MappingProxyType[str, Any]] = MappingProxyType({"later": True, "measured": True})
KEY_SURE: Final = 0.5  # confidence from which on a measured key counts where nobody says the key
LEANS: Final = (*MOOD_AXES, "tempo")  # the ways in which a search may lean


@dataclass(frozen=True, slots=True)
class Track:
    """One piece of music: the part of the file ``path`` from ``begin_s`` to ``end_s``, which is mostly the whole file.

    ``id`` is of the sound: see ``identity.py``. Every other time of a track (``duration_s``, its beats, a candidate's
    ``start_s``) counts from ``begin_s``: to play or cut the file, add ``begin_s`` and stop at ``end_s``. Both count
    as ``features.decode.sound.decode`` does, in a player's time.
    """

    id: str
    title: str
    artist: str  # empty where the file does not say
    path: Path
    duration_s: float
    tempo_bpm: float  # 0 where no pulse was detected
    licence: str  # empty where the file does not say
    tags: tuple[str, ...]  # genres and the like, as the file spells them
    begin_s: float = 0.0
    end_s: float | None = None  # None: the file's end
    tagged_lufs: float | None = None  # the loudness that its tags imply (ReplayGain, R128_TRACK_GAIN); shown, not used
    tagged_peak_db: float | None = None
    vocals: float | None = None  # [0, 1]: how much of it is sung or spoken; None where it was not measured
    rights: Rights = field(default=NOTHING_SAID, metadata=LATER)
    moods: tuple[str, ...] = field(default=(), metadata=LATER)  # words of people or tags, not what was measured
    sung: bool | None = field(default=None, metadata=LATER)  # whether anybody sings, as a user says: counts first
    key: str = field(default="", metadata=LATER)  # as ``libraries.keys`` spells them; empty: nobody says
    rating: int | None = field(default=None, metadata=LATER)  # stars, 1 to 5, of a user's library
    playlists: tuple[str, ...] = field(default=(), metadata=LATER)  # names of those that it is in
    # The key that was measured, spelled as ``key``, empty where it is not known, and how sure that is, [0, 1].
    heard_key: str = field(default="", metadata=MEASURED_LATER, compare=False)
    key_confidence: float = field(default=0.0, metadata=MEASURED_LATER, compare=False)
    energy: float | None = field(default=None, metadata=MEASURED_LATER, compare=False)  # [0, 1], see ``energy.py``

    @property
    def usual_key(self) -> str:
        """The key as somebody says, else as measured, if that is sure enough; else empty."""
        return self.key or (self.heard_key if self.key_confidence >= KEY_SURE else "")

    hidden: bool = field(default=False, metadata=LATER)  # a user wants it left out of every search

    @property
    def attribution(self) -> str:
        """The line to credit it with; empty where too little is known."""
        return credit(self.title, self.artist, self.licence, self.rights)

    @property
    def marks(self) -> tuple[str, ...]:
        """What to warn of in its licence, see ``licence.marks``."""
        return marks(self.licence)


@dataclass(frozen=True, slots=True)
class Loop:
    """A player that reaches ``to_s`` may go back to ``from_s``: the two bars that follow are alike. Both are on a bar
    line, or on a beat where bars are not known."""

    from_s: float
    to_s: float
    likeness: float  # [0, 1]


@dataclass(frozen=True, slots=True)
class TrackKey:
    """A key that was measured: as ``libraries.keys`` spells it; how sure that is, [0, 1]; the tuning in cents above
    A = 440 Hz."""

    name: str
    confidence: float
    tuning_cents: float


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The course of a track: how loud it is and where, and where its parts begin. Loudness as in EBU R 128, of the
    file's own channels."""

    lufs: float  # integrated; -inf where nothing is louder than -70
    range_lu: float
    true_peak_db: float  # dBTP
    loudness: Floats  # (ceil(duration_s),) LUFS of each second, at least -120
    peaks: NDArray[np.uint8]  # (n,) of a waveform to draw, evenly spaced over the track, 255 full scale
    music_s: tuple[tuple[float, float], ...]  # stretches of music between silences, rising, at least one
    intro_s: float  # where the intro is over, of the longest stretch
    outro_s: float  # where the outro (a fade, the last soft bars) begins, of the longest stretch
    sections_s: Floats  # (m,) where sections begin, rising
    downbeats_s: Floats  # (m,) rising; empty where they are not known with confidence
    loops: tuple[Loop, ...]  # the best first
    tempi: tuple[tuple[float, float], ...] = ()  # other possible tempi: beats per minute, weight
    onsets: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))  # (ceil(duration_s),) each second
    vocals: NDArray[np.uint8] | None = None  # (ceil(duration_s),) percent of each second that is sung or spoken
    key: TrackKey | None = field(default=None, metadata=MEASURED_LATER)  # None: not measured, or nothing has a pitch


@dataclass(slots=True, eq=False)
class Places:
    """Where a track may be started: (m,) each, in rising time, m at least 1. Music plays there and goes on.

    Never changed, as `Candidate`."""

    starts_s: Floats  # on a downbeat where they are known, else on a beat
    fits: Floats  # cosine of the query and the segment that begins there, with the search's lean added
    borders: Floats  # [0, 1]: how surely a section begins there


@dataclass(slots=True, eq=False)
class Candidate:
    """A track for a query: how well its best segment fits, and what ranking needs of the segment that would play.

    Never changed. It is not frozen because a frozen one takes three times as long to make, and a hop makes dozens."""

    track: Track
    start_s: float  # the best of ``places``
    similarity: float  # cosine of query and the best segment, wherever it begins, [-1, 1]
    clips: Floats  # (7, C) clip embeddings of the segment at ``start_s``; the next three are of it as well
    mask: Mask  # (7,), true where a clip is valid
    rhythm: Floats  # (7, 3), the fields of features.spec.RHYTHM_FIELDS
    mood: Floats | None  # (3,) in [0, 1], features.spec.MOOD_AXES; None where the bundle has no mood graph
    extras: Mapping[str, Floats] = field(default_factory=dict)  # (7, ...) further features that the matcher takes
    places: Places | None = None  # None: only ``start_s`` is known
    outline: Outline | None = None
    gain_db: float | None = None  # brings it to the catalogue's common loudness
    # (4,) in [-1, 1], ``LEANS``: where it stands among the catalogue's segments; 0 in the middle, or not known
    standing: Floats = field(default_factory=lambda: np.zeros(len(LEANS), np.float32))
    zscore: float | None = None  # the similarity of ``similarity``, standardised over real footage; None: not known


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The analysis of one track: n clips, k segments. All arrays float32 but ``first_clips`` (int64)."""

    duration_s: float
    tempo_bpm: float  # 0 where no pulse was detected
    beats: Floats  # (m,) seconds, rising
    clips: Floats  # (n, C) clip embeddings
    rhythm: Floats  # (n, 3)
    first_clips: NDArray[np.int64]  # (k,) the clip that each segment begins with
    starts_s: Floats  # (k,) where to start playing each segment; NaN for no start, see ``starts.py``
    vectors: Floats  # (k, E), unit norm
    moods: Floats | None  # (k, 3) in [0, 1]
    extras: Mapping[str, Floats] = field(default_factory=dict)  # (n, ...) what the catalogue keeps beside
    borders: Floats | None = None  # (k,) in [0, 1]: how surely a section begins at each start; None: at none
    outline: Outline | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tracks may be suggested; the default lets everything pass. Words are compared without regard to case."""

    min_bpm: float | None = None
    max_bpm: float | None = None
    licences: frozenset[str] = field(default_factory=frozenset)  # any of these, see ``licence.matches``; empty: any
    tags: frozenset[str] = field(default_factory=frozenset)  # at least one of these; empty: any tags
    exclude: frozenset[str] = field(default_factory=frozenset)  # track ids never to return
    only: frozenset[str] | None = None  # the only track ids to return; None: all
    min_duration_s: float = 0.0
    # Tracks under ``JINGLE_S`` too. Where ``only`` names them, or nothing else passes, they count anyway.
    jingles: bool = False
    instrumental: bool = False  # only what nobody sings or speaks in, as far as is known
    live_ok: bool = field(default=False, metadata=LATER)  # only what is said to be allowed in a live stream
    vod_ok: bool = field(default=False, metadata=LATER)  # only what is said to be allowed in a published recording
    moods: frozenset[str] = field(default_factory=frozenset, metadata=LATER)  # at least one of these; empty: any
    playlists: frozenset[str] = field(default_factory=frozenset, metadata=LATER)  # in any of these; empty: any
    # In any of these keys (``libraries.keys.KEYS``), or with ``near_keys`` also in one that mixes with them: the
    # relative key, and a fifth up or down. A track whose key is not known fails. Empty: any.
    keys: frozenset[str] = field(default_factory=frozenset, metadata=LATER)
    near_keys: bool = field(default=False, metadata=LATER)
    min_energy: float | None = field(default=None, metadata=LATER)  # [0, 1]; a track whose energy is not known fails
    max_energy: float | None = field(default=None, metadata=LATER)

    def passes(self, track: Track) -> bool:
        """Whether ``track`` may be suggested, apart from ``jingles``, which depends on the other tracks. A track
        without a pulse fails any tempo limit."""
        if track.id in self.exclude or (self.only is not None and track.id not in self.only):
            return False
        if track.duration_s < self.min_duration_s or (self.instrumental and is_vocal(track)):
            return False
        if self.min_bpm is not None or self.max_bpm is not None:
            low, high = self.min_bpm or 0.0, float("inf") if self.max_bpm is None else self.max_bpm
            if track.tempo_bpm <= 0 or not low <= track.tempo_bpm <= high:
                return False
        if self.keys and not mixes(track.usual_key, self.keys, self.near_keys):
            return False
        if self.min_energy is not None or self.max_energy is not None:
            low, high = self.min_energy or 0.0, 1.0 if self.max_energy is None else self.max_energy
            if track.energy is None or not low <= track.energy <= high:
                return False
        if self.licences and not any(matches(requested, track.licence) for requested in self.licences):
            return False
        if (self.live_ok and not track.rights.live_ok) or (self.vod_ok and not track.rights.vod_ok):
            return False
        wanted = ((self.tags, track.tags), (self.moods, track.moods), (self.playlists, track.playlists))
        return all(not words or not _casefold(words).isdisjoint(_casefold(own)) for words, own in wanted)


def is_vocal(track: Track) -> bool:
    """Whether somebody sings or speaks in a track: as the user says, else as measured, else by its tags."""
    if track.sung is not None:
        return track.sung
    return tells_of_vocals(track.tags) if track.vocals is None else track.vocals >= VOCAL_SHARE


def sings(track: Track) -> bool | None:
    """The same, but None where nobody says so and nothing was measured."""
    vocal = is_vocal(track)
    return vocal if vocal or track.sung is not None or track.vocals is not None else None


def _casefold(words: frozenset[str] | tuple[str, ...]) -> set[str]:
    return {word.casefold() for word in words}
