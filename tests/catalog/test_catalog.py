"""The facade: what a search answers, what opening refuses, what several threads may do at once."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.catalog import Catalog
from catalog.clips import CLIPS
from catalog.errors import BundleMismatchError, FormatError, SearchIndexError, UnknownTrackError
from catalog.index.base import IndexOptions, Segments
from catalog.index.flat import FlatIndex
from catalog.index.registry import INDEXES
from catalog.recent import Recent
from catalog.records import Analysis, Filters, Track
from catalog.standard import LEAN_REACH
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from engines.bundle import Bundle, load_bundle
from features.spec import FEATURES

C, E = 16, 32


def made_up(number: int, clips: int = 12) -> tuple[Track, Analysis]:
    rng = np.random.default_rng(number)
    first = np.arange(max(1, clips - 3))
    vectors = rng.normal(size=(len(first), E)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    beats = np.arange(0.25, clips * 4, 0.5, dtype=np.float32)
    analysis = Analysis(
        duration_s=clips * 4.0,
        tempo_bpm=60.0 + number,
        beats=beats,
        clips=rng.normal(size=(clips, C)).astype(np.float32),
        rhythm=rng.random((clips, 3), dtype=np.float32),
        first_clips=first,
        starts_s=(first * 4 + 0.25).astype(np.float32),
        vectors=vectors,
        moods=rng.random((len(first), 3), dtype=np.float32),
    )
    licence, tags = ("CC0", ("Rock",)) if number % 2 else ("CC-BY-4.0", ("ambient", "calm"))
    path = Path(f"/music/{number}.ogg")
    track = Track(f"{number:016x}", f"Song {number}", "Somebody", path, clips * 4.0, 60.0 + number, licence, tags)
    return track, analysis


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("catalogues") / "twenty"
    Catalog.create(folder, bundle).close()
    store = Store(folder, write=True)
    for number in range(20):
        track, analysis = made_up(number, clips=3 if number == 7 else 12)
        store.put(track.path, FileStamp(1, 1), [Entry(track, analysis)])
    store.close()
    return folder


@pytest.mark.parametrize("lean", [(), (0.0, 0.0, 0.0, 0.5), (1.0, -0.5, 0.0, 0.0), (-1.0, 1.0, 1.0, -1.0)])
def test_a_search_that_leans_is_as_a_scan_of_everything(folder: Path, bundle: Bundle, lean: tuple[float, ...]) -> None:
    query = made_up(3)[1].vectors[2]
    with Catalog.open(folder, bundle) as catalog:
        found = catalog.search(query, 5, lean=lean)
        vectors = np.concatenate([made_up(n, clips=3 if n == 7 else 12)[1].vectors for n in range(20)])
        own = [catalog._now.table.of_track(made_up(n)[0].id) for n in range(20)]
        scores = vectors @ query / own[0].deviation  # no bank: nothing but a scale
        if lean:
            turned = np.abs(lean)
            standings = np.concatenate([segments.standings for segments in own])
            scores += LEAN_REACH * standings @ (np.array(lean) * turned.max() / turned.sum())
        best: dict[str, float] = {}
        counts = [len(made_up(n, clips=3 if n == 7 else 12)[1].vectors) for n in range(20)]
        for number, score in zip(np.repeat(np.arange(20), counts).tolist(), scores.tolist(), strict=True):
            best[f"{number:016x}"] = max(score, best.get(f"{number:016x}", -99.0))
        assert [candidate.track.id for candidate in found] == sorted(best, key=lambda track: -best[track])[:5]
        plain = {candidate.track.id: candidate for candidate in catalog.search(query, 20)}
    for candidate in found:
        assert candidate.zscore is None and candidate.standing.shape == (4,)
        assert candidate.similarity <= plain[candidate.track.id].similarity + 1e-5


def test_an_index_that_kept_something_is_brought_up_to_date(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One track has gone from the records since, another has fewer segments in them, a third has another name."""
    query = made_up(3)[1].vectors[2]
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    held: list[FlatIndex] = []
    given: list[list[str]] = []

    class Kept(FlatIndex):
        """Keeps everything, beside this process."""

        def __init__(self, options: IndexOptions) -> None:
            super().__init__(options)
            for block in held[-1].blocks() if held else ():
                FlatIndex.upsert(self, block)
            held.append(self)

        def keeps(self, segments: int) -> bool:
            return True

        def upsert(self, segments: Segments) -> None:
            given.append([track.id for track in segments.tracks])
            super().upsert(segments)

    monkeypatch.setitem(INDEXES, "kept", Kept)
    with Catalog.open(own, bundle, index="kept") as catalog:
        everything = [candidate.track.id for candidate in catalog.search(query, 20)]
    assert [len(ids) for ids in given] == [20]
    with Catalog.open(own, bundle, index="kept") as catalog:
        assert [candidate.track.id for candidate in catalog.search(query, 21)] == everything
    assert len(given) == 1  # nothing was given again

    index = held[-1]
    [longer] = index.vectors([everything[1]])
    strange = Segments([replace(made_up(0)[0], id="nobody")], np.array([1]), longer[:1], ["x"])
    FlatIndex.upsert(index, strange)
    FlatIndex.upsert(index, replace(strange, tracks=[replace(made_up(0)[0], id=everything[1])]))
    with closing(Store(own, write=True)) as store:
        track = made_up(5)[0]
        store.put(track.path, FileStamp(1, 1), [Entry(replace(track, title="Renamed"))])
    with Catalog.open(own, bundle, index="kept") as catalog:
        assert [candidate.track.id for candidate in catalog.search(query, 21)] == everything
        assert {candidate.track.id for candidate in catalog.like(everything[0], 21)} == set(everything)
        assert "nobody" not in catalog._index.stamps()
    assert given[1:] == [sorted([everything[1], made_up(5)[0].id])]

    (own / "order.npz").write_bytes(b"damaged")  # everything is placed, and given, anew
    with Catalog.open(own, bundle, index="kept") as catalog:
        assert [candidate.track.id for candidate in catalog.search(query, 21)] == everything
    with Catalog.open(own, None, index="kept"):  # scores without the bundle's bank are not for keeping
        pass
    assert len(held) == 4


