"""Playlists over HTTP, and what a library says of a track."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.catalog import Catalog
from catalog.notes import Note
from catalog.store import Store


@pytest.fixture
def noted(small_catalog: Path, tmp_path: Path) -> Path:
    """A catalogue of which a library knows two tracks."""
    folder = tmp_path / "noted"
    shutil.copytree(small_catalog, folder)
    with closing(Store(folder, write=True)) as store:
        first, second = sorted(store.files())[:2]
        both = json.dumps(["Friday", "ñ/Calm"])
        notes = [
            Note(first, 0.0, "playlists", both),
            Note(second, 0.0, "playlists", '["Friday"]'),
            Note(first, 0.0, "key", "F#m"),
            Note(first, 0.0, "rating", "4"),
        ]
        store.notes.put("rekordbox", notes)
    return folder


def test_playlists_and_facts(noted: Path, serving: Callable[..., Any]) -> None:
    with Catalog.open(noted, None) as catalog:
        track = next(track for track in catalog.tracks() if track.key)
    with serving(catalog=noted) as running, httpx.Client(base_url=running.url) as client:
        assert client.get("/api/playlists").json() == {
            "v": 1,
            "playlists": [{"name": "Friday", "tracks": 2}, {"name": "ñ/Calm", "tracks": 1}],
        }
        facts = client.get(f"/api/tracks/{track.id}").json()
        assert (facts["key"], facts["rating"], facts["playlists"]) == ("F#m", 4, ["Friday", "ñ/Calm"])


def test_a_catalogue_without_any(client: httpx.Client, small_catalog: Path) -> None:
    assert client.get("/api/playlists").json() == {"v": 1, "playlists": []}
    with Catalog.open(small_catalog, None) as catalog:
        facts = client.get(f"/api/tracks/{catalog.tracks()[0].id}").json()
    assert (facts["key"], facts["rating"], facts["playlists"]) == ("", None, [])
