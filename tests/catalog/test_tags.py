"""Tags as several containers spell them, and files that say nothing or nonsense."""

import os
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.id3
import numpy as np
import pytest

from catalog.tags import one_line, read_tags, spdx, title_of

Writer = Callable[..., Path]


@pytest.mark.parametrize("kind", ["ogg", "flac"])
def test_vorbis_comments(tmp_path: Path, write_music: Writer, kind: str) -> None:
    path = write_music(tmp_path / f"a.{kind}", duration_s=1)
    file = mutagen.File(path)
    file["title"], file["artist"], file["genre"] = ["Minds\nwide open"], ["Ada", "Bob"], ["Rock; Electronic", "rock"]
    file["license"], file["bpm"] = ["https://creativecommons.org/licenses/by-sa/3.0/"], ["128.5"]
    file.save()
    tags = read_tags(path)
    assert (tags.title, tags.artist) == ("Minds wide open", "Ada")
    assert tags.genres == ("Rock", "Electronic", "rock")
    assert (tags.licence, tags.tempo_bpm) == ("CC-BY-SA-3.0", 128.5)


@pytest.mark.parametrize("kind", ["mp3", "wav"])
def test_id3(tmp_path: Path, write_music: Writer, kind: str) -> None:
    path = write_music(tmp_path / f"a.{kind}", duration_s=1)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TIT2(encoding=3, text="Élan"))
    file.tags.add(mutagen.id3.TPE1(encoding=3, text="Zoë"))
    file.tags.add(mutagen.id3.TCON(encoding=3, text="(17)"))  # a number of ID3v1's list
    file.tags.add(mutagen.id3.TCOP(encoding=3, text="2020 Zoë"))
    file.tags.add(mutagen.id3.WCOP(url="http://creativecommons.org/publicdomain/zero/1.0/"))
    file.tags.add(mutagen.id3.TBPM(encoding=3, text="0"))
    file.save()
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.genres) == ("Élan", "Zoë", ("Rock",))
    assert tags.licence == "CC0-1.0"  # the licence goes before the copyright line
    assert tags.tempo_bpm == 0


def test_a_file_without_tags_is_called_by_its_name(tmp_path: Path, write_music: Writer) -> None:
    tags = read_tags(write_music(tmp_path / "city_chill.wav", duration_s=1))
    assert (tags.title, tags.artist, tags.genres, tags.licence, tags.tempo_bpm) == ("city chill", "", (), "", 0.0)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "flac", "wav"])
def test_damaged_files_raise_nothing(tmp_path: Path, write_music: Writer, kind: str) -> None:
    path = write_music(tmp_path / f"bad.{kind}", duration_s=1)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in (0, 3, 11, 60, 200):
        path.write_bytes(whole[:length])
        assert read_tags(path).title == "bad"
    for _ in range(40):
        hurt = bytearray(whole)
        for at in rng.integers(0, min(600, len(hurt)), 8):
            hurt[at] = rng.integers(256)
        path.write_bytes(hurt)
        tags = read_tags(path)
        assert 0 < len(tags.title) <= 300 and tags.title.isprintable()


def test_names_that_are_no_text() -> None:
    assert title_of(Path(os.fsdecode(b"caf\xe9_\n\x1b[31mred.ogg"))) == "caf\ufffd [31mred"
    assert title_of(Path("\u202e.ogg")) != ""
    assert title_of(Path("__.ogg")) == "untitled"


def test_one_line_bounds_its_length() -> None:
    assert one_line("a\tb\r\n c\u2028d" + "e" * 999) == "a b c d" + "e" * 293


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CC-BY 4.0 see https://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/2.5/", "CC-BY-NC-ND-2.5"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("all rights reserved", "all rights reserved"),
        ("", ""),
    ],
)
def test_spdx(text: str, name: str) -> None:
    assert spdx(text) == name