def test_an_index_of_no_known_name_is_refused(folder: Path, bundle: Bundle) -> None:
    with pytest.raises(SearchIndexError, match=r"'tree'.*one of flat"):
        Catalog.open(folder, bundle, index="tree")


def test_a_lean_to_quicker_music_brings_it(folder: Path, bundle: Bundle) -> None:
    query = made_up(3)[1].vectors[2]
    with Catalog.open(folder, bundle) as catalog:
        slow, quick = (
            np.mean([c.track.tempo_bpm for c in catalog.search(query, 5, lean=(0, 0, 0, way))]) for way in (-1, 1)
        )
    assert slow < 66 and quick > 72  # of 60 to 79


def test_a_new_catalogue_is_empty_and_answers_nothing(tmp_path: Path, bundle: Bundle) -> None:
    with Catalog.create(tmp_path / "new", bundle) as catalog:
        assert len(catalog) == 0
        assert catalog.search(np.eye(E, dtype=np.float32)[0], 5) == []


def test_what_was_stored_comes_back(folder: Path, bundle: Bundle) -> None:
    track, analysis = made_up(3)
    with Catalog.open(folder, bundle) as catalog:
        assert catalog.track(track.id) == track
        np.testing.assert_array_equal(catalog.beats(track.id), analysis.beats)
        assert len(catalog.tracks()) == 20
        found = catalog.search(analysis.vectors[4], 5)
    best = found[0]
    assert best.track == track and best.similarity == pytest.approx(1.0, abs=1e-5)
    assert best.start_s == pytest.approx(16.25)
    assert best.mask.all()
    np.testing.assert_array_equal(best.clips, analysis.clips[4:11])
    np.testing.assert_array_equal(best.rhythm, analysis.rhythm[4:11])
    np.testing.assert_array_equal(best.mood, analysis.moods[4])
    assert len({candidate.track.id for candidate in found}) == 5
    assert [c.similarity for c in found] == sorted((c.similarity for c in found), reverse=True)


def test_a_window_over_the_end_is_padded_behind_and_masked(folder: Path, bundle: Bundle) -> None:
    _, analysis = made_up(7, clips=3)
    with Catalog.open(folder, bundle) as catalog:
        short = catalog.search(analysis.vectors[0], 1, Filters(jingles=True))[0]
    assert short.mask.tolist() == [True] * 3 + [False] * 4
    assert not short.clips[3:].any() and not short.rhythm[3:].any()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(min_bpm=75), {15, 16, 17, 18, 19}),
        (Filters(max_bpm=61.5), {0, 1}),
        (Filters(licences=frozenset({"cc0"}), max_bpm=64), {1, 3}),
        (Filters(tags=frozenset({"AMBIENT", "jazz"}), max_bpm=64), {0, 2, 4}),
        (Filters(only=frozenset({f"{4:016x}", "unknown"})), {4}),
        (Filters(exclude=frozenset(f"{i:016x}" for i in range(18))), {18, 19}),
        (Filters(min_duration_s=20), set(range(20)) - {7}),
        (Filters(only=frozenset()), set()),
    ],
)
def test_filters(folder: Path, bundle: Bundle, filters: Filters, expected: set[int]) -> None:
    with Catalog.open(folder, bundle) as catalog:
        found = catalog.search(made_up(3)[1].vectors[0], 30, filters)
    assert {int(candidate.track.id, 16) for candidate in found} == expected


