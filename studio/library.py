"""The demo catalogue: made-up tracks of every style and many moods, free of anyone's rights.

A track is a recipe with a name; writing it renders the recipe to a tagged Ogg Vorbis file. The same track gives the
same file, byte for byte, wherever the same encoder is installed.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from mutagen.ogg import OggPage
from mutagen.oggvorbis import OggVorbis

from studio.errors import StudioError
from studio.moods import ARCS, ARTISTS, MOODS, TEMPI_BPM, Mood
from studio.music.recipe import MusicRecipe
from studio.music.render import render

LICENCE: Final = "CC0-1.0"
LICENCE_URL: Final = "https://creativecommons.org/publicdomain/zero/1.0/"
RATE_HZ: Final = 32_000
BLOCK: Final = 16_384  # frames a write: libsndfile's Vorbis encoder overflows its stack on very large ones
SHORTEST_S: Final = 45
LONGEST_S: Final = 75


@dataclass(frozen=True, slots=True)
class DemoTrack:
    """One made-up track."""

    title: str
    artist: str
    album: str
    genre: str
    recipe: MusicRecipe
    duration_s: float
    licence: str = LICENCE

    @property
    def file_name(self) -> str:
        """A plain name for the track's file, unique within one catalogue."""
        plain = re.sub(r"[^a-z0-9]+", "-", f"{self.artist} {self.title}".lower()).strip("-")
        return f"{plain}.ogg"


def demo_tracks(n: int, seed: int = 0) -> list[DemoTrack]:
    """``n`` tracks, no two with one title, styles in turn and moods spread over each style.

    Raises ``StudioError`` if ``n`` is negative.
    """
    if n < 0:
        raise StudioError(f"n {n!r}: not a number of tracks; give 0 or more")
    rng = np.random.default_rng((seed, 17))
    styles = [str(style) for style in rng.permutation(list(TEMPI_BPM))]
    turn = int(rng.integers(len(MOODS)))
    tracks: list[DemoTrack] = []
    titles_used: set[str] = set()
    for index in range(n):
        round_, place = divmod(index, len(styles))
        # A stride that shares no factor with the number of moods, so a style meets them all.
        mood = MOODS[(turn + 5 * round_ + 7 * place) % len(MOODS)]
        tracks.append(_track(styles[place], mood, titles_used, rng))
        titles_used.add(tracks[-1].title)
    return tracks


def _track(style: str, mood: Mood, titles_used: set[str], rng: np.random.Generator) -> DemoTrack:
    duration_s = float(rng.integers(SHORTEST_S, LONGEST_S + 1))
    level = mood.energy + float(rng.uniform(-0.1, 0.1))
    arc = ARCS[int(rng.integers(len(ARCS)))]
    energy = tuple((share * duration_s, float(np.clip(level + lift, 0.0, 1.0))) for share, lift in arc)
    recipe = MusicRecipe(
        style=style,
        tempo_bpm=float(rng.integers(*TEMPI_BPM[style], endpoint=True)),
        tonic=int(rng.integers(12)),
        mode=str(rng.choice(mood.modes)),
        energy=energy,
        brightness=float(np.clip(mood.brightness + rng.uniform(-0.1, 0.1), 0.0, 1.0)),
        tension=float(np.clip(mood.tension + rng.uniform(-0.1, 0.1), 0.0, 1.0)),
        seed=int(rng.integers(2**31)),
    )
    genre = style.replace("_", " ")
    artist = str(rng.choice(ARTISTS))
    return DemoTrack(_title(mood, titles_used, rng), artist, f"Segue Demo: {genre.title()}", genre, recipe, duration_s)


def _title(mood: Mood, titles_used: set[str], rng: np.random.Generator) -> str:
    titles = [f"{first} {last}" for first in mood.first_words for last in mood.last_words]
    start = int(rng.integers(len(titles)))
    for part in range(1, len(titles_used) + 2):
        for title in titles[start:] + titles[:start]:
            numbered = title if part == 1 else f"{title}, Part {part}"
            if numbered not in titles_used:
                return numbered
    raise AssertionError("more parts than titles in use")


def write_track(track: DemoTrack, folder: Path) -> Path:
    """Render ``track`` into ``folder`` (made if need be) and return the file's path; an existing file is left alone.

    The file appears under its name only when complete. Raises ``OSError`` if it cannot be written.
    """
    path = folder / track.file_name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{track.file_name}.{os.getpid()}.part"
    try:
        _encode(track, part)
        _tag(track, part)
        _fix_serial(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _encode(track: DemoTrack, path: Path) -> None:
    samples = render(track.recipe, track.duration_s, RATE_HZ)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, format="OGG", subtype="VORBIS") as out:
        for start in range(0, len(samples), BLOCK):
            out.write(samples[start : start + BLOCK])


def _tag(track: DemoTrack, path: Path) -> None:
    tags = OggVorbis(path)
    tags["title"] = track.title
    tags["artist"] = track.artist
    tags["album"] = track.album
    tags["genre"] = track.genre
    tags["bpm"] = f"{track.recipe.tempo_bpm:g}"
    tags["license"] = LICENCE_URL
    tags["copyright"] = f"{track.licence}: no rights reserved"
    tags.save()


def _fix_serial(path: Path) -> None:
    """Give the stream one serial number: the encoder draws it at random, and files would never be the same twice."""
    data = bytearray()
    with path.open("rb") as file:
        while True:
            try:
                page = OggPage(file)
            except EOFError:
                break
            page.serial = 1
            data += page.write()
    path.write_bytes(data)
