"""The tags of a music file: title, artist, genres, licence, tempo, cue sheet. Bad tags never make a file fail.

Mutagen reads the tags of music files, each value by itself; FFmpeg those of every other container (WAV's INFO, AIFF's
texts, Matroska, QuickTime, FLV, AVI), but joins or drops values of one name. So mutagen's values go first.
"""

import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen

from . import licence as licences
from .cuesheet import FRAMES
from .identity import open_media

MAX_TEXT = 300
# The same thing under the names of FFmpeg, Vorbis comments, APE, ID3, MP4 and ASF, in lower case; the first counts.
_TITLE = ("title", "tit2", "\xa9nam", "inam", "name")
_ARTIST = ("artist", "tpe1", "\xa9art", "author", "iart", "performer", "albumartist", "album_artist", "album artist",
           "wm/albumartist", "tpe2", "aart")  # fmt: skip
_GENRE = ("genre", "tcon", "\xa9gen", "wm/genre", "ignr")
_LICENCE = ("license", "licence", "licenseurl", "licenceurl", "license url", "licence url", "wcop", "user",
            "wm/license", "copyright_url", "copyright url")  # fmt: skip
_COPYRIGHT = ("copyright", "tcop", "cprt", "\xa9cpy", "icop")
_COMMENT = ("comment", "comments", "comm", "\xa9cmt", "description", "desc", "icmt", "usage_terms",
            "terms of use", "rights", "purchase", "contact", "copyrightinfo")  # fmt: skip
_BPM = ("bpm", "tempo", "tbpm", "tmpo", "wm/beatsperminute", "beats_per_minute")
_SAID = {
    "moods": ("mood", "tmoo", "wm/mood", "imoo", "moods"),
    "key": ("tkey", "initialkey", "initial key", "initial_key", "wm/initialkey", "key"),
    "attribution": ("attribution", "attribution text", "credit line"),
    "live_ok": ("live_ok",),
    "vod_ok": ("vod_ok",),
    "source": ("woaf", "woas", "wm/audiofileurl", "wm/audiosourceurl", "source url", "source_url", "website"),
}
_WEB = re.compile(r"https?://")
_R128 = ("r128_track_gain",)
_GAIN, _PEAK = ("replaygain_track_gain",), ("replaygain_track_peak",)
_SHEET = ("cuesheet", "cue_sheet")
# How ID3 and iTunes write a custom name.
_OWN = re.compile(r"(?:txxx|wxxx|----:[^:]*):(.+)")
_MAX_BYTES = 1 << 18  # of a value: pictures lie among the tags
_NUMBER = re.compile(r"\d{2,3}(?:[.,]\d+)?")
_SIGNED = re.compile(r"\s*[+-]?\d{1,6}(?:[.,]\d{1,9})?")
_SILENT_LUFS, _LOUDEST_LUFS = -70.0, 10.0  # what lies outside is a mistake
_NEAR = 0.03  # a tag has a tempo in whole beats, the measurement is finer
_RELATED = (1.0, 0.5, 2.0, 2 / 3, 1.5)  # the tempi that one piece may be tapped in


@dataclass(frozen=True, slots=True)
class Tags:
    """Texts are one line of at most 300 characters; absent ones are empty, an absent or absurd tempo is 0."""

    title: str
    artist: str  # all artists in the file, joined by commas
    genres: tuple[str, ...]
    licence: str  # in SPDX's spelling where it is one of Creative Commons
    tempo_bpm: float
    cuesheet: str = ""  # the text of one inside the file
    lufs: float | None = None  # the loudness that its gain tags imply
    peak_db: float | None = None  # over full scale
    said: tuple[tuple[str, str], ...] = ()  # fields of ``fields.py`` and their text, which may be none of theirs


def read_tags(path: Path) -> Tags:
    """Tags of a file, the title from its name where they lack one."""
    tables = [_values(read, path) for read in (_of_mutagen, _of_ffmpeg)]
    return Tags(
        title=next(_lines(tables, _TITLE), "") or title_of(path),
        artist=_artists(tables),
        genres=_genres(tables),
        licence=_licence(tables),
        tempo_bpm=_tempo(next(_lines(tables, _BPM), "")),
        cuesheet=next(_texts(tables, _SHEET), ""),
        lufs=_loudness(tables),
        peak_db=_peak_db(next(_lines(tables, _PEAK), "")),
        said=tuple(_said(tables)),
    )


def tagged_tempo(measured_bpm: float, tagged_bpm: float) -> float:
    """The tempo to use: the tag's where it is the measured one within 3%, or half, double, 2/3 or 3/2 of it; else the
    measured one.

    The measured tempo is exact but may be the wrong multiple; people tap the right one. A tag that agrees with none of
    these is a mistake or of another version. 0 stands for none, of either.
    """
    if not measured_bpm:
        return tagged_bpm
    near = any(abs(tagged_bpm - measured_bpm * ratio) <= _NEAR * measured_bpm * ratio for ratio in _RELATED)
    return tagged_bpm if near else measured_bpm


def title_of(path: Path) -> str:
    """A readable title from a file's name, which need not be text."""
    return one_line(os.fsencode(path.stem).decode("utf-8", "replace").replace("_", " ")) or "untitled"


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """``text`` without control characters and line breaks, spaces joined, at most ``limit`` characters."""
    # Cs and Co would not survive the way to a terminal or a browser; the rest would break lines there.
    clean = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") else c for c in text[: 4 * limit])
    return " ".join("".join(clean).split())[:limit]


