"""A folder and its catalogue: what is added, refreshed, removed, renamed, refused; in this process and in others."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.id3
import numpy as np
import pytest
import soundfile

from catalog import mirror, pool
from catalog.catalog import Catalog
from catalog.clips import CLIPS
from catalog.database import exclusive
from catalog.errors import BundleMismatchError, CatalogError, FormatError, LockedError, MusicFolderError
from catalog.indexer import index_folder
from catalog.report import IndexReport
from catalog.worker import AnalysedFile, EngineSpec, Job, RejectedFile
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
    def run(
        music: Path,
        jobs: int = 1,
        progress: Callable[[int, int, str], None] = lambda *_: None,
        forget_missing: bool = False,
    ) -> IndexReport:
        return index_folder(music, tmp_path / "catalogue", engine, jobs, progress, forget_missing=forget_missing)

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
    assert counts(report) == (1, 1, 0, 0, 0)
    assert (report.renamed, report.missing, report.duplicates, report.tracks) == (1, 1, 0, 3)
    after = ids(tmp_path, bundle)
    assert set(after) == {"a.wav", "renamed.mp3", "new.wav"}
    assert after["a.wav"] != before["a.wav"] and after["renamed.mp3"] == before["c.mp3"]
    kept = {path.name.partition("-")[0] for path in (tmp_path / "catalogue" / CLIPS).iterdir()}
    assert kept == {*after.values(), before["b.ogg"]}
    touch(music / "new.wav")
    assert counts(index(music)) == (0, 0, 0, 3, 0)


def test_two_files_of_one_content_are_one_track(tmp_path: Path, music: Path, index: Index, bundle: Bundle) -> None:
    shutil.copy(music / "a.wav", music / "z.wav")
    report = index(music)
    assert (report.added, report.duplicates, report.tracks) == (3, 1, 3)
    assert report.notes[0].path == music / "z.wav" and "sound of another file" in report.notes[0].text
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
    assert counts(report) == (0, 0, 0, 2, 1)
    assert (report.tracks, report.missing) == (2, 1)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(music: Path, index: Index) -> None:
    (music / "a.wav").chmod(0)
    report = index(music)
    assert [note.text for note in report.failed] == ["cannot be read: Permission denied"]


def test_a_file_that_cannot_be_read(music: Path, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("av.open", refuse)
    report = index(music)
    assert [note.text for note in report.failed] == ["cannot be read: Permission denied"] * 3
    assert report.tracks == 0 and not (tmp_path / "catalogue").exists()


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


@pytest.mark.parametrize("absent", [False, True])
def test_what_was_heard_outlives_an_unmounted_disk(
    tmp_path: Path, music: Path, index: Index, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, absent: bool
) -> None:
    """Its folder is empty or not there; the tracks are not suggested meanwhile, and nothing is analysed again."""
    index(music)
    before = ids(tmp_path, bundle)
    music.rename(tmp_path / "away")
    if not absent:
        music.mkdir()
    report = index(music)
    assert (report.missing, report.removed, report.tracks) == (3, 0, 0)
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert catalog.search(np.eye(32, dtype=np.float32)[0], 5) == [] and catalog.tracks() == []
    if not absent:
        music.rmdir()
    (tmp_path / "away").rename(music)
    monkeypatch.setattr(mirror, "analyse_file", lambda *_: pytest.fail("analysed again"))
    report = index(music)
    assert (report.returned, report.missing, report.tracks) == (3, 0, 3)
    assert ids(tmp_path, bundle) == before


def test_missing_tracks_go_when_asked_for_and_other_folders_stay(
    tmp_path: Path, music: Path, index: Index, write_music: Writer, bundle: Bundle
) -> None:
    index(music)
    write_music(tmp_path / "more" / "d.wav", duration_s=2, seed=7)
    index(tmp_path / "more")
    shutil.rmtree(music / "deep")
    shutil.rmtree(tmp_path / "more")
    report = index(music, forget_missing=True)
    assert (report.removed, report.missing, report.tracks) == (1, 0, 3)  # d.wav is not asked about
    report = index(tmp_path / "more", forget_missing=True)
    assert (report.removed, report.tracks) == (1, 2)
    assert set(ids(tmp_path, bundle)) == {"a.wav", "c.mp3"}


@pytest.mark.parametrize("name", ["a.wav", "deep/er/b.ogg", "c.mp3", "d.flac"])
def test_a_tag_edit_keeps_id_and_analysis(
    tmp_path: Path,
    music: Path,
    index: Index,
    write_music: Writer,
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    write_music(music / "d.flac", duration_s=3, seed=9)
    index(music)
    before = ids(tmp_path, bundle)
    file = mutagen.File(music / name, easy=True)
    if file.tags is None:
        file.add_tags()
    if name == "a.wav":
        file.tags.add(mutagen.id3.TIT2(encoding=3, text="Neu"))
    else:
        file["title"] = "Neu"
    file.save()
    (music / name).rename(music / f"renamed{Path(name).suffix}")
    monkeypatch.setattr("catalog.analysis.analyse", lambda *_: pytest.fail("analysed again"))
    report = index(music)
    assert (report.renamed, report.unchanged, report.missing, report.removed) == (1, 3, 0, 0)
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert catalog.track(before[Path(name).name]).title == "Neu"
    file = mutagen.File(music / f"renamed{Path(name).suffix}", easy=True)
    file.delete()
    touch(music / f"renamed{Path(name).suffix}")
    report = index(music)
    assert (report.retagged, report.unchanged) == (1, 3)
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert catalog.track(before[Path(name).name]).title == "renamed"


def test_a_lost_or_damaged_clip_file_is_made_again(tmp_path: Path, music: Path, index: Index, bundle: Bundle) -> None:
    index(music)
    before = ids(tmp_path, bundle)
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        asked = {name: catalog.vector(id) for name, id in before.items()}
    clips = tmp_path / "catalogue" / CLIPS
    next(clips.glob(f"{before['a.wav']}*")).unlink()
    hurt = next(clips.glob(f"{before['c.mp3']}*"))
    hurt.write_bytes(hurt.read_bytes()[:-4])
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:  # what is hurt is left out, the rest goes on
        assert [c.track.path.name for c in catalog.search(asked["a.wav"], 3)] == ["b.ogg"]
    report = index(music)
    assert (report.healed, report.unchanged, report.added) == (2, 1, 0)
    assert ids(tmp_path, bundle) == before
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert len(catalog.search(asked["a.wav"], 3)) == 3


def test_linked_folders_are_looked_into_once(tmp_path: Path, music: Path, index: Index, write_music: Writer) -> None:
    elsewhere = write_music(tmp_path / "other disk" / "d.wav", duration_s=2, seed=7).parent
    (music / "linked").symlink_to(elsewhere)
    (music / "again").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(music)
    (music / "a link.wav").symlink_to(music / "a.wav")
    (music / "to itself").symlink_to(music / "to itself")
    report = index(music)
    assert (report.added, report.duplicates, report.tracks) == (4, 0, 4)
    elsewhere.rename(tmp_path / "unmounted")
    report = index(music)
    assert (report.unchanged, report.missing) == (3, 1)


@pytest.mark.parametrize("ending", ["mod", "xm", "it", "s3m", "mid"])
def test_notes_without_sound_are_passed_over_with_a_word(music: Path, index: Index, ending: str) -> None:
    (music / f"tune.{ending}").write_bytes(b"Extended Module: " + bytes(range(256)) * 20)
    report = index(music)
    assert (report.scores, report.failed, report.tracks) == (1, (), 3)
    assert f"1 .{ending} passed over" in report.notes[-1].text and "render" in report.notes[-1].text


def test_a_first_run_that_is_stopped_or_finds_nothing_leaves_no_catalogue(
    tmp_path: Path, music: Path, index: Index
) -> None:
    def stop(done: int, total: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index(music, progress=stop)
    assert not (tmp_path / "catalogue").exists()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mp3").write_text("text")
    assert index(tmp_path / "bad").tracks == 0
    assert not (tmp_path / "catalogue").exists()


def test_a_new_catalogue_is_described_under_its_lock(tmp_path: Path, music: Path, index: Index) -> None:
    """Else two first runs with different bundles leave the description of one and the vectors of the other."""
    (tmp_path / "catalogue").mkdir()
    with exclusive(tmp_path / "catalogue"), pytest.raises(LockedError):
        index(music)
    assert not (tmp_path / "catalogue" / "catalog.json").exists()
    assert index(music).tracks == 3


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


def kill_on_c(job: Job, source: object, catalog: Path) -> AnalysedFile | RejectedFile:
    if job.path.name == "c.mp3":
        os.kill(os.getpid(), signal.SIGKILL)
    return RejectedFile("seen")


def nothing_to_prepare(bundle: str) -> None: ...


def test_a_file_that_kills_its_process_is_the_only_one_refused(
    music: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Forked here only so that the children know this test's functions; no other thread is running.
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(pool, "analyse_in_process", kill_on_c)
    monkeypatch.setattr(pool, "prepare", nothing_to_prepare)
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: fork)
    paths = [*music.rglob("*.*"), *(Path(f"/none/{i}.ogg") for i in range(6))]
    outcomes = dict(pool.analyse_all((Job(path) for path in paths), EngineSpec(str(bundle.path)), music, 2))
    assert set(outcomes) == set(paths)
    assert {path.name for path, outcome in outcomes.items() if outcome != RejectedFile("seen")} == {"c.mp3"}
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


def test_the_tagged_tempo_decides_which_beats_are_kept(
    tmp_path: Path, index: Index, write_music: Writer, bundle: Bundle
) -> None:
    path = write_music(tmp_path / "music" / "a.flac", duration_s=24, bpm=85)
    index(tmp_path / "music")
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        (plain,) = catalog.tracks()
        slow = catalog.beats(plain.id)
    shutil.rmtree(tmp_path / "catalogue")
    file = mutagen.File(path)
    file["bpm"], file["replaygain_track_gain"] = "170", "-2.0 dB"
    file.save()
    index(tmp_path / "music")
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        (track,) = catalog.tracks()
        fast = catalog.beats(track.id)
        told = catalog.outline(track.id)
    assert np.median(np.diff(slow)) == pytest.approx(60 / 85, abs=0.02)
    assert np.median(np.diff(fast)) == pytest.approx(30 / 85, abs=0.02)
    assert track.tempo_bpm == pytest.approx(170, abs=2) and track.tagged_lufs == pytest.approx(-16.0)
    assert told is not None and told.tempi and len(told.loudness) == 24
