"""Tags as several containers spell them, and files that say nothing or nonsense."""

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.id3
import numpy as np
import pytest

from catalog.fields import usable
from catalog.tags import one_line, read_tags, tagged_tempo, title_of

Writer = Callable[..., Path]


@pytest.mark.parametrize("kind", ["ogg", "flac"])
def test_vorbis_comments(tmp_path: Path, write_music: Writer, kind: str) -> None:
    path = write_music(tmp_path / f"a.{kind}", duration_s=1)
    file = mutagen.File(path)
    file["title"], file["artist"], file["genre"] = ["Minds\nwide open"], ["Ada", "Bob"], ["Rock; Electronic", "rock"]
    file["license"], file["bpm"] = ["https://creativecommons.org/licenses/by-sa/3.0/"], ["128.5"]
    file.save()
    tags = read_tags(path)
    assert (tags.title, tags.artist) == ("Minds wide open", "Ada, Bob")
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


SAID = {"title": "Ttl", "artist": "Art", "genre": "Rock", "comment": "music under CC BY 4.0, thanks"}
# What the container cannot hold at all.
LACKS = {"aiff": {"artist", "genre"}, "au": {"comment"}, "w64": set(SAID)}


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("kind", ["wav", "aiff", "mka", "webm", "mkv", "mov", "flv", "avi", "caf", "au", "m4a", "mp3",
                                  "flac", "ogg", "opus", "wv", "tta", "wma", "mp4", "w64"])  # fmt: skip
def test_tags_of_every_container(tmp_path: Path, write_music: Writer, kind: str) -> None:
    source, path = write_music(tmp_path / "source.wav", duration_s=1, rate_hz=48_000), tmp_path / f"a.{kind}"
    words = [word for name, value in SAID.items() for word in ("-metadata", f"{name}={value}")]
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-map_metadata", "-1", *words, path], check=True)
    tags = read_tags(path)
    lacks: set[str] = LACKS.get(kind, set())
    assert tags.title == ("a" if "title" in lacks else "Ttl")
    assert tags.artist == ("" if "artist" in lacks else "Art")
    assert tags.genres == (() if "genre" in lacks else ("Rock",))
    assert tags.licence == ("" if "comment" in lacks else "CC-BY-4.0")


def test_riff_info_beside_id3(tmp_path: Path, write_music: Writer) -> None:
    """What one of the two readers finds does not hide what the other does."""
    path = write_music(tmp_path / "a.wav", duration_s=1)
    chunks = b"".join(
        name + struct.pack("<I", len(text)) + text for name, text in ((b"INAM", b"Name\0\0"), (b"ICOP", b"CC0 \0\0"))
    )
    data = path.read_bytes() + b"LIST" + struct.pack("<I", 4 + len(chunks)) + b"INFO" + chunks
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TPE1(encoding=3, text=["Ada", "Bob"]))
    file.save()
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.licence) == ("Name", "Ada, Bob", "CC0-1.0")


@pytest.mark.parametrize(
    "frame",
    [
        mutagen.id3.USER(encoding=3, lang="eng", text="Licensed to the public under CC BY-SA 3.0"),
        mutagen.id3.WCOP(url="http://creativecommons.org/licenses/by-sa/3.0/de/"),
        mutagen.id3.TXXX(encoding=3, desc="License", text="Creative Commons Attribution-ShareAlike 3.0 Unported"),
        mutagen.id3.WXXX(encoding=3, desc="licence", url="https://creativecommons.org/licenses/by-sa/3.0"),
        mutagen.id3.COMM(encoding=3, lang="eng", desc="", text="cc-by-sa-3.0"),
    ],
)
def test_a_licence_in_any_frame(tmp_path: Path, write_music: Writer, frame: mutagen.id3.Frame) -> None:
    path = write_music(tmp_path / "a.mp3", duration_s=1)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(frame)
    file.tags.add(mutagen.id3.TCOP(encoding=3, text="2020 Zoë"))
    file.save()
    assert read_tags(path).licence == "CC-BY-SA-3.0"


def test_a_comment_that_names_no_licence_is_none(tmp_path: Path, write_music: Writer) -> None:
    path = write_music(tmp_path / "a.flac", duration_s=1)
    file = mutagen.File(path)
    file["comment"] = ["recorded by day, ripped at night"]
    file.save()
    assert read_tags(path).licence == ""


@pytest.mark.parametrize(
    ("text", "bpm"), [("128,5", 128.5), ("128.5", 128.5), ("128 BPM", 128), ("bpm: 90", 90), ("0", 0), ("9999", 0)]
)
def test_tempi_as_people_write_them(tmp_path: Path, write_music: Writer, text: str, bpm: float) -> None:
    path = write_music(tmp_path / "a.mp3", duration_s=1)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TBPM(encoding=3, text=text))
    file.save()
    assert read_tags(path).tempo_bpm == bpm