TagTable = dict[str, list[str]]  # every tag by its name in lower case


def _values(read: Callable[[Path], Iterator[tuple[str, list[str]]]], path: Path) -> TagTable:
    table: TagTable = {}
    try:
        for name, values in read(path):
            table.setdefault(name, []).extend(values)
    except Exception:  # noqa: BLE001 - damaged tags raise errors of any kind
        return table
    return table


def _of_mutagen(path: Path) -> Iterator[tuple[str, list[str]]]:
    file = mutagen.File(path)
    if file is None:
        return
    for key, value in (file.tags or {}).items():
        values = getattr(value, "genres", None) or getattr(value, "text", None) or getattr(value, "url", None) or value
        if isinstance(values, str | bytes | int | float) or not isinstance(values, Iterable):
            values = [values]
        texts = [
            v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)
            for v in values
            if not isinstance(v, bytes) or len(v) <= _MAX_BYTES
        ]
        name = key.casefold()
        # ID3's keys end in a description or language, iTunes' own begin with a domain: TXXX:LICENSE, COMM:ID3v1:eng.
        own = _OWN.fullmatch(name)
        yield own[1] if own else name.partition(":")[0], texts
    if block := getattr(file, "cuesheet", None):
        yield "cuesheet", [_as_text(block, file.info.sample_rate)]


def _of_ffmpeg(path: Path) -> Iterator[tuple[str, list[str]]]:
    with open_media(path) as container:
        metadata = [container.metadata, *(stream.metadata for stream in container.streams.audio[:1])]
    for entries in metadata:
        for key, value in entries.items():
            yield re.sub(r"-[a-z]{3}$", "", key.casefold()), [value]  # comment-eng: a language


def _as_text(block: Any, rate_hz: int) -> str:
    """FLAC's cue sheet block as the text of a cue sheet; it has no titles."""
    lines = []
    for track in block.tracks:
        begins = [index.index_offset for index in track.indexes if index.index_number == 1]
        if begins:  # the lead-out has none
            frames = round((track.start_offset + begins[0]) / rate_hz * FRAMES)
            time = f"{frames // FRAMES // 60:02}:{frames // FRAMES % 60:02}:{frames % FRAMES:02}"
            kind = "AUDIO" if track.type == 0 else "DATA"
            lines += [f"TRACK {track.track_number:02} {kind}", f"INDEX 01 {time}"]
    return "\n".join(lines)


def _texts(tables: Sequence[TagTable], keys: Iterable[str]) -> Iterator[str]:
    keys = tuple(keys)
    return (text for tags in tables for key in keys for text in tags.get(key, ()))


def _lines(tables: Sequence[TagTable], keys: Iterable[str]) -> Iterator[str]:
    return (line for text in _texts(tables, keys) if (line := one_line(text)))


def _artists(tables: Sequence[TagTable]) -> str:
    """All artists of the first tag name that has any."""
    for tags in tables:
        for key in _ARTIST:
            if names := [name for text in tags.get(key, ()) for part in text.split("\0") if (name := one_line(part))]:
                return one_line(", ".join(dict.fromkeys(names)))
    return ""


def _genres(tables: Sequence[TagTable]) -> tuple[str, ...]:
    for tags in tables:
        parts = (part for text in _texts([tags], _GENRE) for part in re.split(r"[;,/\0]", text))
        if words := tuple(dict.fromkeys(word for part in parts if (word := one_line(part)))):
            return words[:16]
    return ()


def _said(tables: Sequence[TagTable]) -> Iterator[tuple[str, str]]:
    for name, keys in _SAID.items():
        if name == "moods":  # all values of the first table that has any
            found = next((lines for tags in tables if (lines := list(_lines([tags], keys)))), [])
            yield from [(name, "; ".join(found[:16]))] if found else []
        elif line := next((line for line in _lines(tables, keys) if name != "source" or _WEB.match(line)), ""):
            yield name, line


def _licence(tables: Sequence[TagTable]) -> str:
    """A known licence from any of these tags, those for licences first. Else the text that the file gives as its
    licence."""
    own = tuple(dict.fromkeys(key for tags in tables for key in tags if "licen" in key))
    for keys in ((*_LICENCE, *own), _COPYRIGHT, _COMMENT):
        for text in _texts(tables, keys):
            if name := licences.recognise(text):
                return name
    return next(_lines(tables, (*_LICENCE, *own, *_COPYRIGHT)), "")


def _tempo(text: str) -> float:
    match = _NUMBER.search(text)
    bpm = float(match[0].replace(",", ".")) if match else 0.0
    return bpm if 20.0 <= bpm <= 400.0 else 0.0


def _loudness(tables: Sequence[TagTable]) -> float | None:
    """The loudness that a gain brings to the reference: Opus' own in 256ths of a dB to -23 LUFS (RFC 7845, 5.2.1),
    ReplayGain 2.0 in dB to -18."""
    for keys, reference, unit in ((_R128, -23.0, 1 / 256), (_GAIN, -18.0, 1.0)):
        gain = _number(next(_lines(tables, keys), ""))
        if gain is not None and _SILENT_LUFS <= reference - gain * unit <= _LOUDEST_LUFS:
            return reference - gain * unit
    return None


def _peak_db(text: str) -> float | None:
    peak = _number(text)
    return 20.0 * math.log10(peak) if peak is not None and 1e-6 < peak < 100.0 else None


def _number(text: str) -> float | None:
    match = _SIGNED.match(text)
    return float(match[0].replace(",", ".")) if match else None
