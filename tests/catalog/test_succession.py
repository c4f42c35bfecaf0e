"""A track that comes back in another encoding goes on, if its old file is gone; what is not the same master is another
track."""

import errno
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from catalog.clips import CLIPS
from catalog.database import DATABASE
from catalog.indexer import index_folder
from catalog.notes import EDIT, Note
from catalog.records import Analysis, Track
from catalog.report import IndexReport
from catalog.sketch import sketch
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from catalog.succession import Former, Sounds, is_another_encoding
from engines.onnx_engine import OnnxEngine
from features.decode.sound import decode

pytestmark = pytest.mark.needs("ffmpeg")
RATE_HZ = 44_100
SECONDS = 16
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "music"


def tune(seed: int, mix: float = 1.0) -> np.ndarray:
    """(n, 2) chords and hits; ``mix``: how loud the high notes are."""
    generator = np.random.default_rng(seed)
    t = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    sound = np.zeros(len(t))
    for second in range(SECONDS * 2):
        at = (t >= second / 2) & (t < second / 2 + 0.5)
        own = t[at] - second / 2
        for note in generator.integers(45, 85, 4):
            hz = 440 * 2 ** ((note - 69) / 12)
            loud = mix if note > 65 else 1.0
            for k in range(1, 6):
                sound[at] += loud * np.exp(-3 * own) * np.sin(2 * np.pi * hz * k * own) / k
        sound[at] += 0.3 * np.exp(-40 * own) * generator.standard_normal(len(own))
    return np.repeat((0.12 * sound)[:, None], 2, axis=1).astype(np.float32)


