"""``clip-clap``: OpenCLIP and LAION's CLAP from the hub, tags compared with the user's own material.

Nobody has measured these tags' means and deviations for this program, so ``--background`` is needed: without it there
are no standard scores. A ``tags.csv`` in such a folder (each line a file and its tags) gives the tags their curves;
``--pairs`` gives the association its training data.
"""

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from towers.imports.clip_clap import association
from towers.imports.clip_clap.hub import missing, obtain_model
from towers.imports.clip_clap.networks import read_pictures, read_sound
from towers.imports.clip_clap.platt import FEWEST as FEWEST_LABELS
from towers.imports.clip_clap.platt import platt
from towers.imports.clip_clap.sources import MODELS, PICTURES, SOUND, licences, summary
from towers.imports.clip_clap.tagging import Tagged, mean_cosine, picture_tags, sound_tags
from towers.imports.clip_clap.vocabulary import TAG_NAMES
from towers.imports.clip_clap.whole import Words, build, measure_words, squash

from .background import FEWEST, clips_of, run_words
from .errors import ExportError
from .imports import MUSIC, VIDEOS, Import, ImportOptions, Loaded, Progress, media_files
from .material import clips_of_music, clips_of_video

Floats = NDArray[np.float64]
Labels = Mapping[Path, frozenset[str]]

LABELS: Final = "tags.csv"


def load(options: ImportOptions, progress: Progress) -> Loaded:
    check_installed()
    if not options.background:
        raise ExportError(
            f"clip-clap: its tags are compared with a background, and none comes with the program; name folders of "
            f"yours with --background, with at least {FEWEST} clips of 4 s of video and as many of music"
        )
    videos, tracks = media_files(options.background, VIDEOS), media_files(options.background, MUSIC)
    for side, files in (("video", videos), ("music", tracks)):
        if not files:
            raise ExportError(f"background: there is no file of {side} in it; add --background DIR with some")
    labels = read_labels(options.background)
    pairs = media_files([options.pairs], VIDEOS) if options.pairs is not None else []
    folders = [obtain_model(model, options.cache, options.files, progress) for model in MODELS]
    progress("asking the text towers")
    pictures, sound = picture_tags(read_pictures(folders[0])), sound_tags(read_sound(folders[1]))

    looks = {path: picture_scores(pictures, path, progress) for path in dict.fromkeys([*videos, *pairs])}
    sounds = {path: sound_scores(sound, path, progress) for path in dict.fromkeys([*tracks, *pairs])}
    video_scores, music_scores = stack_rows("video", looks, videos), stack_rows("music", sounds, tracks)
    words = (
        fit_curves(measure_words(video_scores), {path: looks[path] for path in videos}, labels),
        fit_curves(measure_words(music_scores), {path: sounds[path] for path in tracks}, labels),
    )
    whole = [path for path in pairs if len(looks[path]) and len(sounds[path])]
    learnt = association.learn(
        average_rows(words[0], [looks[path] for path in whole]),
        average_rows(words[1], [sounds[path] for path in whole]),
        association.by_hand().numpy().astype(np.float64),
    )
    hand = association.by_hand().numpy().astype(np.float64)
    built = build(pictures, sound, words, (video_scores, music_scores), (learnt.matrix, hand))
    record: dict[str, Any] = {
        "sources": [model.record() for model in (PICTURES, SOUND)],
        "alike": {"pictures": alike_of(pictures), "sound": alike_of(sound)},
        "background": {
            "video_clips": len(video_scores),
            "music_clips": len(music_scores),
            **{side: numbers(word) for side, word in zip(("video", "music"), words, strict=True)},
        },
        "association": {"pairs": learnt.pairs, "learnt": bool(np.isfinite(learnt.penalty)), "own": learnt.left_out},
    }
    return Loaded(built, licences(), record, (learnt.text(),) if options.pairs is not None else ())


def check_installed() -> None:
    """``ImportedError`` where the extra is not installed; checked before anything is fetched."""
    for name in ("transformers", "tokenizers", "huggingface_hub"):
        if importlib.util.find_spec(name) is None:
            raise missing(ImportError(f"there is no {name}"))