def test_the_mean_of_a_tracks_segments_has_unit_norm(folder: Path) -> None:
    track, analysis = made_up(5)
    with Catalog.open(folder, None) as catalog:
        vector = catalog.vector(track.id)
    mean = analysis.vectors.mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), rtol=1e-5)


def test_threads_get_the_answers_that_one_gets(folder: Path, bundle: Bundle) -> None:
    queries = [made_up(number)[1].vectors[0] for number in range(20)] * 5
    with Catalog.open(folder, bundle) as catalog, ThreadPoolExecutor(8) as pool:
        alone = [[(c.track.id, c.similarity) for c in catalog.search(query, 6)] for query in queries]
        together = list(pool.map(lambda query: [(c.track.id, c.similarity) for c in catalog.search(query, 6)], queries))
    assert together == alone


def test_a_track_whose_clips_were_removed_meanwhile_is_left_out(tmp_path: Path, bundle: Bundle) -> None:
    Catalog.create(tmp_path, bundle)
    store = Store(tmp_path, write=True)
    for number in range(2):
        track, analysis = made_up(number)
        store.put(track.path, FileStamp(1, 1), [Entry(track, analysis)])
    store.close()
    with Catalog.open(tmp_path, bundle) as catalog:
        next((tmp_path / CLIPS).glob(f"{0:016x}-*")).unlink()
        found = catalog.search(made_up(0)[1].vectors[0], 5)
    assert [int(candidate.track.id, 16) for candidate in found] == [1]


def test_another_bundle_is_refused_by_both_identities(
    folder: Path, tmp_path: Path, bundle: Bundle, write_tiny_bundle: Callable[..., Path]
) -> None:
    other = load_bundle(write_tiny_bundle(tmp_path / "other", name="other", seed=9), FEATURES)
    with pytest.raises(BundleMismatchError) as caught:
        Catalog.open(folder, other)
    for word in (bundle.identity, other.identity, "other", str(folder), "new folder"):
        assert word in str(caught.value)


def test_what_is_not_a_catalogue_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(FormatError, match="no such folder"):
        Catalog.open(tmp_path / "nowhere", bundle)
    with pytest.raises(FormatError, match=r"no catalog\.json"):
        Catalog.open(tmp_path, bundle)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(FormatError, match="not empty"):
        Catalog.create(tmp_path, bundle)


@pytest.mark.parametrize(
    ("text", "says"), [("{", "cannot be read"), ("[]", "format None"), ('{"format": 99}', "format 99"),
                       ('{"format": 5}', "not what"),
                       ('{"format": 1}', "of an older segue"),
                       ('{"format": 2}', "index the music into a new folder"), ("format", "cannot be read")]
)  # fmt: skip
def test_a_damaged_description_is_refused(tmp_path: Path, bundle: Bundle, text: str, says: str) -> None:
    Catalog.create(tmp_path, bundle)
    (tmp_path / "catalog.json").write_text(text)
    with pytest.raises(FormatError, match=says):
        Catalog.open(tmp_path, bundle)


def test_a_damaged_database_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    Catalog.create(tmp_path, bundle)
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database at all" * 500)
    with pytest.raises(FormatError, match="index the music again"):
        Catalog.open(tmp_path, bundle)


def test_the_description_names_the_bundle(tmp_path: Path, bundle: Bundle) -> None:
    Catalog.create(tmp_path, bundle)
    said = json.loads((tmp_path / "catalog.json").read_text())
    expected = {
        "format": 5,
        "bundle": bundle.identity,
        "bundle_name": "tiny",
        "clip_dim": C,
        "embedding_dim": E,
        "extras": [],
    }
    assert said == expected


def test_an_unknown_track_is_named(folder: Path) -> None:
    with Catalog.open(folder, None) as catalog, pytest.raises(UnknownTrackError, match="feed"):
        catalog.track("feed")


def test_recent_keeps_the_last_used_and_makes_each_once() -> None:
    made: list[int] = []
    recent: Recent[int, int] = Recent(2)
    for key in (1, 2, 1, 3, 1, 2):
        assert recent.get(key, lambda key=key: made.append(key) or key * 10) == key * 10  # type: ignore[func-returns-value]
    assert made == [1, 2, 3, 2]
    assert len(recent) == 2
