"""One reader for each form of list. Each returns the lines that have no file; those are reported, not fatal.

- A folder: every video in it; the folders that a video lies in are its tags.
- Our CSV: ``video`` and any of ``id, music, music_id, video_start, video_end, music_start, music_end, split, tags,
  energy, valence, tension, emotion, polarity, match``. Paths count from the CSV's own folder.
- Ids, as HIMV-200K and YouTube-8M publish them: one id or address a line, optionally with tags behind it; or a
  column ``youtube_id`` or ``id`` (and ``labels``, ``split``). The files lie in a folder of media under their ids.
- MGSV-EC's CSV (Xin et al., Music Grounding by Short Video): a video, a track, and the moment of it that fits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from features.spec import MOOD_AXES

from ...errors import CorpusError
from ..source import Source
from .media import VIDEO, Media, extension, walk
from .table import Row, first_line, read_table

ADDRESS: Final = re.compile(r"(?:v=|youtu\.be/|/shorts/|/embed/)([\w-]{11})")
BARE: Final = re.compile(rf"^[\w-]{{11}}$|{ADDRESS.pattern}")  # what a list without a header begins with
ID: Final = re.compile(r"[\w-]{4,64}")
ID_COLUMNS: Final = ("youtube_id", "ytid", "id", "url")
MGSV: Final = ("video_id", "music_id", "video_start", "video_end", "music_start", "music_end")
FORMS: Final = (
    "a folder of videos; a CSV with a column `video`; a list of ids (or a column `youtube_id`) with --media; "
    f"MGSV-EC's CSV ({', '.join(MGSV)}, ...) with --media and --music"
)


@dataclass(frozen=True)
class Listed:
    """``sources`` with ids that differ; ``absent``: entries of a list that have no file."""

    sources: tuple[Source, ...]
    absent: tuple[str, ...]


def read_lists(paths: Sequence[Path], media: Path | None, music: Path | None) -> Listed:
    """All lists together. ``media`` and ``music``: folders of files that lists name by id.

    Raises ``CorpusError`` for a list of unknown form, a wrong line, and a source that comes twice.
    """
    for folder in (media, music):
        if folder is not None and not folder.is_dir():
            raise CorpusError(f"{folder}: is no folder; give the one that the files lie in")
    sources: list[Source] = []
    absent: list[str] = []
    videos = None if media is None else Media(media)
    tracks = videos if music is None else Media(music)
    for path in paths:
        listed = read_list(path, videos, tracks)
        sources += listed.sources
        absent += listed.absent
    ids: set[str] = set()
    for source in sources:
        if source.id in ids:
            raise CorpusError(f"{source.id}: comes twice; give every line of the lists an id of its own")
        ids.add(source.id)
    if not sources:
        missing = f", such as {absent[0]}; check --media" if absent else ""
        raise CorpusError(f"{', '.join(map(str, paths))}: no video is there{missing}")
    return Listed(tuple(sources), tuple(absent))


def read_list(path: Path, videos: Media | None, tracks: Media | None) -> Listed:
    if path.is_dir():
        return read_folder(path)
    if not path.is_file():
        raise CorpusError(f"{path}: no such folder or file; give {FORMS}")
    header = first_line(path)
    if set(MGSV) <= set(header):
        return read_mgsv(path, videos, tracks)
    if "video" in header:
        return read_own(path)
    named = [name for name in ID_COLUMNS if name in header]
    if named or (header and BARE.search(header[0])):
        return read_ids(path, videos, named[0] if named else None)
    raise CorpusError(f"{path}: its first line is {','.join(header)[:100]!r}, of no form that is known; give {FORMS}")


def read_folder(folder: Path) -> Listed:
    sources = []
    for path in walk(folder):
        if extension(path) in VIDEO:
            place = path.relative_to(folder)
            sources.append(Source(place.as_posix(), path, tags=tuple(part.casefold() for part in place.parent.parts)))
    if not sources:
        raise CorpusError(f"{folder}: holds no video ({', '.join(sorted(VIDEO))})")
    return Listed(tuple(sources), ())


def read_own(path: Path) -> Listed:
    sources, absent = [], []
    for row in read_table(path):
        video = path.parent / row.required("video")
        music = path.parent / row.text("music") if row.text("music") else None
        missing = [str(file) for file in (video, music) if file is not None and not file.is_file()]
        if missing:
            absent.append(f"{path.name}, line {row.line}: {missing[0]}")
            continue
        sources.append(
            Source(
                id=row.text("id") or row.required("video"),
                video=video,
                music=music,
                music_id=row.text("music_id") or ("" if music is None else row.text("music")),
                video_from_s=row.seconds("video_start") or 0.0,
                video_to_s=row.seconds("video_end"),
                music_from_s=row.seconds("music_start") or 0.0,
                music_to_s=row.seconds("music_end"),
                split=row.split(),
                tags=row.words("tags"),
                mood=mood(row),
                emotion=row.text("emotion").casefold() or None,
                polarity=row.number("polarity", -1.0, 1.0),
                match=row.yes("match", True),
            )
        )
    return Listed(tuple(sources), tuple(absent))


def mood(row: Row) -> tuple[float, float, float] | None:
    """The three axes, all or none."""
    energy, valence, tension = (row.number(axis, 0.0, 1.0) for axis in MOOD_AXES)
    if energy is None or valence is None or tension is None:
        if (energy, valence, tension) != (None, None, None):
            raise row.wrong("mood", f"give all of {', '.join(MOOD_AXES)} or none")
        return None
    return energy, valence, tension


def read_ids(path: Path, videos: Media | None, column: str | None) -> Listed:
    if videos is None:
        raise CorpusError(f"{path}: names videos by id; give --media FOLDER, the folder that they lie in")
    sources, absent = [], []
    for row in read_table(path, None if column else ("id", "labels", "split")):
        name = youtube_id(row.required(column or "id"))
        if name is None:
            raise row.wrong(column or "id", f"{row.text(column or 'id')!r} is no id and no address of a video")
        file = videos.find(name)
        if file is None:
            absent.append(name)
        else:
            sources.append(Source(name, file, tags=row.words("labels"), split=row.split()))
    return Listed(tuple(sources), tuple(absent))


def youtube_id(text: str) -> str | None:
    """The id in an address, or the id itself; None for anything else."""
    if match := ADDRESS.search(text):
        return match[1]
    return text if ID.fullmatch(text) else None


def read_mgsv(path: Path, videos: Media | None, tracks: Media | None) -> Listed:
    """The split is in the file's name, as MGSV-EC names its three."""
    if videos is None or tracks is None:
        raise CorpusError(f"{path}: names videos and tracks by id; give --media FOLDER and --music FOLDER")
    split = next((name for name in ("train", "val", "test") if name in path.stem.casefold()), None)
    sources, absent = [], []
    for row in read_table(path):
        video_id, music_id = row.required("video_id"), row.required("music_id")
        video = videos.find(video_id)
        named = PurePosixPath(row.text("music_path")).name
        music = tracks.find(named, music_id) or tracks.beginning(music_id)
        if video is None or music is None:
            absent.append(f"video {video_id}" if video is None else f"music {music_id}")
            continue
        sources.append(
            Source(
                id=video_id,
                video=video,
                music=music,
                music_id=music_id,
                video_from_s=row.seconds("video_start") or 0.0,
                video_to_s=row.seconds("video_end"),
                music_from_s=row.seconds("music_start") or 0.0,
                music_to_s=row.seconds("music_end"),
                split=split,
                tags=row.words("video_category"),
            )
        )
    return Listed(tuple(sources), tuple(absent))
