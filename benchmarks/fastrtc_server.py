"""The same suggestions from a server written with the ``fastrtc`` package, as its guide has it: for comparison.

    python -m benchmarks.fastrtc_server PORT CATALOG

The package is no dependency of the project (`capacity` says how to install it). Its video handler is called with a
picture for every frame, on the event loop, and is not told when a frame was taken or arrived; so time is the clock's,
and ``late_ms`` begins at the handler's call. Of waiting frames the newest is used (``skip_frames``). Suggestions go to
the client as server-sent events, which is how the guide sends anything that is no media.
"""

import contextlib
import math
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cv2
import fastrtc
import numpy as np
import numpy.typing as npt
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from catalog.catalog import Catalog
from engines.bundle import default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.frame import FrameMeter
from features.spec import FEATURES, MOTION_FPS
from stream import messages
from stream.core.events import Question, Suggestions
from stream.core.sampler import Discontinuity, Sampler
from stream.core.session import Session
from stream.driver.runtime import Runtime, needs_small

CLOCK: Final = 90_000
SIZE: Final = (160, 90)
MOST: Final = 64  # connections


class Suggester:
    """One stream: pictures in, lines of the wire format out."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.frames = runtime, 0
        self.session, self.sampler = Session(runtime.model), Sampler()
        self.meter = FrameMeter(small=needs_small(runtime.model))
        self.began_s = time.monotonic()
        self.arrivals: dict[int, float] = {}  # second -> call with its newest sampled picture

    def see(self, picture: npt.NDArray[np.uint8]) -> list[str]:
        """``picture``: (height, width, 3) BGR."""
        now_s = time.monotonic()
        self.frames += 1
        slot = self.sampler.offer(round((now_s - self.began_s) * CLOCK), Fraction(1, CLOCK))
        events: list[Any] = []
        if isinstance(slot, Discontinuity):
            self.meter = FrameMeter(small=needs_small(self.runtime.model))
            self.arrivals.clear()
            events += self.session.reset(slot.reason)
            slot = slot.slot
        if slot is None:
            return []
        second = slot // MOTION_FPS
        self.arrivals = {one: at for one, at in self.arrivals.items() if one >= second - 2} | {second: now_s}
        canonical = np.ascontiguousarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)[..., ::-1])
        events += self.session.push(self.meter.push(canonical.astype(np.uint8), self.sampler.elapsed_s), slot)
        return list(self.said(events))

    def said(self, events: list[Any]) -> list[str]:
        out = []
        while events:
            event = events.pop(0)
            if isinstance(event, Question):
                events += self.session.result(event.id, self.runtime.answer(event))
            elif isinstance(event, Suggestions):
                arrival = self.arrivals.get(math.ceil(event.pts_s) - 1)
                late_ms = None if arrival is None else 1000 * (time.monotonic() - arrival)
                out.append(messages.line(replace(event, late_ms=late_ms)))
        return out


def create_app(runtime: Runtime) -> FastAPI:
    """fastrtc's own ``/webrtc/offer``, ``POST /inputs/ID`` without which it calls no handler, ``GET /outputs/ID``;
    ``GET /api/sessions`` as the other servers have it."""
    suggesters: dict[str, Suggester] = {}

    def handler(picture: npt.NDArray[np.uint8]) -> Any:
        name = fastrtc.get_current_context().webrtc_id
        if name not in suggesters:
            suggesters[name] = Suggester(runtime)
        lines = suggesters[name].see(picture)
        return fastrtc.AdditionalOutputs(*lines) if lines else None

    stream = fastrtc.Stream(
        fastrtc.VideoStreamHandler(handler, skip_frames=True),
        modality="video",
        mode="send",
        concurrency_limit=MOST,
        server_rtc_configuration={"iceServers": []},
        verbose=False,
    )
    app = FastAPI()
    stream.mount(app)

    @app.post("/inputs/{name}")
    async def inputs(name: str) -> dict[str, str]:
        stream.set_input(name, None)
        return {"status": "ok"}

    @app.get("/outputs/{name}")
    async def outputs(name: str) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async for output in stream.output_stream(name):
                for line in output.args:
                    yield f"data: {line}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    @app.get("/api/sessions")
    async def sessions() -> dict[str, object]:
        for name in [name for name in suggesters if name not in stream.connections]:
            del suggesters[name]
        return {"sessions": [{"id": name, "frames": one.frames} for name, one in suggesters.items()]}

    return app


def main(port: int, catalog: Path) -> None:
    bundle = load_bundle(default_bundle(), FEATURES)
    with contextlib.closing(OnnxEngine(bundle)) as engine, Catalog.open(catalog, bundle) as opened:
        engine.warmup()
        uvicorn.run(create_app(Runtime(engine, opened)), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
