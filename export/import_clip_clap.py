"""``clip-clap``: OpenCLIP and LAION's CLAP from the hub, tags compared with the user's own material.

Nobody has measured these tags' means and deviations for this program, so ``--background`` is needed: a standard score
over nothing would say nothing. A ``tags.csv`` in such a folder, a file and its tags a line, gives tags their curves;
``--pairs`` gives the association what to learn from.
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
from towers.imports.clip_clap.tagging import Tagged, alike, picture_tags, sound_tags
from towers.imports.clip_clap.vocabulary import TAG_NAMES
from towers.imports.clip_clap.whole import Words, build, measured, squashed

from .background import FEWEST, clips_of, told
from .errors import ExportError
from .imports import MUSIC, VIDEOS, Asked, Import, Loaded, Progress, found
from .material import clips_of_music, clips_of_video

Floats = NDArray[np.float64]
Labels = Mapping[Path, frozenset[str]]

LABELS: Final = "tags.csv"


def load(asked: Asked, progress: Progress) -> Loaded:
    check_installed()
    if not asked.background:
        raise ExportError(
            f"clip-clap: its tags are compared with a background, and none comes with the program; name folders of "
            f"yours with --background, with at least {FEWEST} clips of 4 s of video and as many of music"
        )
    videos, tracks = found(asked.background, VIDEOS), found(asked.background, MUSIC)
    for side, files in (("video", videos), ("music", tracks)):
        if not files:
            raise ExportError(f"background: there is no file of {side} in it; add --background DIR with some")
    labels = read_labels(asked.background)
    pairs = found([asked.pairs], VIDEOS) if asked.pairs is not None else []
    folders = [obtain_model(model, asked.cache, asked.given, progress) for model in MODELS]
    progress("asking the text towers")
    pictures, sound = picture_tags(read_pictures(folders[0])), sound_tags(read_sound(folders[1]))

    looks = {path: looked(pictures, path, progress) for path in dict.fromkeys([*videos, *pairs])}
    sounds = {path: listened(sound, path, progress) for path in dict.fromkeys([*tracks, *pairs])}
    seen, heard = stacked("video", looks, videos), stacked("music", sounds, tracks)
    words = (
        labelled(measured(seen), {path: looks[path] for path in videos}, labels),
        labelled(measured(heard), {path: sounds[path] for path in tracks}, labels),
    )
    whole = [path for path in pairs if len(looks[path]) and len(sounds[path])]
    learnt = association.learn(
        averaged(words[0], [looks[path] for path in whole]),
        averaged(words[1], [sounds[path] for path in whole]),
        association.by_hand().numpy().astype(np.float64),
    )
    hand = association.by_hand().numpy().astype(np.float64)
    built = build(pictures, sound, words, (seen, heard), (learnt.matrix, hand))
    record: dict[str, Any] = {
        "sources": [model.record() for model in (PICTURES, SOUND)],
        "alike": {"pictures": alike_of(pictures), "sound": alike_of(sound)},
        "background": {
            "video_clips": len(seen),
            "music_clips": len(heard),
            **{side: numbers(word) for side, word in zip(("video", "music"), words, strict=True)},
        },
        "association": {"pairs": learnt.pairs, "learnt": bool(np.isfinite(learnt.penalty)), "own": learnt.left_out},
    }
    return Loaded(built, licences(), record, (learnt.text(),) if asked.pairs is not None else ())


def check_installed() -> None:
    """``ImportedError`` where the extra is not installed: before anything is fetched."""
    for name in ("transformers", "tokenizers", "huggingface_hub"):
        if importlib.util.find_spec(name) is None:
            raise missing(ImportError(f"there is no {name}"))


def looked(words: Tagged, path: Path, progress: Progress) -> Floats:
    """(clips, tags), none for a file that cannot be used."""
    return _rows(words, [clip["scene"] for clip in clips_of(clips_of_video, path, "scene", progress)])


def listened(words: Tagged, path: Path, progress: Progress) -> Floats:
    """(clips, tags), none for a file that cannot be used."""
    return _rows(words, [clip["clap_mel"] for clip in clips_of(clips_of_music, path, "clap_mel", progress)])


def _rows(words: Tagged, features: Sequence[NDArray[np.generic]]) -> Floats:
    return told(words, features) if features else np.zeros((0, len(TAG_NAMES)))


def stacked(side: str, rows: Mapping[Path, Floats], paths: Sequence[Path]) -> Floats:
    """(n, tags) of all files. ``ExportError`` for fewer than 20 clips."""
    whole = np.concatenate([rows[path] for path in paths]) if paths else np.zeros((0, len(TAG_NAMES)))
    if len(whole) < FEWEST:
        raise ExportError(f"background: {len(whole)} clips of {side}, at least {FEWEST} are needed; give more files")
    return whole


def averaged(words: Words, rows: Sequence[Floats]) -> Floats:
    """(files, tags): squashed, in the mean over a file's clips."""
    means = [squashed(words.logits(each)).mean(axis=0) for each in rows]
    return np.stack(means) if means else np.zeros((0, len(TAG_NAMES)))


def read_labels(folders: Sequence[Path]) -> Labels:
    """What the folders' ``tags.csv`` say: a file by its path from the folder, then its tags, all of them.

    ``ExportError`` for a file that is not there and a tag that is none.
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


def labelled(words: Words, rows: Mapping[Path, Floats], labels: Labels) -> Words:
    """The words with curves for the tags of which at least 10 files hold and 10 do not, each clip as its file."""
    known = [path for path in rows if path in labels and len(rows[path])]
    if not known:
        return words
    slope, offset = words.slope.copy(), words.offset.copy()
    scores = words.logits(np.concatenate([rows[path] for path in known]))
    for at, tag in enumerate(TAG_NAMES):
        held = [tag in labels[path] for path in known]
        if min(sum(held), len(held) - sum(held)) >= FEWEST_LABELS:
            each = np.repeat(held, [len(rows[path]) for path in known])
            slope[at], offset[at] = platt(scores[:, at], each)
    return replace(words, slope=slope, offset=offset)


def alike_of(words: Tagged) -> float:
    vectors = words.get_buffer("vectors").T
    return round(alike(vectors / vectors.norm(dim=1, keepdim=True)), 4)


def numbers(words: Words) -> dict[str, list[float]]:
    """For the record, to four digits."""
    rows = {"mean": words.mean, "deviation": words.deviation, "slope": words.slope, "offset": words.offset}
    return {name: [round(float(value), 4) for value in row] for name, row in rows.items()}


IMPORT: Final = Import(summary=summary, files=lambda: [model.folder for model in MODELS], load=load, background=True)
