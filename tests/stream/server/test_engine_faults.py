"""A GPU dies in the middle of a stream: the real server, a real client, and an engine that is told when to fail."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from engines import choose
from engines.base import Arrays
from engines.bundle import Bundle
from engines.choose import EngineOptions
from engines.errors import EngineFailed, EngineUnavailable
from engines.onnx_engine import OnnxEngine
from stream.client import FrameClient
from stream.server.options import ServeOptions
from stream.server.parts import open_parts


class Gpu(OnnxEngine):
    """The CPU's numbers by another name, until ``fault`` says otherwise; what hangs does so until ``go``."""

    fault = ""

    def __init__(self, bundle: Bundle, options: EngineOptions) -> None:
        super().__init__(bundle, options.threads)
        self.go = threading.Event()

    @property
    def name(self) -> str:
        return "onnx-cuda-0"

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        match self.fault:
            case "lost":
                raise EngineFailed("the GPU was lost (CUDA error 719)")
            case "hang":
                assert self.go.wait(60)
            case "nan":
                return {name: array * np.nan for name, array in super().run(graph, inputs).items()}
        return super().run(graph, inputs)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Gpu]]:
    """Those that were opened by the name onnx-cuda."""
    made: list[Gpu] = []

    def opener(bundle: Bundle, options: EngineOptions) -> Gpu:
        made.append(Gpu(bundle, options))
        return made[-1]

    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", opener)  # type: ignore[arg-type]
    yield made
    for gpu in made:
        gpu.go.set()


async def get(url: str) -> httpx.Response:
    return await asyncio.to_thread(httpx.get, url, timeout=10)


async def scraped(url: str) -> dict[tuple[str, str], float]:
    """Series with at most one label, by name and that label's value."""
    families = text_string_to_metric_families((await get(f"{url}metrics")).text)
    return {(s.name, next(iter(s.labels.values()), "")): s.value for f in families for s in f.samples}


async def second(client: FrameClient, number: int) -> dict[str, Any]:
    """Send the pictures of one second and wait for its list."""
    for slot in range(8):
        picture = np.full((90, 160, 3), (17 * number + 3 * slot) % 256, np.uint8)
        picture[:, : 10 * (slot + 1)] = 255
        sent = client.sent
        await client.send(picture, number + slot / 8)
        while client.sent == sent:  # noqa: ASYNC110 - each is to arrive: a newer one would replace it
            await asyncio.sleep(0.005)
    async with asyncio.timeout(20):
        while True:
            heard = client.newest("suggestions")
            if heard is not None and heard["pts_s"] == number + 1:
                return heard
            await asyncio.sleep(0.01)


async def state_of(url: str) -> dict[str, Any]:
    found: dict[str, Any] = (await get(f"{url}healthz")).json()["engine_state"]
    return found


@pytest.mark.parametrize(("fault", "reason"), [("lost", "failed"), ("nan", "failed"), ("hang", "timeout")])
def test_a_session_goes_on_without_a_gap(
    serving: Callable[..., Any], gpus: list[Gpu], fault: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(running: Any) -> None:
        url = running.url
        async with FrameClient(url, label="A") as client:
            for number in range(3):
                assert (await second(client, number))["items"]
            assert (await state_of(url))["in_use"] == "onnx-cuda-0"
            assert (await get(f"{url}readyz")).json() == {"ready": True}
            gpus[0].fault = fault
            for number in range(3, 7):
                assert (await second(client, number))["items"]
            told = (await get(f"{url}healthz")).json()
            assert told["engine"] == "onnx-cuda-0+onnx-cpu-1-batched" and told["status"] == "ok"
            state = told["engine_state"]
            assert (state["in_use"], state["degraded"], state["why"]) == ("onnx-cpu-1", True, reason)
            assert state["fallbacks"] == 1 and (state["stuck_s"] > 0) is (fault == "hang")
            ready = await get(f"{url}readyz")
            said = f"onnx-cpu-1 answers for onnx-cuda-0 ({reason})"
            assert (ready.status_code, ready.json()) == (200, {"ready": True, "degraded": said})
            counts = await scraped(url)
            assert counts["segue_engine_fallbacks_total", reason] == 1
            assert (
                counts["segue_engine_in_use", "onnx-cpu-1"] == 1 and counts["segue_engine_in_use", "onnx-cuda-0"] == 0
            )
            assert counts["segue_engine_reserve_requests_total", ""] >= 8
            gpus[0].fault = ""
            gpus[0].go.set()
            number = 7
            deadline_s = time.monotonic() + 30
            while (await state_of(url))["degraded"]:
                assert time.monotonic() < deadline_s
                assert (await second(client, number))["items"]
                number += 1
                await asyncio.sleep(0.1)
            assert (await second(client, number))["items"]
            counts = await scraped(url)
            assert counts["segue_engine_returns_total", ""] == 1
            assert counts["segue_engine_in_use", "onnx-cuda-0"] == 1
            assert counts["segue_hops_skipped_total", ""] == 0
            assert counts["segue_suggestions_total", ""] == number + 1  # one for each second: no gap
            assert counts["segue_hub_events_total", "opened"] == 1
            assert client.newest("error") is None and client.newest("warning") is None

    with serving(engine="onnx-cuda") as running:
        asyncio.run(scene(running))
    assert f"engine onnx-cuda-0 fails ({reason}, " in caplog.text and "engine onnx-cuda-0 works again" in caplog.text


def test_a_gpu_that_is_lost_for_good_is_opened_anew(serving: Callable[..., Any], gpus: list[Gpu]) -> None:
    async def scene(running: Any) -> None:
        async with FrameClient(running.url) as client:
            await second(client, 0)
            gpus[0].fault = "lost"
            await second(client, 1)
            await asyncio.sleep(1.1)
            await second(client, 2)  # starts the trial
            async with asyncio.timeout(20):
                while (await state_of(running.url))["degraded"]:  # noqa: ASYNC110 - it is another thread's
                    await asyncio.sleep(0.01)
            await second(client, 3)
        assert len(gpus) == 2

    with serving(engine="onnx-cuda") as running:
        asyncio.run(scene(running))


def test_an_engine_by_name_that_cannot_be_had_is_an_error(
    small_catalog: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(bundle: Bundle, options: EngineOptions) -> OnnxEngine:
        raise EngineUnavailable("engine onnx-cuda-0: no NVIDIA driver; install one")

    monkeypatch.setitem(choose.OPENERS, "onnx-cuda", none)  # type: ignore[arg-type]
    options = ServeOptions(small_catalog, bundle=tiny_bundle, engine="onnx-cuda")
    with pytest.raises(EngineUnavailable, match="no NVIDIA driver"), open_parts(options):
        pass


def test_health_and_metrics_of_the_cpu_alone(serving: Callable[..., Any]) -> None:
    with serving(engine="onnx-cpu", batch_sizes=(1, 8)) as running:
        state = asyncio.run(state_of(running.url))
        assert state == {"in_use": "onnx-cpu-1", "degraded": False}
        counts = asyncio.run(scraped(running.url))
        assert counts["segue_engine_in_use", "onnx-cpu-1"] == 1
        assert {label: n for (name, label), n in counts.items() if name == "segue_engine_fallbacks_total"} == {
            "failed": 0,
            "timeout": 0,
            "error": 0,
            "busy": 0,
        }
        assert counts["segue_engine_queueing_seconds_count", ""] == counts["segue_engine_requests_total", ""]
