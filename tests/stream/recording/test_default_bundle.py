"""The shipped bundle, several sessions at once through the micro-batcher, and each of them replayed alone."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from catalog.catalog import Catalog
from catalog.indexer import index_folder
from engines.batcher import MicroBatcher
from engines.bundle import default_bundle, load_bundle
from engines.graph_cut import shared_inputs
from engines.onnx_engine import OnnxEngine
from engines.rows import SIZES, pad
from engines.shared_rows import share
from features.spec import FEATURES
from stream.core.events import Accepted, End, Infer, Notice, Reset, Suggestions
from stream.core.session import SessionOptions
from stream.driver.immediate import ImmediateDriver
from stream.driver.live import LiveDriver, LiveOptions
from stream.driver.runtime import Runtime
from stream.recording.batch_search import BatchSearch, place, plain_way, ways
from stream.recording.format import Reader
from stream.recording.header import RecordOptions, make_header
from stream.recording.player import replay
from stream.recording.recorder import Recorder
from stream.recording.values import answer_digest
from stream.sinks.base import FunctionSink, Sinks
from stream.sources.arrival import Arrival
from studio.pairs import draw_latent, video_recipe
from studio.video.render import render

Parts = tuple[OnnxEngine, Catalog]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, write_music: Callable[..., Path]) -> Iterator[Parts]:
    """The shipped bundle's engine and a catalogue of nine short tracks."""
    folder = tmp_path_factory.mktemp("library")
    for number, bpm in enumerate((70, 80, 90, 100, 110, 120, 130, 140, 150)):
        write_music(folder / "music" / f"{number}.wav", duration_s=9, bpm=bpm, seed=number, channels=1)
    bundle = load_bundle(default_bundle(), FEATURES)
    engine = OnnxEngine(bundle)
    index_folder(folder / "music", folder / "catalogue", engine, 1, lambda *_: None)
    with Catalog.open(folder / "catalogue", bundle) as catalog:
        yield engine, catalog
    engine.close()


class Borrowed:
    """An engine that is not closed with its batcher."""

    def __init__(self, engine: OnnxEngine) -> None:
        self.name, self.bundle, self.spec, self.run, self.warmup = (
            engine.name,
            engine.bundle,
            engine.spec,
            engine.run,
            engine.warmup,
        )

    def close(self) -> None:
        pass


def film(seed: int, seconds: float) -> list[av.VideoFrame]:
    rng = np.random.default_rng(seed)
    pictures = render(video_recipe(draw_latent(rng), rng, np.arange(0.3, seconds, 0.5)), seconds)
    frames = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        jumped = 60 * 8 if seed == 1 and number >= 30 else 0
        frame.pts, frame.time_base = number + jumped, Fraction(1, 8)
        frames.append(frame)
    return frames


async def play_live(live: LiveDriver, frames: list[av.VideoFrame], commands: dict[int, dict[str, Any]]) -> None:
    """Offer each frame once the one before was looked at, without waiting for any answer."""
    running = asyncio.create_task(live.run())
    for number, frame in enumerate(frames):
        if number in commands:
            live.command(commands[number])
        live.offer(Arrival(frame))
        async with asyncio.timeout(20):
            while live.stats.sampled + live.stats.stale <= number:  # noqa: ASYNC110 - a count, and the session's
                await asyncio.sleep(0.001)
        if number % 8 == 7:
            await asyncio.sleep(0.05)
    await live.close()
    await running


def test_live_sessions_beside_each_other_are_replayed_bit_for_bit(tmp_path: Path, parts: Parts) -> None:
    engine, catalog = parts
    tracks = [track.id for track in catalog.tracks()]
    batcher = MicroBatcher(Borrowed(engine), window_ms=30)
    runtime = Runtime(batcher, catalog)
    header = make_header(runtime, catalog, SessionOptions(), RecordOptions())
    said: list[list[Notice]] = [[] for _ in range(4)]

    async def main(workers: ThreadPoolExecutor) -> None:
        sessions, recorders = [], []
        for number, heard in enumerate(said):
            recorders.append(recorder := Recorder(tmp_path / str(number), header))
            publish = Sinks([recorder], needed=[FunctionSink(heard.append)])
            options = LiveOptions(finish_s=20)
            live = LiveDriver(runtime, options, publish, workers=workers, recorder=recorder)
            commands = {
                10 + number: {"type": "skip", "track": tracks[number]},
                20: {"type": "filters", "min_bpm": 75 + number},
                25: {"type": "playing", "track": tracks[5]},
                33: {"type": "pin", "track": tracks[6]},
            }
            sessions.append(play_live(live, film(number, 6.0), commands))
        await asyncio.gather(*sessions)
        assert all(recorder.close(wait_s=20) for recorder in recorders)  # which another thread writes

    with ThreadPoolExecutor(8) as workers:
        asyncio.run(main(workers))
    stats = batcher.stats
    batcher.close()
    assert stats.runs < stats.requests  # some ran together
    for number, heard in enumerate(said):
        again: list[Notice] = []
        with Reader(tmp_path / str(number)) as reader:
            outcome = replay(reader, Runtime(engine, catalog), again.append)
        assert outcome.ending is None
        assert outcome.first is None
        assert [plain(notice) for notice in heard] == again and isinstance(again[-1], End)
        assert sum(isinstance(notice, Accepted) for notice in again) == 4
        assert sum(isinstance(notice, Suggestions) for notice in again) >= 3
        assert any(isinstance(notice, Reset) for notice in again) == (number == 1)


def plain(notice: Notice) -> Notice:
    """Without what only a clock knows."""
    if isinstance(notice, Suggestions):
        return replace(notice, late_ms=None)
    return notice


