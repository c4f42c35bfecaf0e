"""EmoMV's features measured again, from its videos, by the networks that also measure a live stream.

``OUT`` has the layout of the release, so heads can be trained on it in the same way. The features of each file are
saved at once (``clips/NAME.video.npy``, ``.music.npy``), and a second run continues after them.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from features.errors import FeatureError
from towers.corpora.emomv import GALLERY, GALLERY_LABELS, LABELS, MUSIC, PAIR, TRAIN, VAL, VIDEO, read_rows

from .errors import ExportError
from .imports import Progress
from .material import clips_of_music, clips_of_video

SET: Final = "DS3"  # EmoMV-C
MOST_S: Final = 30  # of a file: the release's pieces are as long
ENDINGS: Final = (".mp4", ".mkv", ".webm", ".mov", ".avi")
COLUMNS: Final = {TRAIN: 7, VAL: 7, GALLERY: 4}

Read = Callable[[Path, Sequence[str], int], list[dict[str, NDArray[Any]]]]


def write_features(
    data: Path, videos: Path, out: Path, video_network: nn.Module, music_network: nn.Module, progress: Progress
) -> int:
    """Write the six HDF5 files and the labels into ``out``; returns the number of pairs.

    ``data``: EmoMV's labels; ``videos``: a folder that holds its pieces, at any depth, by their names in the labels; a
    mismatched pair is one file of its own or the two files that its name names. Raises ``CorpusError`` for labels that
    cannot be read, ``ExportError`` for pieces that are missing or cannot be used, and for an ``out`` that cannot be
    written.
    """
    labels = {TRAIN: LABELS[TRAIN], VAL: LABELS[VAL], GALLERY: GALLERY_LABELS}
    names = {
        part: [row[1] for row in read_rows(data / file.format(SET), COLUMNS[part])] for part, file in labels.items()
    }
    files = {path.stem: path for path in sorted(videos.rglob("*")) if path.suffix.lower() in ENDINGS}
    sources = {name: sources_of(name, files) for part in names.values() for name in part}
    if missing := [name for name, source in sources.items() if source is None]:
        raise ExportError(
            f"videos {videos}: {len(missing)} of {len(sources)} pieces are missing, the first {missing[0]}; fetch "
            "EmoMV's videos and name the folder that holds them"
        )
    features: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    try:
        (out / "clips").mkdir(parents=True, exist_ok=True)
        for at, (name, source) in enumerate(sources.items()):
            assert source is not None
            progress(f"piece {at + 1} of {len(sources)}: {name}")
            features[name] = pair_features(out / "clips", source, video_network, music_network)
        for part, rows in names.items():
            for net, side in ((VIDEO, 0), (MUSIC, 1)):
                write_array(out / f"{net}_{SET}_{part}.h5", np.stack([features[name][side] for name in rows]))
            shutil.copyfile(data / labels[part].format(SET), out / labels[part].format(SET))
    except OSError as error:
        raise ExportError(
            f"output {out}: cannot be written ({error.strerror or error}); make room or name another place; "
            "the next run continues from what is there"
        ) from error
    return len(names[TRAIN]) + len(names[VAL])


def sources_of(name: str, files: Mapping[str, Path]) -> tuple[Path, Path] | None:
    """The files of a pair's pictures and sound; None where one is missing."""
    if name in files:
        return files[name], files[name]
    video, _, music = name.partition(PAIR)
    return (files[video], files[music]) if video in files and music in files else None


def pair_features(
    folder: Path, source: tuple[Path, Path], video_network: nn.Module, music_network: nn.Module
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The features of a pair: read where they are saved, else measured and saved."""
    video = side_features(
        folder / f"{source[0].stem}.video.npy", source[0], clips_of_video, "clip_pictures", video_network
    )
    music = side_features(
        folder / f"{source[1].stem}.music.npy", source[1], clips_of_music, "vggish_mel", music_network
    )
    return video, music


def side_features(place: Path, path: Path, read: Read, name: str, words: nn.Module) -> NDArray[np.float32]:
    """(width,): the mean over a file's clips, read from ``place`` or saved there. ``ExportError`` for a bad file."""
    if place.is_file():
        try:
            return np.asarray(np.load(place), np.float32)
        except (ValueError, EOFError):  # cut short: measured again
            pass
    try:
        clips = [clip[name] for clip in read(path, (name,), MOST_S)]
    except FeatureError as error:
        raise ExportError(f"{path}: cannot be used ({error}); fetch it again") from error
    if not clips:
        raise ExportError(f"{path}: is shorter than 4 s; fetch it again")
    with torch.inference_mode():
        features = torch.cat([words(torch.from_numpy(clip[None])) for clip in clips]).mean(dim=0).numpy()
    part = place.with_name(f".{place.name}")
    np.save(part, features)
    part.replace(place)
    return np.asarray(features, np.float32)


def write_array(path: Path, rows: NDArray[np.float32]) -> None:
    import h5py

    part = path.with_name(f".{path.name}")
    with h5py.File(part, "w") as file:
        file["features"] = rows
    part.replace(path)