def picture_scores(words: Tagged, path: Path, progress: Progress) -> Floats:
    """(clips, tags); no rows for a file that cannot be used."""
    return _rows(words, [clip["scene"] for clip in clips_of(clips_of_video, path, "scene", progress)])


def sound_scores(words: Tagged, path: Path, progress: Progress) -> Floats:
    """(clips, tags); no rows for a file that cannot be used."""
    return _rows(words, [clip["clap_mel"] for clip in clips_of(clips_of_music, path, "clap_mel", progress)])


def _rows(words: Tagged, features: Sequence[NDArray[np.generic]]) -> Floats:
    return run_words(words, features) if features else np.zeros((0, len(TAG_NAMES)))


def stack_rows(side: str, rows: Mapping[Path, Floats], paths: Sequence[Path]) -> Floats:
    """(n, tags) of all files. ``ExportError`` for fewer than 20 clips."""
    whole = np.concatenate([rows[path] for path in paths]) if paths else np.zeros((0, len(TAG_NAMES)))
    if len(whole) < FEWEST:
        raise ExportError(f"background: {len(whole)} clips of {side}, at least {FEWEST} are needed; give more files")
    return whole


def average_rows(words: Words, rows: Sequence[Floats]) -> Floats:
    """(files, tags): squashed, then the mean over a file's clips."""
    means = [squash(words.logits(scores)).mean(axis=0) for scores in rows]
    return np.stack(means) if means else np.zeros((0, len(TAG_NAMES)))


def read_labels(folders: Sequence[Path]) -> Labels:
    """Read the folders' ``tags.csv``: on each line a file's path from the folder, then all its tags.

    ``ExportError`` for a file that is missing and for an unknown tag.
    """
    labels: dict[Path, frozenset[str]] = {}
    for folder in folders:
        path = folder / LABELS
        if not path.is_file():
            continue
        try:
            lines = [line for line in csv.reader(path.read_text(encoding="utf-8").splitlines()) if line]
        except (OSError, ValueError, csv.Error) as error:
            raise ExportError(f"{path}: cannot be read ({error}); write it as CSV in UTF-8") from error
        for name, *tags in lines:
            if not (folder / name).is_file():
                raise ExportError(f"{path}: {folder / name} is not there; name files by their paths from the folder")
            named = frozenset(tag.strip() for tag in tags if tag.strip())
            if unknown := sorted(named - set(TAG_NAMES)):
                raise ExportError(f"{path}: {unknown[0]!r} is no tag; they are {', '.join(TAG_NAMES)}")
            labels[folder / name] = named
    return labels


def fit_curves(words: Words, rows: Mapping[Path, Floats], labels: Labels) -> Words:
    """Fit curves for the tags that at least 10 files have and 10 lack; each clip has its file's tags."""
    known = [path for path in rows if path in labels and len(rows[path])]
    if not known:
        return words
    slope, offset = words.slope.copy(), words.offset.copy()
    scores = words.logits(np.concatenate([rows[path] for path in known]))
    for at, tag in enumerate(TAG_NAMES):
        has_tag = [tag in labels[path] for path in known]
        if min(sum(has_tag), len(has_tag) - sum(has_tag)) >= FEWEST_LABELS:
            by_clip = np.repeat(has_tag, [len(rows[path]) for path in known])
            slope[at], offset[at] = platt(scores[:, at], by_clip)
    return replace(words, slope=slope, offset=offset)


def alike_of(words: Tagged) -> float:
    vectors = words.get_buffer("vectors").T
    return round(mean_cosine(vectors / vectors.norm(dim=1, keepdim=True)), 4)


def numbers(words: Words) -> dict[str, list[float]]:
    """For the record, to four digits."""
    rows = {"mean": words.mean, "deviation": words.deviation, "slope": words.slope, "offset": words.offset}
    return {name: [round(float(value), 4) for value in row] for name, row in rows.items()}


IMPORT: Final = Import(summary=summary, files=lambda: [model.folder for model in MODELS], load=load, background=True)
