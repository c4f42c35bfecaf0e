"""Bundles with other graphs than the shipped one: a second tower for clips of the video, no optional ones."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segue
from catalog.catalog import Catalog
from catalog.indexer import index_folder
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream.core.events import Answer, End, Infer, Notice, Question, Suggestions
from stream.core.session import SessionOptions
from stream.driver.runtime import Runtime
from stream.sinks.base import FunctionSink
from stream.sources.pull.pull import Pull
from stream.watch import watch_fast, watch_paced

Write = Callable[..., Path]
Opened = Callable[..., Any]


class Noting(Runtime):
    """Keeps every question with its answer, in the order of the answers."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.engine, runtime.catalog)
        self.noted: list[tuple[Question, Answer]] = []

    def answer(self, question: Question) -> Answer:
        answer = super().answer(question)
        self.noted.append((question, answer))
        return answer

    def of(self, graph: str) -> list[tuple[Infer, Mapping[str, Any]]]:
        return [(q, a) for q, a in self.noted if isinstance(q, Infer) and q.graph == graph and isinstance(a, Mapping)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Write, write_music: Write) -> Opened:
    """``opened(two_towers=False, without=())``: bundle and catalogue on disk, made once."""
    made: dict[tuple[bool, tuple[str, ...]], tuple[Path, Path]] = {}
    music = tmp_path_factory.mktemp("music")
    for number in range(3):
        write_music(music / f"{number}.wav", 12, 90 + 20 * number, number)

    def make(two_towers: bool = False, without: Collection[str] = ()) -> tuple[Path, Path]:
        key = two_towers, tuple(without)
        if key not in made:
            folder = tmp_path_factory.mktemp("other")
            bundle = write_tiny_bundle(folder / "bundle", two_towers=two_towers, without=without)
            engine = OnnxEngine(load_bundle(bundle, FEATURES))
            assert index_folder(music, folder / "catalogue", engine, 1, lambda *_: None).added == 3
            engine.close()
            made[key] = bundle, folder / "catalogue"
        return made[key]

    return make


@contextmanager
def running(bundle: Path, catalogue: Path) -> Iterator[Noting]:
    loaded = load_bundle(bundle, FEATURES)
    engine = OnnxEngine(loaded)
    with Catalog.open(catalogue, loaded) as catalog:
        yield Noting(Runtime(engine, catalog))
    engine.close()


def fast(film: Path, bundle: Path, catalogue: Path) -> tuple[Noting, list[Notice]]:
    said: list[Notice] = []
    with running(bundle, catalogue) as runtime, Pull(str(film)) as pull:
        watch_fast(pull, runtime, SessionOptions(), FunctionSink(said.append))
    return runtime, said


def test_the_window_takes_the_vectors_of_both_towers(tmp_path: Path, write_video: Write, opened: Opened) -> None:
    film = write_video(tmp_path / "v.mp4", frames=12 * 9, fps=12)
    runtime, said = fast(film, *opened(two_towers=True))
    assert len([notice for notice in said if isinstance(notice, Suggestions) and notice.items]) == 9
    shades = runtime.of("video_shades")
    assert [len(asked.inputs["clip_image"]) for asked, _ in shades] == [1] * 9
    for (one, _), (other, _) in zip(runtime.of("video_clip"), shades, strict=True):
        assert (one.inputs["clip_image"] == other.inputs["clip_image"]).all()
    asked, answer = runtime.of("video_sequence")[8]  # of the clips that end at 1, 5 and 9 s
    assert asked.inputs["mask"].tolist() == [[True] * 3 + [False] * 4]
    for name, graph in (("clips", "video_clip"), ("shades", "video_shades")):
        rows = np.stack([runtime.of(graph)[second - 1][1]["embedding"][0] for second in (1, 5, 9)])
        assert (asked.inputs[name][0, :3] == rows).all() and not asked.inputs[name][0, 3:].any()
    assert np.ptp(asked.inputs["shades"][0, :3], axis=0).max() > 0
    again = runtime.engine.bundle.graphs.query.name
    assert again == "video_sequence" and np.linalg.norm(answer["embedding"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ({}, ["video_clip", "video_sequence", "mood", "matcher"]),
        ({"two_towers": True}, ["video_clip", "video_shades", "video_sequence", "mood", "matcher"]),
        ({"without": ("matcher",)}, ["video_clip", "video_sequence", "mood"]),
        ({"without": ("matcher", "mood")}, ["video_clip", "video_sequence"]),
        ({"without": ("mood",), "two_towers": True}, ["video_clip", "video_shades", "video_sequence", "matcher"]),
    ],
)
def test_a_session_asks_what_there_is(
    tmp_path: Path, write_video: Write, opened: Opened, made: dict[str, Any], asked: list[str]
) -> None:
    film = write_video(tmp_path / "v.mp4", frames=12 * 3, fps=12)
    runtime, said = fast(film, *opened(**made))
    questions = [question for question, _ in runtime.noted if isinstance(question, Infer)]
    assert [question.graph for question in questions] == asked * 3
    assert [question.first for question in questions] == [graph == "video_clip" for graph in asked] * 3
    assert len([notice for notice in said if isinstance(notice, Suggestions) and len(notice.items) == 3]) == 3
    towers = dict.fromkeys(("video_clip", "video_shades"), "clip tower")
    stages = {**towers, "video_sequence": "sequence tower", "mood": "mood", "matcher": "re-rank"}
    assert runtime.model.stages == {graph: stages[graph] for graph in asked}


@pytest.mark.parametrize("made", [{"two_towers": True}, {"without": ("matcher", "mood")}])
def test_in_real_time(tmp_path: Path, write_video: Write, opened: Opened, made: dict[str, Any]) -> None:
    film = write_video(tmp_path / "v.mp4", frames=24, fps=12)
    said: list[Notice] = []
    with running(*opened(**made)) as runtime, Pull(str(film)) as pull:
        asyncio.run(watch_paced(pull, str(film), runtime, SessionOptions(), FunctionSink(said.append)))
    assert isinstance(said[-1], End) and said[-1].suggestions >= 1
    assert {q.graph for q, _ in runtime.noted if isinstance(q, Infer)} == {g.name for g in runtime.model.graphs.live}


def test_a_recording_is_replayed(
    tmp_path: Path, write_video: Write, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    film, kept = write_video(tmp_path / "v.mp4", frames=12 * 5, fps=12), tmp_path / "recording"
    bundle, catalogue = opened(two_towers=True)
    given = ["-c", str(catalogue), "--bundle", str(bundle), "--json"]
    assert segue.main(["watch", str(film), "--fast", "--record", str(kept), *given]) == 0
    assert segue.main(["replay", str(kept), *given]) == 0
    assert "all the same, bit for bit" in capsys.readouterr().err
