"""The real ``tritonclient`` against a server of its own schema: numbers, bounds, and everything that goes wrong."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

if find_spec("tritonclient") is None and "CI" not in os.environ:
    pytest.skip('tritonclient is not installed: pip install ".[triton]"', allow_module_level=True)

from engines.bundle import Bundle, load_bundle
from engines.errors import EngineBusy, EngineClosed, EngineError, EngineFailed, EngineUnavailable
from engines.manifest import TensorSpec
from engines.onnx_engine import OnnxEngine
from engines.triton_engine import TritonEngine, parse_url, probe, reply_bound
from engines.triton_names import model_version, wire_dims
from export.triton_repository import write_repository
from features.spec import FEATURES

Draw = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def kserve_module(load_beside: Callable[[str], ModuleType]) -> ModuleType:
    return load_beside("kserve")


@pytest.fixture
def server(bundle: Bundle, kserve_module: ModuleType, tmp_path: Path) -> Iterator[Any]:
    write_repository(bundle, tmp_path / "models", max_batch=4)
    server = kserve_module.Server(OnnxEngine(bundle), tmp_path / "models")
    yield server
    server.stop()


@pytest.fixture
def engine(server: Any, bundle: Bundle) -> Iterator[TritonEngine]:
    engine = TritonEngine(bundle, server.start(), timeout_s=20)
    yield engine
    engine.close()


@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_the_server_gives_the_engines_numbers(
    engine: TritonEngine, server: Any, bundle: Bundle, draw: Draw, rows: int
) -> None:
    reference = OnnxEngine(bundle)
    for graph in bundle.manifest.graphs:
        inputs = draw(bundle, graph, rows)
        found = engine.run(graph, inputs)
        for name, array in reference.run(graph, inputs).items():
            assert found[name].shape == array.shape and found[name].flags.writeable
            np.testing.assert_allclose(found[name], array, atol=1e-5)  # sliced, so in other batches
    assert max(count for _, count in server.requests) == min(rows, 4)
    assert engine.name == f"triton-127.0.0.1:{server.port}"


def test_many_threads_within_the_bound(server: Any, bundle: Bundle, draw: Draw) -> None:
    engine, reference = TritonEngine(bundle, server.start(), timeout_s=30, concurrency=2), OnnxEngine(bundle)
    server.delay_s = 0.01

    def work(seed: int) -> None:
        inputs = draw(bundle, "mood", 1 + seed % 4, seed)
        np.testing.assert_allclose(engine.run("mood", inputs)["mood"], reference.run("mood", inputs)["mood"], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(32)))
    assert server.most_at_once == 2
    engine.close()


def test_too_many_at_once_are_told_so(server: Any, bundle: Bundle, draw: Draw) -> None:
    engine = TritonEngine(bundle, server.start(), timeout_s=0.5, concurrency=1)
    server.delay_s = 3
    inputs = draw(bundle, "mood", 1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(engine.run, "mood", inputs)
        while not server.requests:
            time.sleep(0.01)
        engine._timeout_s = 0.05  # the second gives up before the first does
        with pytest.raises(EngineBusy, match="1 requests are under way, the bound"):
            engine.run("mood", inputs)
        assert isinstance(first.exception(), EngineFailed)
    engine.close()


def test_a_slow_server_is_not_waited_for(engine: TritonEngine, server: Any, bundle: Bundle, draw: Draw) -> None:
    server.delay_s = 2
    engine._timeout_s = 0.2
    with pytest.raises(EngineFailed, match=r"graph mood, batch 1: no answer within 0\.2 s"):
        engine.run("mood", draw(bundle, "mood", 1))
    server.delay_s = 0.15  # each slice in time, all of them not
    with pytest.raises(EngineFailed, match=r"no answer within 0\.2 s"):
        engine.run("mood", draw(bundle, "mood", 12))
    server.delay_s, engine._timeout_s = 0, 20
    assert engine.run("mood", draw(bundle, "mood", 1))["mood"].shape == (1, 3)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("refuse", "refused with INVALID_ARGUMENT: the moon is in the wrong house"),
        ("full", r"the server cannot be reached or takes no more \(Exceeds maximum queue size\)"),
        ("nan", "output mood holds NaN or infinity"),
        ("short", "the reply makes no sense"),
        ("nothing", r"the reply makes no sense \(output mood is missing\)"),
        ("rows", r"output mood came as float32 \(0, 3\) for a batch of 2"),
        ("huge", r"a message beyond the bound \(.*larger than max"),
    ],
)
def test_a_server_that_misbehaves(
    engine: TritonEngine, server: Any, bundle: Bundle, draw: Draw, how: str, said: str
) -> None:
    inputs = draw(bundle, "mood", 2)
    server.misbehave = how
    with pytest.raises(EngineFailed, match=said) as caught:
        engine.run("mood", inputs)
    assert "graph mood" in str(caught.value) and "\n" not in str(caught.value)
    server.misbehave = ""
    assert engine.run("mood", inputs)["mood"].shape == (2, 3)


def test_a_server_that_goes_and_comes_back(engine: TritonEngine, server: Any, bundle: Bundle, draw: Draw) -> None:
    inputs = draw(bundle, "mood", 2)
    before = engine.run("mood", inputs)["mood"]
    server.stop()
    for _ in range(3):
        with pytest.raises(EngineFailed, match="the server cannot be reached"):
            engine.run("mood", inputs)
    server.start()
    np.testing.assert_array_equal(patient(lambda: engine.run("mood", inputs)["mood"]), before)


def patient(ask: Callable[[], Any]) -> Any:
    """The answer once the connection is back; gRPC tries again at most once a second."""
    for _ in range(200):
        try:
            return ask()
        except EngineFailed:
            time.sleep(0.1)
    return ask()


def test_a_server_that_goes_in_the_middle(engine: TritonEngine, server: Any, bundle: Bundle, draw: Draw) -> None:
    server.delay_s = 1
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(engine.run, "mood", draw(bundle, "mood", 1))
        while not server.requests:
            time.sleep(0.01)
        server.stop()
        error = under_way.exception(timeout=15)  # well before the deadline of 20 s
    assert isinstance(error, EngineFailed) and "no answer within" not in str(error)


def test_a_server_that_comes_back_with_another_bundle(
    engine: TritonEngine,
    server: Any,
    bundle: Bundle,
    draw: Draw,
    write_tiny_bundle: Callable[..., Path],
    tmp_path: Path,
) -> None:
    other = load_bundle(write_tiny_bundle(tmp_path / "other", seed=1), FEATURES)
    server.stop()
    server.engine, server.version = OnnxEngine(other), model_version(other.identity)
    server.start()

    def ask() -> str:
        with pytest.raises(EngineFailed) as caught:
            engine.run("mood", draw(bundle, "mood", 1))
        if "cannot be reached" in str(caught.value):
            raise caught.value
        return str(caught.value)

    assert "refused with NOT_FOUND: Request for unknown model: 'segue_mood' version" in patient(ask)


def test_another_bundle_is_refused_when_connecting(
    server: Any, write_tiny_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    other = load_bundle(write_tiny_bundle(tmp_path / "other", seed=1), FEATURES)
    url = server.start()
    with pytest.raises(EngineUnavailable, match=r"model segue_\w+: is of bundle .{12}, this is .{12}; give the server"):
        TritonEngine(other, url, timeout_s=20)
    assert "is of bundle" in (probe(other, url, timeout_s=20) or "")


def test_other_shapes_are_refused(server: Any, bundle: Bundle) -> None:
    spec = bundle.spec("mood")
    wider = replace(spec, outputs=(TensorSpec("mood", "float32", ("batch", 5)),))
    graphs = {**bundle.manifest.graphs, "mood": wider}
    other = replace(bundle, manifest=replace(bundle.manifest, graphs=graphs))
    with pytest.raises(EngineUnavailable, match=r"outputs are mood FP32 \[-1, 3\], the bundle's mood FP32 \[-1, 5\]"):
        TritonEngine(other, server.start(), timeout_s=20)


def test_a_model_that_is_not_there(server: Any, bundle: Bundle) -> None:
    with pytest.raises(
        EngineUnavailable, match="refused with NOT_FOUND: Request for unknown model: 'other_video_clip'"
    ):
        TritonEngine(bundle, server.start(), timeout_s=20, prefix="other")


def test_a_server_that_is_not_ready_or_not_there(server: Any, bundle: Bundle) -> None:
    url = server.start()
    server.ready = False
    with pytest.raises(EngineUnavailable, match="the server is not ready"):
        TritonEngine(bundle, url, timeout_s=20)
    server.stop()
    with pytest.raises(EngineUnavailable, match="the server cannot be reached"):
        TritonEngine(bundle, url, timeout_s=5)


def test_something_else_listens_there(bundle: Bundle) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def answer() -> None:
            listener.settimeout(0.1)
            while not stop.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                with peer:
                    peer.sendall(b"220 mail.example.org ESMTP ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with pytest.raises(EngineUnavailable, match=r"the server cannot be reached|no answer within"):
                TritonEngine(bundle, f"grpc://127.0.0.1:{listener.getsockname()[1]}", timeout_s=3)
        finally:
            stop.set()
            thread.join()


def test_inputs_are_checked_and_close_is_final(engine: TritonEngine, server: Any, bundle: Bundle, draw: Draw) -> None:
    with pytest.raises(EngineError, match=r"input embedding has shape \(1, 16\)"):
        engine.run("mood", {"embedding": np.zeros((1, 16), np.float32)})
    engine.warmup()
    assert probe(bundle, f"grpc://127.0.0.1:{server.port}", timeout_s=20) is None
    server.delay_s = 2
    count = len(server.requests)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(engine.run, "mood", draw(bundle, "mood", 1))
        while len(server.requests) == count:
            time.sleep(0.01)
        engine.close()
        assert isinstance(under_way.exception(timeout=15), EngineClosed)
    engine.close()
    with pytest.raises(EngineClosed, match="is closed; open another"):
        engine.run("mood", draw(bundle, "mood", 1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"url": "http://box:8000"}, "Triton's address is http://box:8000, must be grpc://HOST:PORT"),
        ({"url": "grpc://box"}, "must be grpc://HOST:PORT"),
        ({"url": "grpc://:8001"}, "must be grpc://HOST:PORT"),
        ({"url": "grpc://box:99999"}, "must be grpc://HOST:PORT"),
    ],
)
def test_bad_settings(bundle: Bundle, given: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        TritonEngine(bundle, **{"url": "grpc://127.0.0.1:1"} | given)


def test_addresses() -> None:
    assert parse_url("grpc://box:8001") == ("box:8001", False)
    assert parse_url("grpcs://[::1]:8001") == ("[::1]:8001", True)


def test_a_missing_client_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tritonclient.grpc", None)
    with pytest.raises(EngineUnavailable, match=r'tritonclient is missing .*; pip install "\.\[triton\]"'):
        TritonEngine(bundle, "grpc://127.0.0.1:1")


def test_the_reply_bound_holds_any_answer(bundle: Bundle) -> None:
    assert reply_bound(bundle) == 32 * 4 * 1024 + (1 << 20)  # the widest output is an embedding of 32 numbers
    assert wire_dims(TensorSpec("score", "float32", ("batch",))) == (1,)
    assert model_version("0" * 64) == "1" and 0 < int(model_version("f" * 64)) < 2**63
