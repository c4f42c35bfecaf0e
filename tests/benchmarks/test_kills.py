"""The bench that kills an indexer finds what is wrong after a kill; here nobody is killed, the loss is planted."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import kills
from benchmarks.kills import Tried
from catalog.catalog import Catalog
from catalog.clips import CLIPS
from catalog.database import DATABASE
from catalog.indexer import index_folder
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES


@pytest.fixture
def tried(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Tried:
    monkeypatch.setattr(kills, "FILES", 4)
    monkeypatch.setattr(kills, "TRACK_S", 6.0)
    tried = Tried(tmp_path, 3)
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    try:
        index_folder(tried.music, tried.catalog, engine, 1, lambda *_: None)
    finally:
        engine.close()
    return tried


def forget_a_track(tried: Tried) -> None:
    with closing(sqlite3.connect(tried.catalog / DATABASE)) as db, db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM tracks WHERE id = (SELECT min(id) FROM tracks)")


def cut_a_clip_file(tried: Tried) -> None:
    one = min((tried.catalog / CLIPS).iterdir())
    one.write_bytes(one.read_bytes()[:-4])


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda tried: None, ""),
        (forget_a_track, "1 tracks that were committed are lost"),
        (cut_a_clip_file, "gone or damaged"),
        (lambda tried: (tried.catalog / "catalog.json").unlink(), "the catalogue is gone"),
    ],
)
def test_a_loss_is_found(tried: Tried, harm: Callable[[Tried], object], says: str) -> None:
    before = tried.committed(set())
    assert len(before) == 4
    harm(tried)
    tried.check(7, before)
    assert bool(tried.wrong) == bool(says)
    assert not says or (says in tried.wrong[0] and tried.wrong[0].startswith("round 7: "))


def test_what_changed_may_go_and_a_whole_run_leaves_what_the_folder_is(tried: Tried) -> None:
    before = set(tried.music.iterdir())
    changed = tried.change()
    after = set(tried.music.iterdir())
    assert len(after) == 5 and before ^ after < changed
    assert len(tried.committed(changed)) == 1  # of four one went, one moved, one was written anew
    tried.check(1, set(), whole=True)
    assert "files differ" in tried.wrong[0]
    with Catalog.open(tried.catalog, None) as catalog:
        assert len(catalog) == 4
