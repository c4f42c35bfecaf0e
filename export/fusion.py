"""Choose how much the imported part counts, on real videos with the music that somebody chose for them.

Each video is matched against the music of all videos and against further tracks. The figure of a video is the share of
the other tracks that its own track beats (the area under the ROC curve of one video). The chosen share has the best
mean over the videos. It is judged by leaving out each video in turn: chosen on the others, measured on that one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine
from features.errors import FeatureError

from .errors import ExportError
from .material import clips_of_music, clips_of_video, stack_features, windows

Floats = NDArray[np.float64]

SHARES: Final = tuple(round(0.1 * step, 1) for step in range(1, 10))
MOST_S: Final = 120  # of a file
FEWEST: Final = 4  # videos


@dataclass(frozen=True)
class Cosines:
    """Of every video (rows) with every track (columns), for our part and theirs. The videos' own tracks come first."""

    ours: Floats
    theirs: Floats

    def own(self, share: float) -> Floats:
        """(videos,): the share of the other tracks that a video's own track beats; a tie counts half."""
        mixed = (1.0 - share) * self.ours + share * self.theirs
        count = len(mixed)
        mine = mixed[np.arange(count), np.arange(count)][:, None]
        beaten = (mixed < mine).astype(float) + 0.5 * (mixed == mine)
        return np.asarray((beaten.sum(axis=1) - 0.5) / (mixed.shape[1] - 1))


@dataclass(frozen=True)
class ShareChoice:
    """``share``, and the mean figures of ours alone, of theirs alone, and of the shares chosen without each video."""

    share: float
    ours: float
    theirs: float
    left_out: float
    videos: int
    tracks: int

    def text(self) -> str:
        return (
            f"share {self.share:g} of the imported part, chosen on {self.videos} videos and {self.tracks} tracks; own "
            f"track beats others: ours {self.ours:.3f}, imported {self.theirs:.3f}, both {self.left_out:.3f} "
            "(each video left out in turn)"
        )


def choose_share(cosines: Cosines) -> ShareChoice:
    """Raises ``ExportError`` for fewer than 4 videos."""
    videos, tracks = cosines.ours.shape
    if videos < FEWEST:
        raise ExportError(f"pairs: {videos} videos with music, at least {FEWEST} are needed; add some, or give --share")
    table = np.stack([cosines.own(share) for share in SHARES])  # (shares, videos)
    held_out = [table[_best(np.delete(table, video, axis=1)), video] for video in range(videos)]
    return ShareChoice(
        share=SHARES[_best(table)],
        ours=float(cosines.own(0.0).mean()),
        theirs=float(cosines.own(1.0).mean()),
        left_out=float(np.mean(held_out)),
        videos=videos,
        tracks=tracks,
    )


def _best(table: Floats) -> int:
    """The share with the highest mean; of several the middle one."""
    means = table.mean(axis=1)
    ties = np.flatnonzero(means >= means.max() - 1e-9)
    return int(ties[len(ties) // 2])


def measure_pairs(
    bundle: Bundle,
    share: float,
    videos: Sequence[Path],
    tracks: Sequence[Path],
    progress: Callable[[str], None] = lambda step: None,
) -> Cosines:
    """``bundle``: what ``write_imported`` wrote with ``share``; its training record holds the base's width.

    Files that cannot be used, and videos shorter than a clip, are left out; ``progress`` gets the reason.
    """
    width = bundle.manifest.embedding_dim - bundle.manifest.training["imported"]["width"]
    engine = OnnxEngine(bundle)
    try:
        by_video, by_track = [], []
        for path in videos:
            progress(f"looking at and listening to {path.name}")
            video = _embed_windows(engine, "video", path, progress)
            music = _embed_windows(engine, "music", path, progress)
            if video is not None and music is not None:
                by_video.append(video)
                by_track.append(music)
        for path in tracks:
            progress(f"listening to {path.name}")
            music = _embed_windows(engine, "music", path, progress)
            if music is not None:
                by_track.append(music)
    finally:
        engine.close()
    scaled = [(slice(None, width), 1.0 - share), (slice(width, None), share)]
    parts = [
        np.array([[float((v[:, part] @ m[:, part].T).max(axis=1).mean()) / weight for m in by_track] for v in by_video])
        for part, weight in scaled
    ]
    return Cosines(*(part.reshape(len(by_video), len(by_track)) for part in parts))


def _embed_windows(engine: OnnxEngine, side: str, path: Path, progress: Callable[[str], None]) -> Floats | None:
    """(windows, E), or None for a file that cannot be used."""
    bundle = engine.bundle
    clip, sequence = bundle.features_of(f"{side}_clip"), bundle.features_of(f"{side}_sequence")
    read = clips_of_video if side == "video" else clips_of_music
    try:
        clips = read(path, (*clip, *sequence), MOST_S)
    except FeatureError as error:
        progress(f"{path.name} is left out: {error}")
        return None
    if not clips:
        progress(f"{path.name} is left out: it is shorter than a clip")
        return None
    vectors = np.concatenate(
        [engine.run(f"{side}_clip", stack_features([features], clip))["embedding"] for features in clips]
    )
    outputs = engine.run(f"{side}_sequence", windows(vectors, clips, sequence))
    return np.asarray(outputs["embedding"], np.float64)
