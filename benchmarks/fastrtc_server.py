"""The same suggestions from a server written with the ``fastrtc`` package, as its guide shows it: for comparison.

    python -m benchmarks.fastrtc_server PORT CATALOG

The package is no dependency of the project (`capacity` says how to install it). It calls its video handler with a
picture for every frame, on the event loop, but without the frame's capture or arrival time; so times come from the
clock, and ``late_ms`` begins at the handler's call. Of waiting frames it uses the newest (``skip_frames``). Suggestions
go to the client as server-sent events, as the guide sends everything but media.
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
        self.arrivals: dict[int, float] = {}  # second -> time of the call with its newest sampled picture

    def push_picture(self, picture: npt.NDArray[np.uint8]) -> list[str]:
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
        self.arrivals = {past: at for past, at in self.arrivals.items() if past >= second - 2} | {second: now_s}
        canonical = np.ascontiguousarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)[..., ::-1])
        events += self.session.push(self.meter.push(canonical.astype(np.uint8), self.sampler.elapsed_s), slot)
        return list(self.handle_events(events))

    def handle_events(self, events: list[Any]) -> list[str]:
        lines = []
        while events:
            event = events.pop(0)
            if isinstance(event, Question):
                events += self.session.result(event.id, self.runtime.answer(event))
            elif isinstance(event, Suggestions):
                arrival = self.arrivals.get(math.ceil(event.pts_s) - 1)
                late_ms = None if arrival is None else 1000 * (time.monotonic() - arrival)
                lines.append(messages.line(replace(event, late_ms=late_ms)))
        return lines


def create_app(runtime: Runtime) -> FastAPI:
    """fastrtc's own ``/webrtc/offer``, ``POST /inputs/ID``, without which it calls no handler, ``GET /outputs/ID``;
    ``GET /api/sessions`` as in the other servers."""
    suggesters: dict[str, Suggester] = {}

    def handler(picture: npt.NDArray[np.uint8]) -> Any:
        name = fastrtc.get_current_context().webrtc_id
        if name not in suggesters:
            suggesters[name] = Suggester(runtime)
        lines = suggesters[name].push_picture(picture)
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
        return {"sessions": [{"id": name, "frames": suggester.frames} for name, suggester in suggesters.items()]}

    return app


def main(port: int, catalog: Path) -> None:
    bundle = load_bundle(default_bundle(), FEATURES)
    with contextlib.closing(OnnxEngine(bundle)) as engine, Catalog.open(catalog, bundle) as opened:
        engine.warmup()
        uvicorn.run(create_app(Runtime(engine, opened)), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
