"""What is measured of key and energy: kept, shown, filtered by, and measured later where an older version did not."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from older_catalog import to_schema

from catalog import cli, worker
from catalog.catalog import Catalog
from catalog.closed import Closed
from catalog.database import DATABASE
from catalog.described import heard_json
from catalog.indexer import index_folder
from catalog.printing import PlainProgress, left_text
from catalog.records import KEY_SURE, Filters, Track
from catalog.report import IndexReport
from catalog.store import Store
from engines.bundle import Bundle
from engines.errors import EngineClosed
from engines.onnx_engine import OnnxEngine
from stream.recording.values import digest

Index = Callable[..., IndexReport]
RATE_HZ = 16_000


def write_chords(path: Path, root: int) -> Path:
    """Four bars of plucked chords in one major key."""
    t = np.arange(RATE_HZ) / RATE_HZ
    parts = []
    for step in (0, 5, 0, 7, 0, 5, 0, 0):
        hz = [440.0 * 2.0 ** ((root + step + pitch - 69) / 12.0) for pitch in (36, 60, 64, 67)]
        parts.append(sum(np.sin(2 * np.pi * f * k * t) / k for f in hz for k in range(1, 5)) * np.exp(-3 * t))
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, 0.05 * np.concatenate(parts), RATE_HZ)
    return path


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_chords(tmp_path / "music" / "d.wav", 2)
    write_chords(tmp_path / "music" / "a.wav", 9)
    return tmp_path / "music"


@pytest.fixture
def index(tmp_path: Path, engine: OnnxEngine, music: Path) -> Index:
    return lambda **options: index_folder(music, tmp_path / "c", engine, 1, lambda *_: None, **options)


def tracks(tmp_path: Path, bundle: Bundle) -> dict[str, Track]:
    with Catalog.open(tmp_path / "c", bundle) as catalog:
        return {track.path.stem: track for track in catalog.tracks()}


def make_older(folder: Path) -> None:
    """Take the catalogue back to the schema before keys."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        to_schema(6, db)


def test_key_and_energy_are_kept(tmp_path: Path, index: Index, bundle: Bundle) -> None:
    assert index().incomplete == 0
    found = tracks(tmp_path, bundle)
    assert (found["d"].heard_key, found["a"].heard_key) == ("D", "A")
    for track in found.values():
        assert KEY_SURE < track.key_confidence <= 1.0 and track.usual_key == track.heard_key
        assert track.energy is not None and 0.0 < track.energy < 1.0
    with Catalog.open(tmp_path / "c", bundle) as catalog:
        outline = catalog.outline(found["d"].id)
        assert outline is not None and outline.key is not None and abs(outline.key.tuning_cents) < 5


