"""Whether a list can be acted on: the measures, on lists and sounds whose answers are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.auto import Piece, auto_rows, integrated_lufs
from benchmarks.drawn import DrawnCatalog
from benchmarks.steadiness import Sounds, steadiness_rows
from catalog.catalog import Catalog
from catalog.indexer import index_folder
from catalog.records import Filters, Track
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream.core.events import Item, Reasons, Suggestions

RATE = 16_000


def track(path: Path, name: str, seconds: float) -> Track:
    return Track(name, name, "", path, seconds, 0.0, "", ())


def item(name: str, start_s: float = 0.0, score: float = 0.5) -> Item:
    return Item(1, name, name, "", start_s, 100.0, score, Reasons(0.5, 0.5, 0.5), 0.0, "")


def said(*lists: list[Item]) -> list[Suggestions]:
    return [Suggestions(float(second), 1.0, "stay", tuple(items)) for second, items in enumerate(lists)]


def value(rows: list, metric: str) -> float:  # type: ignore[type-arg]
    return float(next(row.value for row in rows if row.metric == metric))


@pytest.fixture
def noise(tmp_path: Path) -> Callable[..., Track]:
    """``noise(name, seconds, silent_from=None, level=0.1)``: white noise, digital silence from some second on."""

    def write(name: str, seconds: float, silent_from: float | None = None, level: float = 0.1) -> Track:
        samples = level * np.random.default_rng(1).normal(size=round(seconds * RATE)).astype(np.float32)
        if silent_from is not None:
            samples[round(silent_from * RATE) :] = 0.0
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        return track(path, name, seconds)

    return write


def test_silent_and_short_starts_are_measured_in_the_sound(noise: Callable[..., Track]) -> None:
    sounds = Sounds([noise("long", 90, silent_from=70), noise("short", 30)])
    assert not sounds.silent("long", 69.5) and sounds.silent("long", 70.5)
    assert not sounds.short("long", 24.0) and sounds.short("long", 26.0)  # the silence is no music to come
    assert not sounds.short("short", 20.0)


def test_what_moves_is_counted_by_the_minute() -> None:
    a, b, c = item("a"), item("b"), item("c")
    run = said([a, b], [a, b], [b, a], [b, c], [item("b", 9.0), c], [b, c], [b, c])
    rows = steadiness_rows([run], None, "made")
    assert value(rows, "row_changes_per_min") == pytest.approx(2 * 10)  # over 6 s
    assert value(rows, "top1_changes_per_min") == pytest.approx(10)
    assert value(rows, "start_moves_per_min") == pytest.approx(2 * 10)


def test_lists_out_of_order_are_counted() -> None:
    run = said([item("a", score=0.5), item("b", score=0.6)], [item("a", score=0.6), item("b", score=0.6)])
    assert value(steadiness_rows([run], None, "made"), "order_disagreements") == 1


def test_auto_is_measured_as_it_would_be_heard(noise: Callable[..., Track]) -> None:
    tracks = [noise("loud", 40, level=0.2), noise("soft", 40, level=0.05), noise("gap", 40, silent_from=10)]
    step = integrated_lufs(Path(tracks[0].path)) - integrated_lufs(Path(tracks[1].path))
    assert step == pytest.approx(20 * np.log10(4), abs=0.1)
    pieces = [Piece("loud", 0, 0, -step, 20), Piece("soft", 20, 5, 0.0, 40)]
    rows = auto_rows(pieces, tracks)
    assert value(rows, "auto_silent_s") == 0 and value(rows, "auto_level_step_lu") < 0.1
    assert value(rows, "auto_level_step_without_gain_lu") == pytest.approx(step, abs=0.01)
    silent = auto_rows([*pieces, Piece("gap", 40, 5, 0.0, 60)], tracks)
    assert value(silent, "auto_silent_s") == 15


def test_a_drawn_catalogue_keeps_what_it_is_asked_to(tmp_path: Path, tiny_bundle: Path, noise: object) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for number in range(3):
        tone = np.sin(np.arange(30 * RATE) * (0.05 + 0.05 * number)) * 0.2
        soundfile.write(music / f"{number}.wav", tone.astype(np.float32), RATE)
    bundle = load_bundle(tiny_bundle, FEATURES)
    engine = OnnxEngine(bundle)
    try:
        index_folder(music, tmp_path / "catalog", engine, 1, lambda *_: None)
        with Catalog.open(tmp_path / "catalog", bundle) as real:
            drawn = DrawnCatalog(real, 200)
            query = real.vector(real.tracks()[0].id)
            found = drawn.search(query, 32, Filters())
            far = drawn.search(-query, 1, Filters())[0].track.id
            kept = drawn.search(query, 32, Filters(), frozenset({far, found[0].track.id}))
    finally:
        engine.close()
    assert len({candidate.track.id for candidate in found}) == 32
    assert [c.similarity for c in found] == sorted((c.similarity for c in found), reverse=True)
    assert [c.track.id for c in kept] == [*(c.track.id for c in found), far]
