"""What a header says of the engine, and what a damaged one is refused for."""

from pathlib import Path
from typing import Any

import pytest

from engines.batcher import MicroBatcher
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from engines.rows import SIZES
from features.spec import FEATURES
from stream.recording.batch_search import plain_way, ways
from stream.recording.errors import RecordingError
from stream.recording.header import engine_differences, own_sizes, sizes_of

FILE = Path("r.seguerec")


def test_batch_sizes_are_kept_where_they_are_not_the_usual_ones(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle, FEATURES)
    assert own_sizes(OnnxEngine(bundle)) == {}
    usual, own = MicroBatcher(OnnxEngine(bundle)), MicroBatcher(OnnxEngine(bundle), sizes=(1, 3, 64))
    assert own_sizes(usual) == {} and own_sizes(own) == {"sizes": [1, 3, 64]}
    usual.close()
    own.close()
    assert sizes_of(FILE, {"engine": {}}) == SIZES and sizes_of(FILE, {"engine": own_sizes(own)}) == (1, 3, 64)


@pytest.mark.parametrize("sizes", [[], [0, 1], [2, 1], [1, 1], [4096], ["1"], [True, 2], "1", None, list(range(1, 99))])
def test_batch_sizes_that_no_batcher_has(sizes: Any) -> None:
    with pytest.raises(RecordingError, match="its batch sizes are"):
        sizes_of(FILE, {"engine": {"sizes": sizes}})


def test_the_ways_are_those_of_the_sizes() -> None:
    found = list(ways(2, (1, 3, 4)))
    assert sorted(found) == [(3, 0), (3, 1), (4, 0), (4, 1), (4, 2)] and plain_way(2, (1, 3, 4)) == (3, 0)


def test_another_engine_is_named(tiny_bundle: Path) -> None:
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    assert engine_differences({"engine": {"name": "onnx-cpu-1-batched"}}, engine) == []
    header = {"engine": {"name": "onnx-cuda-0+onnx-cpu-1-batched"}}
    assert engine_differences(header, engine) == ["the engine was onnx-cuda-0+onnx-cpu-1, is onnx-cpu-1"]
