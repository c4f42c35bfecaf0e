"""Where a search says that tracks may be started, and which tracks it looks at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.catalog import Catalog
from catalog.layout import Layout
from catalog.loading import Loaded, Version
from catalog.records import Analysis, Filters, Loop, Outline, Track
from catalog.standard import index_query
from catalog.store import Store
from catalog.stored import Entry, FileStamp, StoredSegments, StoredTrack
from engines.bundle import Bundle

C, E = 16, 32
OUTLINE = Outline(
    lufs=-11.5,
    range_lu=4.0,
    true_peak_db=-0.5,
    loudness=np.linspace(-20, -10, 48, dtype=np.float32),
    peaks=np.arange(256, dtype=np.uint8),
    music_s=((0.5, 30.0), (33.5, 47.75)),
    intro_s=4.5,
    outro_s=40.25,
    sections_s=np.array([0.5, 20.5], np.float32),
    downbeats_s=np.array([0.5, 2.5], np.float32),
    loops=(Loop(4.5, 20.5, 0.9), Loop(8.5, 24.5, 0.75)),
    tempi=((120.0, 0.7), (60.0, 0.3)),
)


def made(number: int, starts_s: list[float], borders: list[float], seconds: float = 48.0) -> tuple[Track, Analysis]:
    rng = np.random.default_rng(number)
    vectors = rng.normal(size=(len(starts_s), E)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clips = len(starts_s) + 3
    analysis = Analysis(
        seconds, 120.0, np.arange(0.5, seconds, 0.5, np.float32), rng.normal(size=(clips, C)).astype(np.float32),
        rng.random((clips, 3), np.float32), np.arange(len(starts_s)), np.array(starts_s, np.float32), vectors,
        rng.random((len(starts_s), 3), np.float32), borders=np.array(borders, np.float32), outline=OUTLINE,
    )  # fmt: skip
    path = Path(f"/music/{number}.ogg")
    return Track(f"{number:016x}", f"Song {number}", "", path, seconds, 120.0, "", ()), analysis


def opened(folder: Path, bundle: Bundle, tracks: list[tuple[Track, Analysis]]) -> Catalog:
    Catalog.create(folder, bundle).close()
    store = Store(folder, write=True)
    for track, analysis in tracks:
        store.put(track.path, FileStamp(1, 1), [Entry(track, analysis)])
    store.close()
    return Catalog.open(folder, bundle)


def test_every_start_with_its_own_fit(tmp_path: Path, bundle: Bundle) -> None:
    no = float("nan")
    one = made(1, [0.5, no, 8.5, 12.5, no, no], [1.0, 0.0, 0.0, 0.4, 0.0, 0.0])
    with opened(tmp_path, bundle, [one, made(2, [0.5, 4.5], [1.0, 0.0])]) as catalog:
        query = one[1].vectors[4]  # a segment that may not be a start
        best = catalog.search(query, 2)[0]
        assert best.track.id == one[0].id and best.similarity == pytest.approx(1.0, abs=1e-5)
        assert best.places is not None and best.outline is not None
        assert best.places.starts_s.tolist() == [0.5, 8.5, 12.5]
        np.testing.assert_allclose(best.places.fits, one[1].vectors[[0, 2, 3]] @ query, atol=1e-6)
        assert best.places.borders == pytest.approx([1.0, 0.0, 0.4])
        at = int(np.argmax(best.places.fits + 0.02 * best.places.borders))
        assert best.start_s == best.places.starts_s[at]
        row = [0, 2, 3][at]
        np.testing.assert_array_equal(best.clips[best.mask], one[1].clips[row : row + 7])
        np.testing.assert_array_equal(best.mood, one[1].moods[row])


def test_an_outline_comes_back_as_it_went_in(tmp_path: Path, bundle: Bundle) -> None:
    silent = replace(made(2, [0.5], [1.0])[1], outline=replace(OUTLINE, lufs=float("-inf"), loops=(), tempi=()))
    with opened(tmp_path, bundle, [made(1, [0.5], [1.0]), (made(2, [0.5], [1.0])[0], silent)]) as catalog:
        one, two = catalog.outline(f"{1:016x}"), catalog.outline(f"{2:016x}")
    assert one is not None and two is not None
    for name in Outline.__slots__:
        kept, given = getattr(one, name), getattr(OUTLINE, name)
        if isinstance(given, np.ndarray):
            np.testing.assert_array_equal(kept, given)
            assert kept.dtype == given.dtype
        else:
            assert kept == given
    assert two.lufs == float("-inf") and two.loops == ()


def found(catalog: Catalog, filters: Filters | None = None) -> set[int]:
    return {int(candidate.track.id, 16) for candidate in catalog.search(np.eye(E, dtype=np.float32)[0], 50, filters)}


def test_jingles_are_left_out_unless_asked_for_named_or_all_that_is_left(tmp_path: Path, bundle: Bundle) -> None:
    lengths = {1: 60.0, 2: 19.9, 3: 20.0, 4: 5.0}
    tracks = [made(number, [0.5], [1.0], seconds) for number, seconds in lengths.items()]
    with opened(tmp_path, bundle, tracks) as catalog:
        assert found(catalog) == {1, 3}
        assert found(catalog, Filters(jingles=True)) == {1, 2, 3, 4}
        assert found(catalog, Filters(only=frozenset({f"{4:016x}", f"{1:016x}"}))) == {1, 4}
        assert found(catalog, Filters(exclude=frozenset({f"{1:016x}"}))) == {3}
        both = frozenset({f"{1:016x}", f"{3:016x}"})
        assert found(catalog, Filters(exclude=both)) == {2, 4}
        assert found(catalog, Filters(exclude=both, min_duration_s=10.0)) == {2}
        assert found(catalog, Filters(min_bpm=500.0)) == set()


def test_a_catalogue_of_nothing_but_jingles(tmp_path: Path, bundle: Bundle) -> None:
    with opened(tmp_path, bundle, [made(number, [0.5], [1.0], 6.0) for number in (1, 2)]) as catalog:
        assert found(catalog) == {1, 2}


def test_a_few_tracks_of_ten_thousand_are_found_without_looking_at_the_others() -> None:
    rng = np.random.default_rng(0)
    count, each = 10_000, 2
    nothing, seen = np.zeros(0, np.float32), list[str]()

    class Watched(Filters):
        """Tells which tracks were looked at."""

        def passes(self, track: Track) -> bool:
            seen.append(track.id)
            return super().passes(track)

    stored = [
        StoredTrack(Track(f"{i:05}", "", "", Path("a"), 90.0, 100.0, "", ()), nothing, nothing, "gone", False, f"{i}")
        for i in range(count)
    ]
    vectors = rng.normal(size=(count * each, E)).astype(np.float32)
    ids, numbers = [one.track.id for one in stored], np.tile(np.arange(each), count)
    segments = StoredSegments(
        ids, np.full(count, each), numbers, (4.0 * numbers).astype(np.float32), np.zeros(len(numbers), np.float32),
        vectors, None
    )  # fmt: skip
    catalog = Catalog(Path("/nowhere"), Layout("", "", C, E), Loaded(Version(), stored, segments))
    query = index_query(np.eye(E, dtype=np.float32)[0], ())
    for second in range(30):
        only = frozenset(f"{i:05}" for i in rng.choice(count, 8, replace=False))
        hits = catalog._hits(
            catalog._now, query, 8, Watched(only=only, exclude=frozenset({f"{second:05}"}), max_bpm=200.0)
        )
        assert {hit.track for hit in hits} == only - {f"{second:05}"} == set(seen)
        seen.clear()
