"""Cuts: exact to the sample from any format, at their level, with their rise and fall, while they are written."""

import asyncio
import importlib.util
import shutil
import threading
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.obs import cut as cuts_module
from stream.obs import cuts as cuts_folder
from stream.obs.cut import Cut, Piece
from stream.obs.cuts import STUB_BYTES, Cuts
from stream.server.track_pcm import TrackPcm

SECONDS = 40.0


@pytest.fixture(scope="module")
def excerpting() -> Any:
    """A signal in which every place is told from every other, in many encodings: of the server's tests."""
    path = Path(__file__).parents[1] / "server" / "excerpting.py"
    spec = importlib.util.spec_from_file_location("excerpting_for_cuts", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def piece(path: Path, start_s: float, gain_db: float = 0.0, rise_s: float = 0.0, length_s: float = SECONDS) -> Piece:
    return Piece(path, length_s, 0.0, length_s, start_s, rise_s, gain_db)


def within(folder: Path) -> set[Path]:
    return set(folder.iterdir())


def read(file: Path) -> tuple[int, np.ndarray]:
    with wave.open(str(file)) as opened:
        samples = np.frombuffer(opened.readframes(opened.getnframes()), np.int16)
        return opened.getframerate(), samples.reshape(-1, opened.getnchannels()).astype(np.float64)


@pytest.fixture(scope="module")
def flac(excerpting: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return excerpting.write(tmp_path_factory.mktemp("music"), "flac", SECONDS)


@pytest.mark.parametrize("kind", ["mp3 cbr", "mp3 vbr", "mp3 untagged", "vorbis", "flac", "aac"])
def test_a_cut_begins_where_it_was_asked_for(excerpting: Any, tmp_path: Path, kind: str) -> None:
    path = excerpting.write(tmp_path, kind, SECONDS)
    cut = Cut(piece(path, 21.357), tmp_path / "cut.wav")
    cut.write()
    assert cut.failure == "" and cut.ready.is_set()
    rate_hz, sound = read(cut.file)
    assert abs(excerpting.off_s(path, 21.357, sound[:rate_hz].astype(np.int16), rate_hz)) < 0.001
    assert abs(len(sound) / rate_hz - (SECONDS - 21.357)) < 0.001
    cut.close()


def test_the_level_and_the_rise_are_in_the_sound(tmp_path: Path, flac: Path) -> None:
    plain, lower = (Cut(piece(flac, 10.0, *how), tmp_path / f"{how[0]}.wav") for how in ((0.0, 0.0), (-6.0, 1.0)))
    for cut in (plain, lower):
        cut.write()
        cut.close()
    rate_hz, sound = read(plain.file)
    _, low = read(lower.file)
    assert np.abs(low[rate_hz:] - sound[rate_hz:] * 10 ** (-6 / 20)).max() <= 0.51
    half = rate_hz // 2  # of an equal-power rise
    assert np.abs(low[half] - sound[half] * 10 ** (-6 / 20) * np.sqrt(0.5)).max() <= 1.5


def test_silence_may_stand_before_the_sound(tmp_path: Path, flac: Path) -> None:
    plain, later = Cut(piece(flac, 10.0), tmp_path / "a.wav"), Piece(flac, SECONDS, 0.0, SECONDS, 9.9, 0.0, 0.0, 0.1)
    cut = Cut(later, tmp_path / "b.wav")
    for each in (plain, cut):
        each.write()
    assert cut.fall(30.0, 1.0)
    rate_hz, sound = read(plain.file)
    _, late = read(cut.file)
    quiet = round(0.1 * rate_hz)
    assert np.abs(late[:quiet]).max() == 0 and cut.file.stat().st_size == 44 + 4 * round((31.0 - 9.9) * rate_hz)
    assert np.array_equal(late[quiet : 20 * rate_hz], sound[: 20 * rate_hz - quiet])
    for each in (plain, cut):
        each.close()


def test_a_fall_ends_the_file_while_it_is_read(tmp_path: Path, flac: Path) -> None:
    whole, cut = (Cut(piece(flac, 10.0), tmp_path / f"{name}.wav") for name in ("whole", "cut"))
    whole.write()
    cut.write()
    with cut.file.open("rb") as reader:  # as OBS has it
        reader.read(44 + 176_400)
        assert cut.fall(14.0, 2.0)
        cut.file.unlink()
        rest = np.frombuffer(reader.read(), np.int16).reshape(-1, 2).astype(np.float64)
    rate_hz, sound = read(whole.file)
    assert len(rest) == 5 * rate_hz  # from 11 to 16 s
    assert np.array_equal(rest[: 3 * rate_hz], sound[rate_hz : 4 * rate_hz])
    middle = 4 * rate_hz
    assert np.abs(rest[middle] - sound[rate_hz + middle] * np.sqrt(0.5)).max() <= 1.0
    assert np.abs(rest[-1]).max() <= 1.0
    assert not cut.fall(15.0, 1.0)  # it has one
    cut.close()
    assert whole.fall(39.9, 1.0)  # as far as there is sound
    whole.close()
    assert not whole.fall(12.0, 1.0)


def test_a_fall_waits_for_the_writer_and_is_refused_behind_the_end(tmp_path: Path, flac: Path) -> None:
    cut = Cut(piece(flac, 0.0), tmp_path / "cut.wav")
    assert not cut.fall(1.0, 1.0)  # nothing is there
    writing = threading.Thread(target=cut.write)
    writing.start()
    assert cut.ready.wait(20)
    assert cut.file.stat().st_size == 44 + round(SECONDS * 44_100) * 4  # the whole size from the beginning
    assert not cut.fall(SECONDS + 1, 1.0)
    assert cut.fall(35.0, 1.0)
    writing.join(20)
    assert not writing.is_alive()
    assert cut.file.stat().st_size == 44 + 36 * 44_100 * 4
    cut.close()


def test_a_long_track_is_cut_in_pieces(tmp_path: Path, flac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts_module, "MOST_S", 12.0)
    first = piece(flac, 10.0)
    assert (first.end_s, first.whole) == (22.0, False)
    assert piece(flac, 30.0).whole
    cut = Cut(first, tmp_path / "cut.wav")
    cut.write()
    assert cut.file.stat().st_size == 44 + 12 * 44_100 * 4
    cut.close()


def test_what_cannot_be_cut_says_why(tmp_path: Path, flac: Path) -> None:
    gone = Cut(piece(tmp_path / "gone.mp3", 0.0), tmp_path / "a.wav")
    gone.write()
    assert "cannot be opened" in gone.failure and gone.ready.is_set()
    late = Cut(piece(flac, SECONDS), tmp_path / "b.wav")
    late.write()
    assert "shorter" in late.failure
    nowhere = Cut(piece(flac, 0.0), tmp_path / "no" / "c.wav")
    nowhere.write()
    assert "cannot be written" in nowhere.failure and "--obs-cuts" in nowhere.failure


def test_a_cut_that_is_no_longer_wanted_stops(tmp_path: Path, flac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = Cut(piece(flac, 0.0), tmp_path / "cut.wav")
    read_one = TrackPcm.read

    def closing(sound: TrackPcm) -> bytes | None:
        data = read_one(sound)
        if cut.ready.is_set():
            cut.close()
        return data

    monkeypatch.setattr(TrackPcm, "read", closing)
    cut.write()
    assert cut.failure == ""
    _, sound = read(cut.file)
    assert np.abs(sound[-44_100:]).max() == 0  # the rest was never written


def test_silence_takes_the_place_of_an_unwanted_cut_while_nobody_waits_for_the_disk(
    tmp_path: Path, flac: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, go, threads = Cuts.opened, threading.Event(), list[int]()

    def slow(cuts: Cuts, cut: Cut) -> None:
        threads.append(threading.get_ident())
        assert go.wait(20)
        usual(cuts, cut)

    async def scene() -> None:
        cuts = Cuts(tmp_path / "cuts")
        first, second = await cuts.make(piece(flac, 1.0)), await cuts.make(piece(flac, 2.0))
        monkeypatch.setattr(Cuts, "opened", slow)
        cuts.drop(first)
        assert first.file.stat().st_size > STUB_BYTES
        go.set()
        cuts.close(False)
        assert first.file.stat().st_size == STUB_BYTES and threading.get_ident() not in threads
        cuts.drop(second)  # by a task that hears late of the end
        assert second.file.stat().st_size == STUB_BYTES
        assert len(list(first.file.parent.iterdir())) == 2

    asyncio.run(scene())


def test_each_process_has_a_folder_of_its_own_and_clears_what_others_left_behind(tmp_path: Path, flac: Path) -> None:
    async def scene() -> None:
        gone, there = Cuts(tmp_path), Cuts(tmp_path)
        left, kept = await gone.make(piece(flac, 1.0)), await there.make(piece(flac, 2.0))
        old = left.file.parent
        old.joinpath("segue-9-0123abcd.part").write_bytes(b"half")
        old.joinpath("mine.wav").write_bytes(b"a person's")
        left.close()
        gone._own.let_go()  # as when a process is killed
        cuts = Cuts(tmp_path)
        first, second = await asyncio.gather(cuts.make(piece(flac, 3.0)), cuts.make(piece(flac, 4.0)))
        folders = {cut.file.parent for cut in (left, kept, first)}
        assert len(folders) == 3 and folders == within(tmp_path) and second.file.parent == first.file.parent
        assert {file.name: file.stat().st_size for file in old.iterdir()} == {
            left.file.name: STUB_BYTES,
            "mine.wav": 10,
        }
        assert kept.file.stat().st_size > STUB_BYTES  # its process is there
        for cut in (kept, first, second):
            cut.close()
        for each in (there, cuts):
            each.close(True)
        assert within(tmp_path) == {old}

    asyncio.run(scene())


def test_obs_gets_a_whole_path(tmp_path: Path, flac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        cuts = Cuts(Path("here"))
        cut = await cuts.make(piece(flac, 39.0))
        cut.close()
        assert cut.file.is_absolute() and cut.file.parents[1] == tmp_path / "here"
        cuts.close(True)

    monkeypatch.chdir(tmp_path)
    asyncio.run(scene())


def test_folders_that_were_left_behind_do_not_grow_in_number(tmp_path: Path, flac: Path) -> None:
    async def scene() -> None:
        for _ in range(cuts_folder.MOST_LEFT + 3):
            cuts = Cuts(tmp_path)
            (await cuts.make(piece(flac, 39.0))).close()
            cuts.close(False)
        assert len(within(tmp_path)) == cuts_folder.MOST_LEFT + 1
        cuts = Cuts(tmp_path)
        for _ in range(2):
            cut = await cuts.make(piece(flac, 39.0))
            cut.close()
            shutil.rmtree(cut.file.parent)  # somebody tidies up
        cuts.close(True)

    asyncio.run(scene())
