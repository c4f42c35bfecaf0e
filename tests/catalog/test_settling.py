"""Files that somebody is still writing are waited for, and left for the next time if they go on changing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog import mirror, worker
from catalog.indexer import index_folder
from catalog.report import IndexReport
from catalog.settling import CHANGED, WRITTEN, Settling
from catalog.store import FileStamp, Store
from engines.onnx_engine import OnnxEngine

Writer = Callable[..., Path]
NOW_S = 1_800_000_000.0


def made(folder: Path, name: str, age_s: float) -> tuple[Path, FileStamp]:
    path = folder / name
    path.write_bytes(b"sound")
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path, FileStamp(5, path.stat().st_mtime_ns)


def test_young_files_go_last_and_only_if_they_stay_as_they_are(tmp_path: Path) -> None:
    files = dict(made(tmp_path, name, age) for name, age in (("grows", 1.0), ("old", 50.0), ("ahead", -2.0)))
    grows, old, ahead = files
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        grows.write_bytes(b"sound and more")

    settling = Settling(files, 3.0, lambda: NOW_S, sleep)
    assert list(settling.in_order(list(files))) == [old, ahead]
    assert slept == [3.0] and settling.left == [grows]


def test_time_that_went_by_is_not_waited_for_again(tmp_path: Path) -> None:
    files = dict(made(tmp_path, name, age) for name, age in (("young", 1.0), ("old", 50.0)))
    now, slept = [NOW_S], list[float]()
    settling = Settling(files, 3.0, lambda: now[0], slept.append)
    order = settling.in_order(list(files))
    assert next(order).name == "old"
    now[0] += 2.5  # what the others took
    assert next(order).name == "young" and slept == [0.5]


@pytest.mark.parametrize(("wait_s", "age_s"), [(0.0, 0.1), (3.0, 3.5), (3.0, -1e8)])
def test_nothing_is_waited_for_without_need(tmp_path: Path, wait_s: float, age_s: float) -> None:
    path, stamp = made(tmp_path, "a", age_s)
    settling = Settling({path: stamp}, wait_s, lambda: NOW_S, lambda _: pytest.fail("slept"))
    assert list(settling.in_order([path])) == [path] and not settling.left


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    path, stamp = made(tmp_path, "a", 10.0)
    slept: list[float] = []
    assert list(Settling({path: stamp}, 1e9, lambda: NOW_S, slept.append).in_order([path])) == [path]
    assert slept == [60.0]


def test_a_file_that_is_gone_is_not_being_written(tmp_path: Path) -> None:
    path, stamp = made(tmp_path, "a", 0.0)
    path.unlink()
    assert list(Settling({path: stamp}, 3.0, lambda: NOW_S, lambda _: None).in_order([path])) == [path]


def run(tmp_path: Path, engine: OnnxEngine, settle_s: float) -> IndexReport:
    return index_folder(tmp_path / "music", tmp_path / "c", engine, 1, lambda *_: None, settle_s=settle_s)


def test_half_a_file_is_left_for_the_next_time(
    tmp_path: Path, write_music: Writer, engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_music(tmp_path / "whole.wav", duration_s=8, seed=1).read_bytes()
    write_music(tmp_path / "music" / "b.wav", seed=2)
    half = tmp_path / "music" / "a.wav"
    half.write_bytes(whole[: len(whole) // 2])

    def settling(stamps: dict[Path, FileStamp], wait_s: float) -> Settling:
        return Settling(stamps, wait_s, sleep=lambda _: half.write_bytes(whole) and None)

    monkeypatch.setattr(mirror, "Settling", settling)
    report = run(tmp_path, engine, 3.0)
    assert (report.added, report.changing, report.failed) == (1, 1, ())
    assert [(note.path.name, note.text) for note in report.notes] == [("a.wav", WRITTEN)]
    monkeypatch.undo()
    report = run(tmp_path, engine, 0.0)
    assert (report.added, report.unchanged, report.changing) == (1, 1, 0)
    store = Store(tmp_path / "c", write=False)
    assert sorted(round(stored.track.duration_s) for stored in store.tracks()) == [6, 8]
    store.close()


def test_what_changed_after_it_was_read_is_told(
    tmp_path: Path, write_music: Writer, engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_music(tmp_path / "music" / "a.wav", seed=1)
    write_music(tmp_path / "music" / "b.wav", seed=2)
    plain = worker.analyse_file

    def later(job: worker.Job, *rest: object) -> object:
        if job.path.name == "b.wav":
            write_music(first, duration_s=9, seed=3)
        return plain(job, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(mirror, "analyse_file", later)
    report = run(tmp_path, engine, 0.0)
    assert (report.added, report.changing) == (2, 1)
    assert [(note.path.name, note.text) for note in report.notes] == [("a.wav", CHANGED)]
    monkeypatch.undo()
    assert run(tmp_path, engine, 0.0).refreshed == 1


def test_a_known_file_that_is_being_rewritten_stays_until_that_is_done(
    tmp_path: Path, write_music: Writer, engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_music(tmp_path / "music" / "a.wav", seed=1)
    assert run(tmp_path, engine, 0.0).tracks == 1
    write_music(path, duration_s=7, seed=4)
    plain = worker.analyse_file

    def meanwhile(job: worker.Job, given: object, known: Callable[[str], bool]) -> object:
        def knows(id: str) -> bool:
            write_music(path, duration_s=9, seed=5)
            return known(id)

        return plain(job, given, knows)  # type: ignore[arg-type]

    monkeypatch.setattr(mirror, "analyse_file", meanwhile)
    report = run(tmp_path, engine, 0.0)
    assert (report.tracks, report.changing, report.missing) == (1, 1, 0)
    assert "changed while it was read" in report.failed[0].text
