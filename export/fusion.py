"""How much the imported part counts: chosen on real videos with the music that somebody chose for them.

Every video asks for its own music among that of all the others and of tracks beside. The figure of a video is the share
of the other tracks that its own one beats (the area under the ROC curve of one video). A share is chosen as the best in
the mean over the videos, and judged by leaving each video out in turn: chosen on the others, measured on it.
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
from .material import clips_of_music, clips_of_video, stacked, windows

Floats = NDArray[np.float64]

SHARES: Final = tuple(round(0.1 * step, 1) for step in range(1, 10))
MOST_S: Final = 120  # of a file
FEWEST: Final = 4  # videos


@dataclass(frozen=True)
class Cosines:
    """Of every video (rows) with every track (columns), the first of which are the videos' own: ours and theirs."""

    ours: Floats
    theirs: Floats

    def own(self, share: float) -> Floats:
        """(videos,): the share of the other tracks that a video's own one beats, ties by half."""
        mixed = (1.0 - share) * self.ours + share * self.theirs
        count = len(mixed)
        mine = mixed[np.arange(count), np.arange(count)][:, None]
        beaten = (mixed < mine).astype(float) + 0.5 * (mixed == mine)
        return np.asarray((beaten.sum(axis=1) - 0.5) / (mixed.shape[1] - 1))


@dataclass(frozen=True)
class Chosen:
    """``share``; then the mean figure of ours alone, theirs alone, and of the shares chosen without each video."""

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


def choose_share(cosines: Cosines) -> Chosen:
    """Raises ``ExportError`` for fewer than 4 videos."""
    videos, tracks = cosines.ours.shape
    if videos < FEWEST:
        raise ExportError(f"pairs: {videos} videos with music, at least {FEWEST} are needed; add some, or give --share")
    table = np.stack([cosines.own(share) for share in SHARES])  # (shares, videos)
    kept = [table[_best(np.delete(table, video, axis=1)), video] for video in range(videos)]
    return Chosen(
        share=SHARES[_best(table)],
        ours=float(cosines.own(0.0).mean()),
        theirs=float(cosines.own(1.0).mean()),
        left_out=float(np.mean(kept)),
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
    """With ``bundle`` as ``write_imported`` made it with ``share``; its base's width is in its training record.

    Files that cannot be used, and videos of less than a clip, are left out; ``progress`` hears why.
    """
    width = bundle.manifest.embedding_dim - bundle.manifest.training["imported"]["width"]
    engine = OnnxEngine(bundle)
    try:
        seen, own = [], []
        for path in videos:
            progress(f"looking at and listening to {path.name}")
            video, music = _told(engine, "video", path, progress), _told(engine, "music", path, progress)
            if video is not None and music is not None:
                seen.append(video)
                own.append(music)
        for path in tracks:
            progress(f"listening to {path.name}")
            music = _told(engine, "music", path, progress)
            if music is not None:
                own.append(music)
    finally:
        engine.close()
    scaled = [(slice(None, width), 1.0 - share), (slice(width, None), share)]
    parts = [
        np.array([[float((v[:, part] @ m[:, part].T).max(axis=1).mean()) / weight for m in own] for v in seen])
        for part, weight in scaled
    ]
    return Cosines(*(part.reshape(len(seen), len(own)) for part in parts))


def _told(engine: OnnxEngine, side: str, path: Path, progress: Callable[[str], None]) -> Floats | None:
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
    vectors = np.concatenate([engine.run(f"{side}_clip", stacked([each], clip))["embedding"] for each in clips])
    made = engine.run(f"{side}_sequence", windows(vectors, clips, sequence))
    return np.asarray(made["embedding"], np.float64)
