"""A catalogue that is searched on a server answers as one that is searched in memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers import free_ports

from catalog.catalog import Catalog
from catalog.errors import SearchIndexError
from catalog.index.base import IndexOptions
from catalog.records import Analysis, Candidate, Filters, Track
from catalog.standard import index_width
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from engines.bundle import Bundle

TRACKS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("catalogues") / "twelve"
    Catalog.create(folder, bundle).close()
    store = Store(folder, write=True)
    for number in range(TRACKS):
        track, analysis = made_up(number, bundle)
        store.put(track.path, FileStamp(1, 1), [Entry(track, analysis)])
    store.close()
    return folder


def made_up(number: int, bundle: Bundle) -> tuple[Track, Analysis]:
    rng = np.random.default_rng(number)
    clips, width = 9 + number, bundle.manifest.embedding_dim
    vectors = rng.normal(size=(clips - 6, width)).astype(np.float32)
    first = np.arange(clips - 6)
    analysis = Analysis(
        duration_s=clips * 4.0,
        tempo_bpm=60.0 + number,
        beats=np.arange(0, clips * 4, 0.5, dtype=np.float32),
        clips=rng.normal(size=(clips, bundle.manifest.music_dim)).astype(np.float32),
        rhythm=rng.random((clips, 3), dtype=np.float32),
        first_clips=first,
        starts_s=(first * 4 + 0.25).astype(np.float32),
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        moods=rng.random((clips - 6, 3), dtype=np.float32),
    )
    path = Path(f"/music/{number}.ogg")
    track = Track(f"{number:016x}", f"Song {number}", "", path, clips * 4.0, 60.0 + number, "CC0-1.0", ("Rock",))
    return track, analysis


@pytest.mark.parametrize("kind", ["milvus", "postgres"])
def test_answers_are_those_of_a_search_in_memory(folder: Path, bundle: Bundle, servers: Any, kind: str) -> None:
    width = index_width(bundle.manifest.embedding_dim)
    servers.empty(kind, "catalogue", IndexOptions(folder, width)).close()
    address = f"{servers.of(kind).address}catalogue_{width}"
    query = made_up(3, bundle)[1].vectors[2]
    quick = Filters(min_bpm=66.0, tags=frozenset({"rock"}), licences=frozenset({"CC0"}))
    with Catalog.open(folder, bundle) as flat:
        expected = answers(flat, query, quick)
    for _ in range(2):  # empty, and then filled
        with Catalog.open(folder, bundle, index=address) as catalog:
            assert answers(catalog, query, quick) == expected
            assert catalog.search_state.device.startswith(kind) and len(catalog) == TRACKS


def answers(catalog: Catalog, query: np.ndarray, quick: Filters) -> list[object]:
    own = catalog.tracks()[4].id
    lists = [
        catalog.search(query, 5),
        catalog.search(query, 5, quick, frozenset({own}), (0.5, 0.0, -0.5, 0.0)),
        catalog.search(query, 5, replace(quick, exclude=frozenset({own}))),
        catalog.like(own, 20, Filters(max_bpm=68.0)),
    ]
    return [[told(candidate) for candidate in found] for found in lists] + [catalog.vector(own).tobytes()]


def told(candidate: Candidate) -> tuple[object, ...]:
    return candidate.track, round(candidate.similarity, 5), candidate.start_s, candidate.standing.tobytes()


@pytest.mark.parametrize("scheme", ["milvus", "postgres"])
def test_a_server_that_is_not_there_is_named(folder: Path, bundle: Bundle, scheme: str) -> None:
    pytest.importorskip({"milvus": "pymilvus", "postgres": "psycopg"}[scheme])
    [port] = free_ports(1)
    address = f"{scheme}://me:secret@127.0.0.1:{port}/somewhere"
    with pytest.raises(SearchIndexError) as error:
        Catalog.open(folder, bundle, index=address)
    told = str(error.value)
    assert f"index {scheme}://127.0.0.1:{port}/somewhere" in told and "try again" in told and "secret" not in told
