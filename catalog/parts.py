"""The tracks that a file holds: mostly one; several where a cue sheet or chapters say so.

A cue sheet beside the file goes first, then one inside it, then the container's chapters, if they are titled and could
be tracks. A cue sheet that does not fit the file is not used, and the file is one track.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from .cuesheet import Sheet, SheetError, parse_sheet, read_sheet
from .identity import Chapter, Identity, part_id
from .tags import Tags, one_line

MIN_CHAPTER_S = 5.0
MAX_CHAPTER_S = 3600.0
SLACK_S = 0.5  # between the end of a chapter and the next one's begin, or the file's end
# Titles that players or encoders fill in.
_NUMBERED = re.compile(r"\W*(?:chapter|chap|kapitel|chapitre|cap[ií]tulo|capitolo|part|scene)?\W*\d*\W*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A future track: which part of the file's sound it is (``end_s`` None: to the end), and its tags."""

    id: str
    begin_s: float
    end_s: float | None
    tags: Tags


def parts_of(path: Path, identity: Identity, tags: Tags, sheet: Path | None) -> tuple[list[Part], list[str]]:
    """The parts in rising time, at least one, and notes on cue sheets that do not fit."""
    notes: list[str] = []
    for name, source in ((sheet.name if sheet else "", sheet), ("the cue sheet inside", tags.cuesheet)):
        if not source:
            continue
        try:
            cue_sheet = read_sheet(source) if isinstance(source, Path) else parse_sheet(source, named=False)
            return _by_sheet(cue_sheet, identity, tags), notes
        except SheetError as error:
            notes.append(f"{name}: {error}; the file is taken whole")
    if titled := _usable(identity.chapters, identity.duration_s):
        return _by_chapters(titled, identity, tags), notes
    return [Part(identity.id, 0.0, None, replace(tags, cuesheet=""))], notes


def _by_sheet(sheet: Sheet, identity: Identity, tags: Tags) -> list[Part]:
    length_s = identity.duration_s
    if sheet.tracks[-1].begin_s >= length_s:
        late = next(track for track in sheet.tracks if track.begin_s >= length_s)
        raise SheetError(f"track {late.number} begins at {late.begin_s:.1f} s, past the end at {length_s:.1f} s")
    ends = [track.begin_s for track in sheet.tracks[1:]] + [None]
    genres = tags.genres or tuple(word for word in [one_line(sheet.genre)] if word)
    return [
        _part(
            identity,
            track.begin_s,
            end_s,
            replace(tags, genres=genres),
            track.title or f"{sheet.title or tags.title} {track.number:02}",
            track.performer or sheet.performer,
        )
        for track, end_s in zip(sheet.tracks, ends, strict=True)
    ]


def _by_chapters(chapters: Sequence[Chapter], identity: Identity, tags: Tags) -> list[Part]:
    last = len(chapters) - 1
    return [
        _part(
            identity,
            chapter.begin_s,
            None if i == last and chapter.end_s >= identity.duration_s - SLACK_S else chapter.end_s,
            tags,
            chapter.title,
            "",
        )
        for i, chapter in enumerate(chapters)
    ]


def _part(identity: Identity, begin_s: float, end_s: float | None, tags: Tags, title: str, artist: str) -> Part:
    """A part with its own title and artist; tempo and loudness tags of an album hold for no single track."""
    whole = begin_s == 0.0 and end_s is None
    own = replace(
        tags,
        title=one_line(title) or tags.title,
        artist=one_line(artist) or tags.artist,
        tempo_bpm=tags.tempo_bpm if whole else 0.0,
        cuesheet="",
        lufs=tags.lufs if whole else None,
        peak_db=tags.peak_db if whole else None,
        said=tags.said if whole else tuple(pair for pair in tags.said if pair[0] != "key"),
    )
    return Part(part_id(identity.id, begin_s, end_s), begin_s, end_s, own)


def _usable(chapters: Sequence[Chapter], duration_s: float) -> list[Chapter]:
    """The chapters, if these are two or more titled pieces of some seconds, one behind the other; else none."""
    ordered = sorted(chapters, key=lambda chapter: chapter.begin_s)
    lengths = [chapter.end_s - chapter.begin_s for chapter in ordered]
    follow = all(chapter.end_s <= following.begin_s + SLACK_S for chapter, following in pairwise(ordered))
    if len(ordered) < 2 or not follow or ordered[-1].end_s > duration_s + SLACK_S:
        return []
    if not all(MIN_CHAPTER_S <= length <= MAX_CHAPTER_S for length in lengths):
        return []
    return [] if all(_NUMBERED.fullmatch(chapter.title) for chapter in ordered) else ordered
