"""What the catalogue knows of a cue's track when the cues are exported: its file, and what the list did not say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from catalog.errors import UnknownTrackError
from catalog.records import Track, is_vocal

from .model import Session, bounded

VOCAL: Final = "vocal"
INSTRUMENTAL: Final = "instrumental"


@dataclass(frozen=True, slots=True)
class Known:
    """``place``: a path or an address under which other programs find the sound, empty where it must not be told.
    ``begin_s``: where the track begins in that file, ``duration_s`` its length from there."""

    place: str = ""
    begin_s: float = 0.0
    duration_s: float = 0.0
    title: str = ""
    artist: str = ""
    licence: str = ""
    attribution: str = ""
    usage: str = ""  # VOCAL or INSTRUMENTAL, empty where it is not known
    source: str = ""
    live_ok: bool | None = None  # as ``catalog.rights`` has them
    vod_ok: bool | None = None


Lookup = Callable[[str], Known | None]


class Shelf(Protocol):
    """The part of a ``Catalog`` that is needed."""

    def track(self, id: str) -> Track: ...


def of_catalog(shelf: Shelf, place: Callable[[Track], tuple[str, float]]) -> Lookup:
    """``place``: where other programs find a track's sound, and where in it the track begins."""

    def look_up(id: str) -> Known | None:
        try:
            track = shelf.track(id)
        except UnknownTrackError:
            return None
        where, begin_s = place(track)
        measured = track.vocals is not None or is_vocal(track)
        usage = (VOCAL if is_vocal(track) else INSTRUMENTAL) if measured else ""
        said = (track.title, track.artist, track.licence, track.attribution, track.rights.source)
        title, artist, licence, attribution, source = map(bounded, said)
        return Known(
            where, begin_s, track.duration_s, title, artist, licence, attribution, usage, source, track.rights.live_ok,
            track.rights.vod_ok,
        )  # fmt: skip

    return look_up


def in_files(track: Track) -> tuple[str, float]:
    """The place of a track on this machine."""
    return str(track.path), track.begin_s


def nothing(id: str) -> Known | None:
    """Without a catalogue."""
    return None


def complete(session: Session, look_up: Lookup) -> Session:
    """The session with titles, artists, licences and credits where the lists did not bring them."""
    cues, seen = [], dict[str, Known | None]()
    for cue in session.cues:
        if cue.track and cue.track not in seen:
            seen[cue.track] = look_up(cue.track)
        known = seen.get(cue.track)
        if known is not None:
            cue = replace(
                cue, title=cue.title or known.title, artist=cue.artist or known.artist,
                licence=cue.licence or known.licence, attribution=cue.attribution or known.attribution,
            )  # fmt: skip
        cues.append(cue)
    return replace(session, cues=tuple(cues))
