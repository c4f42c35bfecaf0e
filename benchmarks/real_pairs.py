"""A folder of videos with their own music, and perhaps a folder of other music -> the queries and the gallery.

The gallery is a folder of links, ``own/`` to the videos whose sound is music and ``more/`` to the other music, indexed
as any folder is: a video's own track is the sound of its file. A video without sound, or with
speech alone, has no track of its own, but is still a query. ``groups.csv`` (columns ``video``, a file's name with or
without its ending, and ``group``) gives the kind of each video.
"""

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.catalog import Catalog
from catalog.errors import UnknownTrackError
from catalog.identity import identify
from catalog.indexer import index_folder
from catalog.parts import parts_of
from catalog.scan import scan
from catalog.tags import read_tags
from engines.base import Engine
from features.decode.sound import decode
from features.errors import AudioError
from towers.corpora.cut import MUSIC, SAMPLES, judge

from .errors import BenchError

VIDEOS: Final = frozenset("3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv".split())  # noqa: SIM905
GROUPS: Final = "groups.csv"
OWN, MORE = "own", "more"


@dataclass(frozen=True, slots=True)
class Video:
    """``own``: the catalogue's ids of the tracks that are its sound; none for a video without music."""

    path: Path
    name: str
    group: str = ""
    own: tuple[str, ...] = ()


def videos_of(folder: Path) -> list[Video]:
    """Every video below a folder, in order, with its group. Raises BenchError for a folder without any, and for groups
    that cannot be read."""
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder; name one that holds videos with their music")
    groups = groups_of(folder / GROUPS)
    videos = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.suffix[1:].casefold() in VIDEOS:
            name = path.relative_to(folder).as_posix()
            videos.append(Video(path, name, groups.get(path.name, groups.get(path.stem, ""))))
    if not videos:
        raise BenchError(f"{folder}: holds no video; put files there such as .mp4 or .webm, with their music")
    return videos


def groups_of(path: Path) -> Mapping[str, str]:
    """Video -> group; empty if there is no such file."""
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise BenchError(f"{path}: is not UTF-8 ({error.reason}); save it so") from error
    if not rows or not {"video", "group"} <= set(rows[0]):
        raise BenchError(f"{path}: its first line must name the columns video and group")
    return {str(row["video"] or "").strip(): str(row["group"] or "").strip() for row in rows}


def why_no_track(video: Path) -> str:
    """Why a video's sound is no track; empty if it is one."""
    try:
        samples = decode(video).samples
    except AudioError as error:
        return str(error)
    whole = len(samples) // SAMPLES * SAMPLES
    if not whole:
        return ""  # too short to judge
    kind, _ = judge(samples[:whole])
    return "" if kind == MUSIC else f"holds no music ({kind})"


def gallery(
    videos: Sequence[Video],
    distractors: Path | None,
    work: Path,
    engine: Engine,
    jobs: int,
    say: Callable[[str], None],
) -> tuple[list[Video], Path]:
    """The videos with their own tracks, and the catalogue of all tracks; both use links in ``work``, which a second run
    uses again. Raises BenchError if there is not a single pair, and the errors of catalogues."""
    links, target = work / "gallery", work / f"catalog-{engine.bundle.identity[:12]}"
    shutil.rmtree(links, ignore_errors=True)
    with_music = []
    for video in videos:
        if reason := why_no_track(video.path):
            say(f"{video.name}: {reason}; it is no pair, only a query")
            continue
        link(video.path, links / OWN / video.name)
        with_music.append(video.path)
    if distractors is not None:
        others = scan(distractors, target).files if distractors.is_dir() else {}
        if not others:
            raise BenchError(f"{distractors}: holds no music; leave --distractors out or name a folder of music")
        for path in others:
            link(path, links / MORE / path.relative_to(distractors))
    if not with_music:
        raise BenchError("no video has music of its own, so there is no pair; give videos with music")

    def progress(done: int, total: int, text: str) -> None:
        say(f"index {done}/{total} {text}")

    report = index_folder(links, target, engine, jobs, progress, forget_missing=True)
    for note in (*report.failed, *report.notes):
        say(note.line())
    with Catalog.open(target, engine.bundle) as catalog:
        videos_with_own = [with_own_tracks(video, catalog) if video.path in with_music else video for video in videos]
    return videos_with_own, target


def with_own_tracks(video: Video, catalog: Catalog) -> Video:
    """``video`` with the tracks that are its sound; several if its container has titled chapters."""
    identity = identify(video.path)
    if identity is None:
        return video
    parts, _ = parts_of(video.path, identity, read_tags(video.path), None)
    ids = []
    for part in parts:
        try:
            ids.append(catalog.track(part.id).id)
        except UnknownTrackError:
            continue
    return Video(video.path, video.name, video.group, tuple(dict.fromkeys(ids)))


def link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(path.resolve())