def write(path: Path, sound: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
    return path


def encoded(source: Path, name: str | Path, *options: str) -> Path:
    made = source.parent / name
    subprocess.run(["ffmpeg", "-v", "fatal", "-y", "-i", str(source), *options, str(made)], check=True)
    return made


@pytest.fixture
def index(tmp_path: Path, engine: OnnxEngine) -> Callable[[], IndexReport]:
    return lambda: index_folder(tmp_path / "music", tmp_path / "c", engine, 1, lambda *_: None)


def ids(tmp_path: Path) -> dict[str, str]:
    """Id by file name, of files that are there."""
    with closing(Store(tmp_path / "c", write=False)) as store:
        return {stored.track.path.name: stored.track.id for stored in store.tracks()}


def gone_on(tmp_path: Path, index: Callable[[], IndexReport]) -> dict[str, str]:
    """``a.mp3``, which goes on with the track of a file that is gone."""
    master = write(tmp_path / "music" / "a.wav", tune(1))
    index()
    encoded(master, "a.mp3", "-b:a", "128k")
    master.unlink()
    index()
    return ids(tmp_path)


def test_one_track_through_three_encodings(tmp_path: Path, index: Callable[[], IndexReport]) -> None:
    master = write(tmp_path / "music" / "a.wav", tune(1))
    write(tmp_path / "music" / "other.wav", tune(2))
    index()
    id = ids(tmp_path)["a.wav"]
    with closing(Store(tmp_path / "c", write=True)) as store:
        store.notes.put(EDIT, [Note(master, 0.0, "live_ok", "yes")])
    mp3 = encoded(master, "a.mp3", "-b:a", "128k")
    master.unlink()
    report = index()
    assert (report.recoded, report.added, report.missing, report.tracks) == (1, 0, 0, 2)
    assert "the same track goes on" in report.notes[0].text and ids(tmp_path)["a.mp3"] == id
    m4a = encoded(mp3, "renamed.m4a", "-c:a", "aac", "-b:a", "128k")
    mp3.unlink()
    assert index().recoded == 1 and ids(tmp_path)["renamed.m4a"] == id
    with closing(Store(tmp_path / "c", write=False)) as store:
        (track,) = (stored.track for stored in store.tracks() if stored.track.id == id)
        assert track.rights.live_ok is True and track.path == m4a
        assert store.check() == []
    m4a.rename(m4a.with_name("moved.m4a"))  # its sound is known, though it is not the one of the id
    report = index()
    assert (report.recoded, report.added, report.unchanged) == (0, 0, 1) and ids(tmp_path)["moved.m4a"] == id


def test_a_file_that_is_replaced_in_its_place_goes_on(tmp_path: Path, index: Callable[[], IndexReport]) -> None:
    path = write(tmp_path / "music" / "a.flac", tune(1))
    index()
    before = ids(tmp_path)
    path.write_bytes(encoded(path, "b.ogg", "-c:a", "libopus", "-b:a", "128k").read_bytes())
    path.with_name("b.ogg").unlink()
    report = index()
    assert (report.recoded, report.refreshed) == (1, 0) and ids(tmp_path) == before


def test_what_is_damaged_of_a_track_that_went_on_costs_no_id(tmp_path: Path, index: Callable[[], IndexReport]) -> None:
    """Its sound is not the one that its id is of, so what is known of that must outlast the analysis; also where the
    run ends between."""
    before = gone_on(tmp_path, index)
    for clips in (tmp_path / "c" / CLIPS).iterdir():
        clips.write_bytes(clips.read_bytes()[:-4])
    with closing(Store(tmp_path / "c", write=True)) as store:  # a run that was killed after its first step
        assert store.sweep(1) == set(before.values()) and not store.ids()
        assert not store.knows(before["a.mp3"]) and store.sounds.known() == set()
    report = index()
    assert (report.added, report.failed) == (0, ()) and ids(tmp_path) == before
    with closing(Store(tmp_path / "c", write=True)) as store:
        assert len(store.sounds.known()) == 2 and store.check() == []
        store.forget([tmp_path / "music" / "a.mp3"])
        assert store.sounds.known() == set() and store.check() == []


def test_a_schema_whose_sounds_went_with_their_tracks(tmp_path: Path, index: Callable[[], IndexReport]) -> None:
    before = gone_on(tmp_path, index)
    with closing(sqlite3.connect(tmp_path / "c" / DATABASE)) as db:
        db.executescript(
            """
            ALTER TABLE sounds RENAME TO newer;
            CREATE TABLE sounds (sound TEXT PRIMARY KEY, track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE)
                WITHOUT ROWID;
            INSERT INTO sounds SELECT sound, track FROM newer;
            DROP TABLE newer;
            CREATE INDEX sounds_by_track ON sounds(track);
            PRAGMA user_version = 10;
            """
        )
    with closing(Store(tmp_path / "c", write=False)) as store:
        assert len(store.sounds.known()) == 2 and store.check() == []
    with closing(Store(tmp_path / "c", write=True)) as store:
        assert len(store.sounds.known()) == 2 and store.check() == []
        assert store.sweep(1) == set(before.values())
    assert index().tracks == 1 and ids(tmp_path) == before


def test_a_part_takes_nothing_over_from_another_part_of_its_file(
    tmp_path: Path, index: Callable[[], IndexReport]
) -> None:
    """The same music twice in an album: what begins a moment later is no successor of the track that is still there."""
    same = tune(1)
    album = write(tmp_path / "music" / "a.wav", np.concatenate([same, same, tune(2)]))
    sheet = 'FILE "a.wav" WAVE\n' + "".join(
        f'  TRACK {number:02} AUDIO\n    TITLE "{number}"\n    INDEX 01 {{}}\n' for number in (1, 2, 3)
    )
    album.with_suffix(".cue").write_text(sheet.format("00:00:00", "00:16:00", "00:32:00"))
    index()
    with closing(Store(tmp_path / "c", write=False)) as store:
        first, second, third = (track.id for track in store.names(album))
    album.with_suffix(".cue").write_text(sheet.format("00:00:00", "00:16:00", "00:31:70"))
    index()
    with closing(Store(tmp_path / "c", write=False)) as store:
        now = [track.id for track in store.names(album)]
    assert len(now) == 3 and now[0] == first and now[1:] == [second, third]


def test_a_track_whose_file_was_only_moved_is_taken_over_by_none(
    tmp_path: Path, index: Callable[[], IndexReport]
) -> None:
    """Masters go to another folder, and copies for listening take their places, all between two runs."""
    master = write(tmp_path / "music" / "a.wav", tune(1))
    index()
    before = ids(tmp_path)["a.wav"]
    encoded(master, "a.mp3", "-b:a", "128k")
    (tmp_path / "music" / "masters").mkdir()
    master.rename(tmp_path / "music" / "masters" / "a.wav")
    report = index()
    assert (report.renamed, report.added, report.recoded, report.copies) == (1, 1, 0, 1)
    assert ids(tmp_path)["a.wav"] == before != ids(tmp_path)["a.mp3"]


def test_of_several_that_went_the_one_that_was_suggested_goes_on(tmp_path: Path) -> None:
    """The file that is replaced in its place, then what was there until now, then lossless before lossy."""
    ones, seconds = np.ones((2, 3), np.float32), 20.0
    vectors = np.eye(2, 4, dtype=np.float32)
    analysis = Analysis(seconds, 60.0, ones[0], ones, ones, np.arange(2), np.zeros(2, np.float32), vectors, None)
    with closing(Store(tmp_path, write=True)) as store:
        for id, lossless in (("aa", False), ("bb", True), ("cc", True), ("dd", False)):
            track = Track(id, id, "", tmp_path / id, seconds, 60.0, "", ())
            store.put(track.path, FileStamp(1, 1), [Entry(track, analysis, lossless=lossless)])
        store.miss([tmp_path / "bb"])
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute("UPDATE tracks SET loudness = zeroblob(80)")
    with closing(Store(tmp_path, write=False)) as store:
        assert [former.id for former in store.sounds.former(seconds, tmp_path / "new")] == ["cc", "aa", "dd", "bb"]
        assert [former.id for former in store.sounds.former(seconds, tmp_path / "dd")] == ["dd", "cc", "aa", "bb"]


def test_a_former_file_whose_drive_fails_is_taken_to_be_there(
    tmp_path: Path, engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = write(tmp_path / "disk" / "a.wav", tune(1))
    index_folder(tmp_path / "disk", tmp_path / "c", engine, 1, lambda *_: None)
    (tmp_path / "music").mkdir()
    encoded(master, "a.mp3", "-b:a", "128k").rename(tmp_path / "music" / "a.mp3")
    exists = Path.exists

    def failing(path: Path) -> bool:
        if path == master:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return exists(path)

    monkeypatch.setattr(Path, "exists", failing)
    report = index_folder(tmp_path / "music", tmp_path / "c", engine, 1, lambda *_: None)
    assert (report.added, report.recoded) == (1, 0)


def test_while_both_are_there_they_are_two_files_of_a_recording(
    tmp_path: Path, index: Callable[[], IndexReport]
) -> None:
    master = write(tmp_path / "music" / "a.wav", tune(1))
    index()
    encoded(master, "a.mp3", "-b:a", "128k")
    report = index()
    assert (report.recoded, report.added, report.copies) == (0, 1, 1)
    assert "is a recording that another file has as well" in report.notes[0].text
    before = ids(tmp_path)
    assert len(set(before.values())) == 2
    master.unlink()  # the copy was a track of its own by then, and stays that
    assert index().missing == 1 and ids(tmp_path)["a.mp3"] == before["a.mp3"]


@pytest.mark.parametrize(
    "other",
    [
        lambda: 0.5 * tune(1),
        lambda: np.tanh(4 * tune(1)) / 4,
        lambda: tune(1, 0.4),
        lambda: tune(1)[RATE_HZ // 2 :],
        lambda: np.concatenate([tune(1)[: 8 * RATE_HZ], tune(3)[8 * RATE_HZ :]]),
        lambda: 0.7 * tune(1) + 0.7 * tune(3),
        lambda: tune(3),
    ],
    ids=["level", "master", "balance", "cut", "half of another", "parts of one pack", "other"],
)
def test_what_is_not_the_same_master_is_another_track(
    tmp_path: Path, index: Callable[[], IndexReport], other: Callable[[], np.ndarray]
) -> None:
    master = write(tmp_path / "music" / "a.wav", tune(1))
    index()
    before = ids(tmp_path)["a.wav"]
    master.unlink()
    write(tmp_path / "music" / "b.wav", other())
    report = index()
    assert (report.recoded, report.added, report.missing) == (0, 1, 1)
    assert ids(tmp_path)["b.wav"] != before


def test_a_disk_that_is_away_keeps_its_tracks(tmp_path: Path, engine: OnnxEngine) -> None:
    master = write(tmp_path / "disk" / "deep" / "a.wav", tune(1))
    here = tmp_path / "music"
    here.mkdir()
    index_folder(tmp_path / "disk", tmp_path / "c", engine, 1, lambda *_: None)
    encoded(master, "a.mp3", "-b:a", "128k").rename(here / "a.mp3")
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    report = index_folder(here, tmp_path / "c", engine, 1, lambda *_: None)
    assert (report.recoded, report.added) == (0, 1)


def test_the_old_file_that_is_back_is_told(tmp_path: Path, index: Callable[[], IndexReport]) -> None:
    master = write(tmp_path / "music" / "a.wav", tune(1))
    index()
    encoded(master, "a.mp3", "-b:a", "128k")
    away = master.rename(tmp_path / "a.wav")
    assert index().recoded == 1
    away.rename(master)
    report = index()
    assert (report.duplicates, report.added, report.tracks) == (1, 0, 1)
    assert "has the sound of another file" in report.notes[0].text


def test_it_goes_on_whole_or_not_at_all(
    tmp_path: Path, index: Callable[[], IndexReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    master = write(tmp_path / "music" / "a.wav", tune(1))
    index()
    before = ids(tmp_path)["a.wav"]
    encoded(master, "a.mp3", "-b:a", "128k")
    master.unlink()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sounds, "hand_over", killed)
    with pytest.raises(KeyboardInterrupt):
        index()
    monkeypatch.undo()
    with closing(Store(tmp_path / "c", write=False)) as store:
        assert store.ids() == {before} and store.check() == []
    assert index().recoded == 1 and ids(tmp_path) == {"a.mp3": before}


def test_real_music_through_codecs(tmp_path: Path) -> None:
    """Each encoding is of its own track and of no other; other masters are of none."""
    paths = [REAL / f"{name}.ogg" for name in ("neverball_track1", "opensurge_menu")]
    if not all(path.exists() for path in paths):
        pytest.skip(f"{REAL} is absent")
    wholes = [encoded(path, tmp_path / f"{path.stem}.flac", "-t", "16") for path in paths]
    former = [heard(whole) for whole in wholes]
    codecs = {"a.mp3": ("-b:a", "128k"), "a.m4a": ("-c:a", "aac", "-b:a", "128k"), "a.opus": ("-b:a", "96k")}
    masters = {"gain": "volume=-3dB", "middle": "equalizer=f=1000:t=q:w=1:g=3"}
    for at, whole in enumerate(wholes):
        for name, options in codecs.items():
            own = heard(encoded(whole, tmp_path / name, *options))
            found = [is_another_encoding(own.sketch, own.loudness, own.duration_s, other) for other in former]
            assert found == [other == at for other in range(len(former))], name
        for name, change in masters.items():
            own = heard(encoded(whole, tmp_path / "a.flac", "-af", change))
            assert not is_another_encoding(own.sketch, own.loudness, own.duration_s, former[at]), name


def heard(path: Path) -> Former:
    sound = decode(path, levels=True)
    assert sound.levels is not None
    return Former("", sound.duration_s, sketch(sound.samples).data, sound.levels.seconds())
