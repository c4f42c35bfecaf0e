"""A corpus out of real files: what is in it, what is left out and why, and that a broken run goes on."""

import csv
import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from segue import main
from studio import pairs
from studio.music import render
from towers.corpora.build import build
from towers.corpora.build_report import BuildOptions
from towers.corpora.corpus import open_corpus
from towers.corpora.lists.readers import read_lists
from towers.errors import CorpusError

RATE = 16_000


def piece(seed: int, seconds: int) -> np.ndarray:
    rng = np.random.default_rng([7, seed])
    recipe = pairs.music_recipe(pairs.draw_latent(rng), rng)
    return render.render(recipe, seconds, rate_hz=RATE).mean(axis=1, dtype=np.float32)


def write(path: Path, sound: np.ndarray | None, seconds: int, still: bool = False) -> Path:
    """A square that moves over noise, with ``sound`` at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ground = np.random.default_rng(1).integers(0, 200, (90, 160, 3), dtype=np.uint8)
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = 160, 90, "yuv420p"
        audio = None if sound is None else out.add_stream("aac", rate=RATE)
        for at in range(10 * seconds):
            picture = ground.copy()
            left = 40 if still else (at * 3) % 120
            picture[30:60, left : left + 30] = 255
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(pictures.encode(None))
        if audio is not None and sound is not None:
            for start in range(0, len(sound) - 1023, 1024):
                frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five musics of 12 s, the first in two videos; one of 60 s; and what cannot be used."""
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(5):
        write(folder / "good" / f"{seed}.mp4", piece(seed, 13), 13)
    write(folder / "good" / "again.mp4", 0.5 * piece(0, 13)[RATE // 2 :], 12)
    write(folder / "long.mp4", piece(9, 60), 60)
    write(folder / "bad" / "silent.mp4", np.zeros(13 * RATE, np.float32), 13)
    write(folder / "bad" / "mute.mp4", None, 3)
    write(folder / "bad" / "still.mp4", piece(20, 13), 13, still=True)
    write(folder / "bad" / "short.mp4", piece(21, 5), 5)
    (folder / "bad" / "text.mp4").write_text("no video")
    return folder


def run(out: Path, folder: Path, **options: int) -> dict[str, dict[str, str]]:
    assert list(build(out, read_lists([folder], None, None).sources, BuildOptions(**options)))[-1].outcome is None
    with (out / "sources.csv").open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def files(folder: Path) -> dict[str, bytes]:
    """The corpus without its cache, whose zip files hold times."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "cache")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.usefixtures("two_threads")
def test_windows_splits_and_reasons(videos: Path, tmp_path: Path) -> None:
    told = run(tmp_path / "one", videos, jobs=1)
    corpus = open_corpus(tmp_path / "one")
    pairs_in = {split: corpus.split(split).pairs for split in ("train", "val", "test")}
    assert sum(map(len, pairs_in.values())) == sum(int(row["windows"]) for row in told.values())
    musics = {split: {pair.music for pair in found} for split, found in pairs_in.items()}
    assert not musics["train"] & (musics["val"] | musics["test"]) and not musics["val"] & musics["test"]
    alike = {pair.music for found in pairs_in.values() for pair in found if pair.id[:6] in ("good/0", "good/a")}
    assert len(alike) == 1  # two files, one music
    whys = {name.partition("/")[2]: row["reason"] for name, row in told.items() if name.startswith("bad/")}
    assert "silence" in whys["silent.mp4"] and "no audio stream" in whys["mute.mp4"]
    assert "still picture" in whys["still.mp4"] and "at least 8 s" in whys["short.mp4"]
    assert "no video" in whys["text.mp4"]
    report = (tmp_path / "one" / "report.md").read_text()
    assert "of 12 sources are used" in report and "## Left out" in report

    short = next(found for found in pairs_in.values() for pair in found if pair.id == "good/1.mp4#0")
    pair = next(pair for pair in short if pair.id == "good/1.mp4#0")
    assert pair.clips == 3 and pair.tags == ("good",) and pair.latent["file"].endswith("1.mp4")
    split = corpus.split(told["good/1.mp4"]["split"])
    row = [one.id for one in split.pairs].index("good/1.mp4#0")
    assert split.mask()[row].tolist() == [True] * 3 + [False] * 4
    for name in ("thumbs", "clip_mel", "clip_frames", "rhythm"):
        values = split.column(name).row(row)
        there = 12 if name == "thumbs" else 3
        assert values[:there].any() and not values[there:].any()
    assert (split.column("displacement").row(row)[:3] > 0.05).all()  # the square crosses the picture

    # Any number of processes writes the same bytes, and a second run measures nothing.
    again = run(tmp_path / "two", videos, jobs=2)
    assert again == told and files(tmp_path / "one") == files(tmp_path / "two")
    cache = {path: path.stat().st_mtime_ns for path in (tmp_path / "two" / "cache").iterdir()}
    run(tmp_path / "two", videos, jobs=1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "two" / "cache").iterdir()} == cache
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_broken_run_goes_on_and_a_longer_list_drops_old_shards(videos: Path, tmp_path: Path) -> None:
    listed = read_lists([videos / "good"], None, None).sources
    running = build(tmp_path / "c", listed[:4], BuildOptions())
    next(running), next(running)
    running.close()  # as if it had been stopped after the first source
    assert len(list((tmp_path / "c" / "cache").iterdir())) == 1
    with pytest.raises(CorpusError, match="no finished corpus"):
        open_corpus(tmp_path / "c")
    list(build(tmp_path / "c", listed[:4], BuildOptions()))
    few = {pair.id for split in ("train", "val", "test") for pair in open_corpus(tmp_path / "c").split(split).pairs}
    list(build(tmp_path / "c", listed, BuildOptions()))
    corpus = open_corpus(tmp_path / "c")
    more = {pair.id for split in ("train", "val", "test") for pair in corpus.split(split).pairs}
    assert few < more
    shards = {path.name for path in (tmp_path / "c").iterdir() if path.is_dir() and path.name != "cache"}
    assert shards == {name for names in corpus.shards.values() for name in names}


def test_a_video_that_sorts_first_moves_no_pair(videos: Path, tmp_path: Path) -> None:
    """It has the music of one that is in already, under another name and at another level."""
    folder = tmp_path / "mine"
    shutil.copytree(videos / "good", folder)
    (folder / "again.mp4").unlink()
    before = {name: row["split"] for name, row in run(tmp_path / "c", folder).items()}
    assert set(before.values()) == {"train", "val", "test"}
    for seed in range(5):
        write(folder / f"!{seed}.mp4", 0.6 * piece(seed, 13)[RATE // 4 :], 12)
    after = {name: row["split"] for name, row in run(tmp_path / "c", folder).items()}
    assert {name: after[name] for name in before} == before
    assert all(after[name] in ("train", "") for name in after if name not in before)
    (tmp_path / "c" / "build.json").write_text("[]")
    with pytest.raises(CorpusError, match=r"build.json is damaged"):
        run(tmp_path / "c", folder)


def test_a_list_with_tracks_and_moments(videos: Path, tmp_path: Path) -> None:
    """The music of a file of its own, from the moment that the list says."""
    sound = piece(30, 40)
    soundfile.write(tmp_path / "track.wav", sound, RATE)
    rows = [f"{videos / 'good' / f'{seed}.mp4'},,,train" for seed in (1, 2)]
    rows += [f"{videos / 'good' / '3.mp4'},{tmp_path / 'track.wav'},20,test"]
    (tmp_path / "list.csv").write_text("video,music,music_start,split\n" + "\n".join(rows) + "\n")
    with pytest.raises(CorpusError, match="at least 3"):
        list(build(tmp_path / "few", read_lists([tmp_path / "list.csv"], None, None).sources[:2], BuildOptions()))
    list(build(tmp_path / "c", read_lists([tmp_path / "list.csv"], None, None).sources, BuildOptions()))
    split = open_corpus(tmp_path / "c").split("test")
    (pair,) = split.pairs
    assert pair.start_s == 20.0 and pair.clips == 3

    from features.loudness import loudness
    from features.music import clip_features

    part, lufs = sound[20 * RATE : 24 * RATE], loudness(sound)  # of the whole track, as a catalogue hears it
    (mel, *_) = [clip["clip_mel"] for clip in clip_features(part, ("clip_mel",), lufs)]
    np.testing.assert_allclose(split.column("clip_mel").row(0)[0], mel.astype(np.float16), atol=0.05)


def test_the_command_says_what_became_of_everything(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", "build", str(videos), "-o", str(tmp_path / "c")]) == 0
    said = capsys.readouterr()
    assert "12/12 sources" in said.err and "bad/text.mp4: is no video" in said.err
    assert "sources are used" in said.out
    assert json.loads((tmp_path / "c" / "manifest.json").read_text())["name"].startswith("built-")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    assert main(["corpus", "build", str(videos), "-o", str(tmp_path / "other")]) == 2
    assert "give another folder" in capsys.readouterr().err
