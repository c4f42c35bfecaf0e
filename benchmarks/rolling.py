"""What a rolling window saves: one clip a second, beside the whole window embedded afresh each second.

Code that comes with papers takes a video and gives a vector. Called once a second on the last 28 s it decodes nothing
twice, but measures 224 pictures and embeds seven clips where a live session measures eight pictures and embeds one
clip, since the other six are those of seconds before. Both go the session's own way here (`Window`, `Hop`), hop by hop
in turns, and must give the same vectors. *Graphs*: the clip towers and the graphs of the window, by processor time.
*Pictures*: from pixels to features. What both do alike (decoding, mood, search, ranking) is in neither.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.base import Arrays, Engine
from features.decode.picture import Scaler
from features.frame import FrameFeatures, FrameMeter
from features.spec import MOTION_FPS, WINDOW_S
from stream.core.sampler import Discontinuity, Sampler
from stream.driver.runtime import model_of, needs_small
from stream.sources.pull.pull import Pull

from .engines.overlap import embed
from .errors import BenchError
from .harness import Row
from .report.interval import interval

HOPS: Final = 100
MEASURED: Final = 6  # hops whose pictures are measured afresh as well: 224 each
T = TypeVar("T")


@dataclass
class Costs:
    """Processor ms of each hop, by way."""

    rolling: list[float] = field(default_factory=list)
    afresh: list[float] = field(default_factory=list)

    def rows(self, of: str) -> list[Row]:
        """``hop_cpu_ms`` of both ways; ``rolling_speedup``: how many times the rolling way's cost the other has."""
        ratios = np.asarray(self.afresh) / np.maximum(self.rolling, 1e-6)
        lower, middle, upper = np.percentile(ratios, (25, 50, 75))
        spread = {"lower": round(float(lower), 3), "upper": round(float(upper), 3)}
        count = len(ratios)
        return [
            Row(
                "hop_cpu_ms",
                float(np.median(self.rolling)),
                count,
                "ms",
                {"of": of, "way": "rolling"},
                interval(self.rolling),
            ),
            Row(
                "hop_cpu_ms",
                float(np.median(self.afresh)),
                count,
                "ms",
                {"of": of, "way": "afresh"},
                interval(self.afresh),
            ),
            Row("rolling_speedup", float(middle), count, "times", {"of": of, **spread}, interval(ratios.tolist())),
        ]


def rolling_rows(source: str, engine: Engine, hops: int = HOPS, measured: int = MEASURED) -> list[Row]:
    """``rolling_speedup`` and what it is made of; ``rolling_difference``: the largest between the vectors of both ways.
    Raises ``BenchError`` for a source without a picture. A source that is too short begins anew."""
    pictures = sampled(source, (WINDOW_S + hops) * MOTION_FPS)
    graphs, difference, pixels = Costs(), 0.0, Costs()
    model = model_of(engine.bundle)
    keep = needs_small(model)
    meter, features = FrameMeter(small=keep), list[FrameFeatures]()
    window, cost_ms = model.window(), [0.0]

    def run(graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        outputs, spent_ms = timed(partial(engine.run, graph, inputs))
        cost_ms[0] += spent_ms
        return outputs

    def rolls(end: int) -> NDArray[np.float32]:
        return embed(model, run, window, end)

    def anew(end: int) -> NDArray[np.float32]:
        fresh = model.window()
        for slot in range((end - WINDOW_S) * MOTION_FPS, end * MOTION_FPS):
            fresh.push(slot, features[slot])
        return embed(model, run, fresh, end)

    for end in range(1, WINDOW_S + hops + 1):
        new = pictures[(end - 1) * MOTION_FPS : end * MOTION_FPS]
        found, spent_ms = timed(partial(measure, meter, new, len(features)))
        for frame in found:
            window.push(len(features), frame)
            features.append(frame)
        if end <= WINDOW_S:
            rolls(end)
            continue
        hop = end - WINDOW_S - 1
        if hop < measured:
            whole = pictures[(end - WINDOW_S) * MOTION_FPS : end * MOTION_FPS]
            pixels.rolling.append(spent_ms)
            pixels.afresh.append(timed(partial(measure, FrameMeter(small=keep), whole, 0))[1])
        vectors = {}
        for way in (rolls, anew) if hop % 2 else (anew, rolls):
            cost_ms[0] = 0.0
            vectors[way] = way(end)
            (graphs.rolling if way is rolls else graphs.afresh).append(cost_ms[0])
        difference = max(difference, float(np.abs(vectors[rolls] - vectors[anew]).max()))
    both = Costs(
        [ours + other for ours, other in zip(pixels.rolling, graphs.rolling, strict=False)],
        [ours + other for ours, other in zip(pixels.afresh, graphs.afresh, strict=False)],
    )
    rows = graphs.rows("graphs") + pixels.rows("pictures") + both.rows("pictures and graphs")
    return [*rows, Row("rolling_difference", difference, hops, "", {"of": "vectors"})]


def measure(meter: FrameMeter, pictures: Sequence[NDArray[np.uint8]], at: int) -> list[FrameFeatures]:
    return [meter.push(picture, (at + number) / MOTION_FPS) for number, picture in enumerate(pictures)]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What ``work`` gives, and the processor ms of all threads meanwhile."""
    begun_s = time.process_time()
    result = work()
    return result, 1e3 * (time.process_time() - begun_s)


def sampled(source: str, count: int) -> list[NDArray[np.uint8]]:
    """``count`` pictures (90, 160, 3) of the source, eight a second; from its beginning again if it is shorter."""
    sampler, scaler, pictures = Sampler(), Scaler(), list[NDArray[np.uint8]]()
    with Pull(source) as pull:
        for frame in pull.frames():
            slot = sampler.offer(frame.pts, frame.time_base)
            if slot is not None and not isinstance(slot, Discontinuity):
                pictures.append(scaler.canonical(frame))
            if len(pictures) == count:
                break
    if not pictures:
        raise BenchError(f"{source}: no picture in it; take another video")
    return list(islice(cycle(pictures), count))