def request(engine: OnnxEngine, graph: str, rows: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for tensor in engine.spec(graph).inputs:
        shape = (rows, *(int(size) for size in tensor.shape[1:]))
        if tensor.dtype == "bool":
            arrays[tensor.name] = np.arange(shape[1]) < rng.integers(1, shape[1] + 1, (rows, 1))
        else:
            arrays[tensor.name] = (rng.uniform(0, 255 if tensor.dtype == "uint8" else 1, shape)).astype(tensor.dtype)
    return arrays


@pytest.mark.parametrize("graph", ["video_clip", "video_sequence", "mood", "matcher"])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_row_depends_on_its_place_in_the_batch_alone(parts: Parts, graph: str, rows: int) -> None:
    """What ``batch_search.py`` rests on: whatever the other rows hold, one of the ways gives the very same bits."""
    engine, catalog = parts
    asked = request(engine, graph, rows, 1)
    for size, before in [way for way in ways(rows) if way[0] <= 8]:
        company = request(engine, graph, size, 2)
        joined = {name: array.copy() for name, array in company.items()}
        for name, array in asked.items():
            joined[name][before : before + rows] = array
        full = engine.run(graph, joined)
        outputs = {name: array[before : before + rows].copy() for name, array in full.items()}
        repeated = engine.run(graph, {name: place(array, size, before) for name, array in asked.items()})
        for name, array in repeated.items():
            assert array[before : before + rows].tobytes() == outputs[name].tobytes(), (size, before)
        asker = BatchSearch(Runtime(engine, catalog), batched=True)
        answer, same = asker.answer(Infer(1, graph, asked), answer_digest(outputs))
        assert same and answer_digest(answer) == answer_digest(outputs)


def test_the_ways_are_all_that_a_batcher_can_have_taken() -> None:
    assert plain_way(5) == (8, 0) and plain_way(32) == (32, 0) and plain_way(40) == (40, 0)
    for rows in (1, 3, 8, 32):
        found = list(ways(rows))
        assert len(found) == len(set(found)) <= 63
        assert set(found) == {(size, at) for size in SIZES for at in range(size - rows + 1)}
        assert found[0] == plain_way(rows)


def test_an_answer_that_nothing_explains_is_the_plain_one_and_ends_the_search(parts: Parts) -> None:
    engine, catalog = parts
    counted: list[int] = []

    class Counting(Borrowed):
        def __init__(self) -> None:
            super().__init__(engine)
            run = engine.run
            self.run = lambda graph, inputs: (counted.append(1), run(graph, inputs))[1]

    asker = BatchSearch(Runtime(Counting(), catalog), batched=True)
    question = Infer(1, "mood", request(engine, "mood", 1, 1))
    answer, same = asker.answer(question, "0" * 64)
    assert not same and len(counted) == 63
    assert answer_digest(answer) == answer_digest(engine.run("mood", question.inputs))
    asker.give_up()
    asker.answer(question, "0" * 64)
    assert len(counted) == 64


@pytest.mark.parametrize("rows", [5, 32])
@pytest.mark.parametrize("shares", [True, False])
def test_shared_rows_are_read_as_they_were(parts: Parts, rows: int, shares: bool) -> None:
    """Once by an engine of today that ran a request alone; for each row before, and where requests were joined."""
    engine, catalog = parts
    each = request(engine, "matcher", rows, 1)
    once = {name: share(a[:1], rows) if name in shared_inputs(engine.bundle.graphs, "matcher") else a
            for name, a in each.items()}  # fmt: skip
    question = Infer(1, "matcher", once)
    size, before = plain_way(rows)
    placed = {name: place(np.ascontiguousarray(a), size, before) for name, a in once.items()}
    whole = {name: a[:rows] for name, a in engine.run("matcher", placed).items()}
    alone = {name: a[:rows] for name, a in engine.run("matcher", {n: pad(a, size) for n, a in once.items()}).items()}
    alike = answer_digest(alone) == answer_digest(whole)  # on some processors
    for answers, known in ((whole, True), (alone, shares or alike)):
        asker = BatchSearch(Runtime(engine, catalog), batched=True, shares=shares)
        assert asker.answer(question, answer_digest(answers))[1] is known
    direct = BatchSearch(Runtime(engine, catalog), batched=False, shares=shares)
    given = once if shares else {name: np.ascontiguousarray(a) for name, a in once.items()}
    assert direct.answer(question, answer_digest(engine.run("matcher", given)))[1]


def test_a_window_that_is_read_once_scores_its_candidates_as_before(parts: Parts) -> None:
    """Of rendered films and tracks, to 1e-6; the lists have the same tracks."""
    engine, catalog = parts
    gaps: list[float] = []

    class Comparing(Borrowed):
        def __init__(self, once: bool) -> None:
            super().__init__(engine)
            self.once = once
            self.run = self.compare

        def compare(self, graph: str, inputs: dict[str, Any]) -> dict[str, Any]:
            each = engine.run(graph, {name: np.ascontiguousarray(array) for name, array in inputs.items()})
            if graph != "matcher":
                return each
            once = engine.run(graph, inputs)
            gaps.append(float(np.abs(once["score"] - each["score"]).max()))
            return once if self.once else each

    for seed in (0, 2):
        lists = []
        for once in (True, False):
            said: list[Notice] = []
            driver = ImmediateDriver(Runtime(Comparing(once), catalog), SessionOptions(), said.append)
            for slot, frame in enumerate(film(seed, 8.0)):
                driver.push(driver.analyzer.analyze(frame, slot / 8), slot)
            lists.append([[i.track for i in one.items] for one in said if isinstance(one, Suggestions)])
        assert lists[0] == lists[1] and len(lists[0]) >= 8
    assert len(gaps) >= 32 and max(gaps) < 1e-6