@pytest.mark.parametrize(
    ("measured", "tagged", "believed"),
    [(140.2, 70, 70), (70, 140, 140), (120, 121, 121), (120, 80, 80), (120, 180, 180), (120, 100, 120), (120, 0, 120),
     (0, 95, 95), (0, 0, 0), (100, 51.4, 51.4), (100, 51.6, 100)],
)  # fmt: skip
def test_a_tagged_tempo_decides_between_multiples(measured: float, tagged: float, believed: float) -> None:
    assert tagged_tempo(measured, tagged) == believed


def test_replay_gain_in_vorbis_comments(tmp_path: Path, write_music: Writer) -> None:
    path = write_music(tmp_path / "a.flac", duration_s=1)
    file = mutagen.File(path)
    file["REPLAYGAIN_TRACK_GAIN"], file["replaygain_track_peak"] = ["-7.50 dB"], ["0.501187"]
    file.save()
    tags = read_tags(path)
    assert tags.lufs == pytest.approx(-10.5) and tags.peak_db == pytest.approx(-6.0, abs=0.01)


@pytest.mark.parametrize(("text", "lufs"), [("+3,25 dB", -21.25), ("6", -24.0), ("-99 dB", None), ("loud", None)])
def test_replay_gain_in_id3(tmp_path: Path, write_music: Writer, text: str, lufs: float | None) -> None:
    path = write_music(tmp_path / "a.mp3", duration_s=1)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TXXX(encoding=3, desc="replaygain_track_gain", text=text))
    file.tags.add(mutagen.id3.TXXX(encoding=3, desc="REPLAYGAIN_TRACK_PEAK", text="-1"))
    file.save()
    assert read_tags(path).lufs == lufs and read_tags(path).peak_db is None


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    ("kind", "coder", "name", "value", "lufs"),
    [
        ("m4a", "aac", "----:com.apple.iTunes:replaygain_track_gain", b"-4.00 dB", -14.0),
        ("wv", "wavpack", "REPLAYGAIN_TRACK_GAIN", "-4.00 dB", -14.0),
        ("opus", "libopus", "R128_TRACK_GAIN", "-1280", -18.0),
    ],
)
def test_gain_in_other_containers(
    tmp_path: Path, write_music: Writer, kind: str, coder: str, name: str, value: bytes | str, lufs: float
) -> None:
    path = tmp_path / f"a.{kind}"
    source = write_music(tmp_path / "a.wav", duration_s=1)
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", source, "-c:a", coder, path], check=True)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    file[name] = [value] if kind != "wv" else value
    file.save()
    assert read_tags(path).lufs == pytest.approx(lufs)
    assert read_tags(source).lufs is None


def test_the_key_of_tags(tmp_path: Path, write_music: Writer) -> None:
    path = write_music(tmp_path / "a.mp3", duration_s=2)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TKEY(encoding=3, text=["F#m"]))
    file.save()
    assert dict(read_tags(path).said) == {"key": "F#m"}
    path = write_music(tmp_path / "a.flac", duration_s=2)
    file = mutagen.File(path)
    file["INITIALKEY"] = "8A"
    file.save()
    assert usable(read_tags(path).said) == (("key", "Am"),)


def test_moods_and_rights_of_tags(tmp_path: Path, write_music: Writer) -> None:
    path = write_music(tmp_path / "a.mp3", duration_s=1)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TMOO(encoding=3, text=["calm", "night"]))
    file.tags.add(mutagen.id3.TXXX(encoding=3, desc="VOD_OK", text="No"))
    file.tags.add(mutagen.id3.TXXX(encoding=3, desc="live_ok", text="perhaps"))
    file.tags.add(mutagen.id3.WOAS(url="https://a.example/b"))
    file.save()
    said = dict(read_tags(path).said)
    assert said == {"moods": "calm; night", "vod_ok": "No", "live_ok": "perhaps", "source": "https://a.example/b"}
    assert dict(usable(said.items())) == {
        "moods": '["calm", "night"]', "vod_ok": "no", "source": "https://a.example/b",
    }  # fmt: skip
    path = write_music(tmp_path / "b.flac", duration_s=1)
    file = mutagen.File(path)
    file["mood"], file["attribution"], file["website"] = ["calm"], ["by Ann"], ["not an address"]
    file.save()
    assert dict(read_tags(path).said) == {"moods": "calm", "attribution": "by Ann"}
