"""A folder and its catalogue: what is added, refreshed, removed, renamed, refused; in this process and in others."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from catalog import pool
from catalog.catalog import Catalog
from catalog.errors import BundleMismatchError, CatalogError, FormatError, LockedError, MusicFolderError
from catalog.indexer import IndexReport, index_folder
from catalog.store import exclusive
from catalog.worker import Heard, Refused
from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES

Writer = Callable[..., Path]
Index = Callable[..., IndexReport]


@pytest.fixture
def music(tmp_path: Path, write_music: Writer) -> Path:
    for i, name in enumerate(("a.wav", "deep/er/b.ogg", "c.mp3")):
        write_music(tmp_path / "music" / name, duration_s=3 + i, seed=i)
    return tmp_path / "music"


@pytest.fixture
def index(tmp_path: Path, engine: OnnxEngine) -> Index:
    def run(music: Path, jobs: int = 1, progress: Callable[[int, int, str], None] = lambda *_: None) -> IndexReport:
        return index_folder(music, tmp_path / "catalogue", engine, jobs, progress)

    return run


def ids(tmp_path: Path, bundle: Bundle) -> dict[str, str]:
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        return {track.path.name: track.id for track in catalog.tracks()}


def counts(report: IndexReport) -> tuple[int, int, int, int, int]:
    return report.added, report.refreshed, report.removed, report.unchanged, len(report.failed)


def touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 5_000_000_000))


def test_a_new_folder_and_then_nothing_new(tmp_path: Path, music: Path, index: Index, bundle: Bundle) -> None:
    steps: list[tuple[int, int, str]] = []
    assert counts(index(music, progress=lambda *step: steps.append(step))) == (3, 0, 0, 0, 0)
    assert [step[:2] for step in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert steps[-1][2] == "deep/er/b.ogg"
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        tracks = catalog.tracks()
        assert {track.path for track in tracks} == {music / "a.wav", music / "c.mp3", music / "deep/er/b.ogg"}
        found = catalog.search(catalog.vector(tracks[0].id), 3)
        for candidate in found:
            assert 0 <= candidate.start_s <= candidate.track.duration_s - 1
            assert candidate.start_s in catalog.beats(candidate.track.id)
    steps.clear()
    assert counts(index(music, progress=lambda *step: steps.append(step))) == (0, 0, 0, 3, 0)
    assert steps == []


def test_changed_vanished_new_touched_renamed(
    tmp_path: Path, music: Path, index: Index, write_music: Writer, bundle: Bundle
) -> None:
    index(music)
    before = ids(tmp_path, bundle)
    write_music(music / "a.wav", duration_s=5, seed=50)
    touch(music / "a.wav")
    (music / "deep/er/b.ogg").unlink()
    (music / "c.mp3").rename(music / "renamed.mp3")
    write_music(music / "new.wav", duration_s=2, seed=51)
    report = index(music)
    assert counts(report) == (1, 1, 1, 0, 0)
    assert (report.renamed, report.duplicates, report.tracks) == (1, 0, 3)
    after = ids(tmp_path, bundle)
    assert set(after) == {"a.wav", "renamed.mp3", "new.wav"}
    assert after["a.wav"] != before["a.wav"] and after["renamed.mp3"] == before["c.mp3"]
    assert {path.stem for path in (tmp_path / "catalogue" / "clips").iterdir()} == set(after.values())
    touch(music / "new.wav")
    assert counts(index(music)) == (0, 0, 0, 3, 0)


def test_two_files_of_one_content_are_one_track(tmp_path: Path, music: Path, index: Index, bundle: Bundle) -> None:
    shutil.copy(music / "a.wav", music / "z.wav")
    report = index(music)
    assert (report.added, report.duplicates, report.tracks) == (3, 1, 3)
    assert report.notes[0].path == music / "z.wav" and "another file" in report.notes[0].text
    assert counts(index(music)) == (0, 0, 0, 4, 0)
    (music / "a.wav").unlink()
    assert counts(index(music)) == (0, 0, 0, 3, 0)
    assert "z.wav" in ids(tmp_path, bundle)


def test_every_bad_file_is_named_and_harms_no_other(
    tmp_path: Path, music: Path, index: Index, write_music: Writer, bundle: Bundle
) -> None:
    (music / "text.mp3").write_text("no music\n" * 500)
    (music / "empty.ogg").touch()
    soundfile.write(music / "silent.wav", np.zeros(48_000), 16_000)
    write_music(music / "short.wav", duration_s=0.5)
    (music / "notes.unknown").write_text("not music, and does not say so")
    (music / "cover.jpg").write_bytes(b"\xff\xd8\xff")
    (music / ".hidden.ogg").write_bytes((music / "deep/er/b.ogg").read_bytes())
    (music / "list.m3u").write_text("a.wav\n")
    (music / "dangling.ogg").symlink_to(music / "nowhere.ogg")
    os.mkfifo(music / "pipe.ogg")
    shutil.copy(music / "a.wav", music / "music_of.unknown")
    cut = write_music(music / "cut.ogg", duration_s=20, seed=9)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    report = index(music)
    reasons = {note.path.name: note.text for note in report.failed}
    assert set(reasons) == {"text.mp3", "empty.ogg", "silent.wav", "short.wav"}
    for name, word in (
        ("text.mp3", "not audio"),
        ("empty.ogg", "empty"),
        ("silent.wav", "silent"),
        ("short.wav", "0.50"),
    ):
        assert word in reasons[name]
    assert report.skipped == 6
    assert report.added == 4 and report.duplicates == 1
    assert {"a.wav", "b.ogg", "c.mp3", "cut.ogg"} == set(ids(tmp_path, bundle))


def test_a_file_that_went_bad_leaves_the_catalogue(tmp_path: Path, music: Path, index: Index) -> None:
    index(music)
    (music / "a.wav").write_text("gone bad, and shorter")
    report = index(music)
    assert counts(report) == (0, 0, 1, 2, 1)
    assert report.tracks == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(music: Path, index: Index) -> None:
    (music / "a.wav").chmod(0)
    report = index(music)
    assert [note.text for note in report.failed] == ["cannot be read: Permission denied"]


def test_a_file_that_cannot_be_read(music: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("catalog.indexer.track_id", refuse)
    report = index(music)
    assert [note.text for note in report.failed] == ["cannot be read: Permission denied"] * 3
    assert report.tracks == 0


@pytest.mark.parametrize("name", [b"line\nbreak.wav", "日本語 🎵.wav".encode(), b"caf\xe9.wav", b"-c.wav"])
def test_any_file_name(tmp_path: Path, index: Index, write_music: Writer, bundle: Bundle, name: bytes) -> None:
    plain = write_music(tmp_path / "plain.wav", duration_s=2)
    music = tmp_path / "music"
    music.mkdir()
    path = music / os.fsdecode(name)
    shutil.copy(plain, path)
    assert index(music).added == 1
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        (track,) = catalog.tracks()
    assert track.path == path and track.title.isprintable()
    path.write_text("bad now")
    (failed,) = index(music).failed
    assert failed.line().isprintable()
    failed.line().encode()


def test_folders_without_music_change_nothing(tmp_path: Path, music: Path, index: Index) -> None:
    with pytest.raises(MusicFolderError, match="no such folder"):
        index(tmp_path / "nowhere")
    with pytest.raises(MusicFolderError, match="not a folder"):
        index(music / "a.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MusicFolderError, match="holds no music"):
        index(tmp_path / "empty")
    assert not (tmp_path / "catalogue").exists()
    index(music)
    for path in music.rglob("*.*"):
        path.unlink()
    with pytest.raises(MusicFolderError, match="nothing was changed"):  # an unmounted disk looks like this
        index(music)


def test_other_folders_tracks_stay(tmp_path: Path, music: Path, index: Index, write_music: Writer) -> None:
    index(music)
    write_music(tmp_path / "more" / "d.wav", duration_s=2, seed=7)
    report = index(tmp_path / "more")
    assert counts(report) == (1, 0, 0, 0, 0) and report.tracks == 4


def test_a_catalogue_inside_the_folder_of_music(music: Path, engine: OnnxEngine) -> None:
    for _ in range(2):
        report = index_folder(music, music / "catalogue", engine, 1, lambda *_: None)
    assert counts(report) == (0, 0, 0, 3, 0) and report.skipped == 0


def test_a_catalogue_of_another_bundle(
    tmp_path: Path, music: Path, index: Index, write_tiny_bundle: Callable[..., Path]
) -> None:
    index(music)
    other = OnnxEngine(load_bundle(write_tiny_bundle(tmp_path / "other", name="other", seed=5), FEATURES))
    with pytest.raises(BundleMismatchError, match="new folder"):
        index_folder(music, tmp_path / "catalogue", other, 1, lambda *_: None)


def test_a_folder_that_is_no_catalogue(tmp_path: Path, music: Path, index: Index) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "thesis.tex").touch()
    with pytest.raises(FormatError, match="not empty"):
        index(music)


def test_two_indexers_on_one_catalogue(tmp_path: Path, music: Path, index: Index) -> None:
    index(music)
    with exclusive(tmp_path / "catalogue"), pytest.raises(LockedError):
        index(music)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, music: Path, index: Index, bundle: Bundle) -> None:
    def stop(done: int, total: int, text: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index(music, progress=stop)
    assert len(ids(tmp_path, bundle)) == 2
    assert counts(index(music)) == (1, 0, 0, 2, 0)


def test_a_disk_that_cannot_be_written(music: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("catalog.store.write_clips", full)
    with pytest.raises(CatalogError, match="No space left"):
        index(music)


def test_a_lock_that_cannot_be_taken_is_no_other_indexer(tmp_path: Path, music: Path, index: Index) -> None:
    index(music)
    (tmp_path / "catalogue" / "index.lock").unlink()
    (tmp_path / "catalogue" / "index.lock").mkdir()
    with pytest.raises(CatalogError, match="cannot be written") as caught:
        index(music)
    assert not isinstance(caught.value, LockedError)


def kill_on_c(path: Path, bundle: str) -> Heard | Refused:
    if path.name == "c.mp3":
        os.kill(os.getpid(), signal.SIGKILL)
    return Refused("seen")


def nothing_to_prepare(bundle: str) -> None: ...


def test_a_file_that_kills_its_process_is_the_only_one_refused(
    music: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Forked here only so that the children know this test's functions; no other thread is running.
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(pool, "hear_in_process", kill_on_c)
    monkeypatch.setattr(pool, "prepare", nothing_to_prepare)
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: fork)
    paths = [*music.rglob("*.*"), *(Path(f"/none/{i}.ogg") for i in range(6))]
    outcomes = dict(pool.hear_all(iter(paths), bundle.path, 2))
    assert set(outcomes) == set(paths)
    assert {path.name for path, outcome in outcomes.items() if outcome != Refused("seen")} == {"c.mp3"}
    assert "ended the process" in outcomes[music / "c.mp3"].reason


def test_processes_hear_what_this_one_hears(tmp_path: Path, music: Path, engine: OnnxEngine, bundle: Bundle) -> None:
    vectors = []
    for jobs in (1, 2):
        folder = tmp_path / f"jobs{jobs}"
        assert counts(index_folder(music, folder, engine, jobs, lambda *_: None)) == (3, 0, 0, 0, 0)
        with Catalog.open(folder, bundle) as catalog:
            vectors.append({track.id: catalog.vector(track.id) for track in catalog.tracks()})
    assert vectors[0].keys() == vectors[1].keys()
    for id, vector in vectors[0].items():
        np.testing.assert_allclose(vectors[1][id], vector, atol=1e-5)