def test_an_older_catalogue_is_read_told_of_and_completed_when_asked(
    tmp_path: Path, index: Index, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    new = tracks(tmp_path, bundle)
    make_older(tmp_path / "c")
    before = (tmp_path / "c" / DATABASE).read_bytes()
    old = tracks(tmp_path, bundle)
    assert (tmp_path / "c" / DATABASE).read_bytes() == before
    assert [track.heard_key for track in old.values()] == ["", ""]
    assert {name: track.energy for name, track in old.items()} == {name: track.energy for name, track in new.items()}

    def nothing(*_: object) -> None:
        raise AssertionError("nothing is analysed again")

    monkeypatch.setattr("catalog.analysis.analyse", nothing)
    report = index()
    assert (report.unchanged, report.incomplete, report.completed) == (2, 2, 0)
    assert any("--refresh" in note.text for note in report.notes)
    report = index(refresh=True)
    assert (report.unchanged, report.incomplete, report.completed) == (2, 0, 2)
    assert {name: (t.heard_key, t.key_confidence) for name, t in tracks(tmp_path, bundle).items()} == {
        name: (track.heard_key, track.key_confidence) for name, track in new.items()
    }
    report = index(refresh=True)
    assert (report.completed, report.notes) == (0, ())


def test_processes_complete_as_well(tmp_path: Path, index: Index, music: Path, bundle: Bundle) -> None:
    index()
    make_older(tmp_path / "c")
    report = index_folder(music, tmp_path / "c", Closed(bundle), 2, lambda *_: None, refresh=True)
    assert report.completed == 2


def test_filters_by_key_and_energy() -> None:
    track = Track("1", "", "", Path(), 60.0, 120.0, "", (), heard_key="Am", key_confidence=KEY_SURE, energy=0.5)
    unsure, said = replace(track, key_confidence=KEY_SURE - 0.01), replace(track, key="E", key_confidence=0.1)
    assert Filters(keys=frozenset({"Am"})).passes(track) and not Filters(keys=frozenset({"Am"})).passes(unsure)
    assert not Filters(keys=frozenset({"C"})).passes(track)
    assert Filters(keys=frozenset({"C"}), near_keys=True).passes(track)
    assert Filters(keys=frozenset({"E"})).passes(said) and not Filters(keys=frozenset({"Am"})).passes(said)
    assert Filters(min_energy=0.5, max_energy=0.5).passes(track)
    assert not Filters(min_energy=0.51).passes(track) and not Filters(max_energy=0.49).passes(track)
    assert not Filters(min_energy=0.0).passes(replace(track, energy=None))


def test_measured_fields_change_no_hash() -> None:
    """Recordings of before come out as they did."""
    track = Track("1", "", "", Path(), 60.0, 120.0, "", ())
    assert digest(track) == digest(replace(track, heard_key="Am", key_confidence=0.7, energy=0.4))
    assert digest(track) != digest(replace(track, key="Am"))
    assert digest(Filters()) != digest(Filters(min_energy=0.4))


def test_as_json() -> None:
    track = Track("1", "", "", Path(), 60.0, 120.0, "", (), heard_key="Am", key_confidence=0.714, energy=0.41234)
    assert heard_json(track) == {"heard_key": "Am", "key_confidence": 0.71, "camelot": "8A", "energy": 0.412}
    nothing = heard_json(replace(track, heard_key="", energy=None))
    assert nothing == {"heard_key": None, "key_confidence": None, "camelot": None, "energy": None}


def test_search_and_show(tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    index()
    folder = str(tmp_path / "c")
    assert cli.main("search", ["-c", folder, "--key", "10B", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(track["heard_key"], track["camelot"]) for track in found] == [("D", "10B")]
    assert cli.main("search", ["-c", folder, "--key", "D", "--near-keys", "--min-energy", "0.01", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert cli.main("catalog", ["show", "-c", folder, found[0]["track"]]) == 0
    assert "D (10B)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main("search", ["-c", folder, "--key", "H7"])
    with pytest.raises(SystemExit):
        cli.main("search", ["-c", folder, "--min-energy", "1.5"])


def test_several_processes_leave_this_one_without_an_engine(
    tmp_path: Path, music: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("opened in the parent")

    monkeypatch.setattr(cli, "choose", refuse)
    monkeypatch.setattr(worker, "own_engine", refuse)
    words = [str(music), "-c", str(tmp_path / "c"), "--bundle", str(bundle.path), "--engine", "onnx-cpu", "--jobs", "2"]
    assert cli.main("index", words) == 0
    assert Store(tmp_path / "c", write=False).ids()
    closed = Closed(bundle)
    closed.warmup()
    closed.close()
    with pytest.raises(EngineClosed, match="opened no engine"):
        closed.run("music_clip", {})


def test_one_file_left_for_several_processes(tmp_path: Path, music: Path, bundle: Bundle) -> None:
    (music / "a.wav").unlink()
    assert index_folder(music, tmp_path / "c", Closed(bundle), 2, lambda *_: None).added == 1


def test_the_time_that_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = PlainProgress(lambda: now[0])
    progress(0, 40, "getting ready")
    for done, time_s in ((1, 10.0), (2, 20.0), (4, 40.0), (40, 400.0)):
        now[0] = time_s
        progress(done, 40, "a.ogg")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "0/40 getting ready" and lines[-1] == "40/40 a.ogg"
    assert "4/40, 6 min left a.ogg" in lines and not any(line.startswith("2/40") for line in lines)
    assert (left_text(31.4), left_text(600), left_text(7200)) == ("31 s", "10 min", "2.0 h")
