"""What is in a catalogue, in numbers."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .clips import CLIPS
from .database import DATABASE, readable
from .layout import read_layout
from .loading import everything
from .recordings import best_files
from .records import sings
from .store import Store


@dataclass(frozen=True, slots=True)
class Stats:
    """``tracks``: those that can be suggested, one a recording. ``licences`` and ``tags``: how many of
    these, the most frequent first; ``tempi`` in steps of 10, 0: no pulse."""

    bundle: str
    tracks: int
    copies: int  # tracks of recordings that are suggested from another file
    missing: int  # tracks whose files are not there
    damaged: int  # tracks that are left out since what is kept of them is damaged, see ``segue catalog verify``
    files: int
    segments: int
    hours: float
    database_bytes: int
    clip_bytes: int
    index_bytes: int
    licences: dict[str, int]
    tags: dict[str, int]
    tempi: dict[str, int]
    known: dict[str, int]  # of how many something is known


def stats(folder: Path) -> Stats:
    """Raises ``FormatError`` for a folder that is no catalogue."""
    layout = read_layout(folder)
    loaded = everything(folder, layout.embedding_dim)
    best = {stored.track.id: stored.track for stored in best_files(loaded.tracks).values()}
    with readable(folder), closing(Store(folder, write=False)) as store:
        files, missing = len(store.files()), len(store.ids()) - len(store.present())
    tracks = list(best.values())
    return Stats(
        bundle=layout.bundle_name,
        tracks=len(tracks),
        copies=len(loaded.tracks) - len(tracks),
        missing=missing,
        damaged=len(loaded.damaged),
        files=files,
        segments=int(loaded.segments.counts.sum()),
        hours=sum(track.duration_s for track in tracks) / 3600.0,
        database_bytes=_bytes(folder.glob(f"{DATABASE}*")),
        clip_bytes=_bytes((folder / CLIPS).glob("*")),
        index_bytes=_bytes((folder / "index").rglob("*")),
        licences=_counts(track.licence or "unknown" for track in tracks),
        tags=_counts(tag for track in tracks for tag in track.tags),
        tempi={f"{tempo}": n for tempo, n in sorted(Counter(int(t.tempo_bpm // 10 * 10) for t in tracks).items())},
        known={name: sum(map(known, tracks)) for name, known in _KNOWN.items()},
    )


_KNOWN = {
    "title": lambda track: bool(track.title),
    "artist": lambda track: bool(track.artist),
    "licence": lambda track: bool(track.licence),
    "tempo": lambda track: track.tempo_bpm > 0,
    "key": lambda track: bool(track.usual_key),
    "vocals": lambda track: sings(track) is not None,
    "moods": lambda track: bool(track.moods),
    "live_ok": lambda track: track.rights.live_ok is not None,
    "vod_ok": lambda track: track.rights.vod_ok is not None,
}


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
