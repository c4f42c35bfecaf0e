"""Which file of a recording is suggested where several hold it."""

from collections.abc import Iterable

from .stored import StoredTrack


def best_files(tracks: Iterable[StoredTrack]) -> dict[str, StoredTrack]:
    """Each id -> the track that stands for its recording: lossless before lossy, longer before shorter."""
    best: dict[str, StoredTrack] = {}
    tracks = list(tracks)
    for stored in tracks:
        rival = best.get(stored.recording)
        if rival is None or _worth(stored) > _worth(rival):
            best[stored.recording] = stored
    return {stored.track.id: best[stored.recording] for stored in tracks}


def _worth(stored: StoredTrack) -> tuple[bool, float]:
    return stored.lossless, stored.track.duration_s
