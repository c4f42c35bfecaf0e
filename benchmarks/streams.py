"""The load of a benchmark: one stream as a publisher would encode it, made here, so that nothing is downloaded."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from studio import pairs
from studio.video import render

WIDTH, HEIGHT, FPS = 640, 360, 30
BIT_RATE = 1_500_000
GRAIN = 4.0  # grey levels: like the noise of a camera's sensor, so that the bit rate is used


@dataclass(frozen=True)
class Shape:
    """Size in pixels, frames and bits a second."""

    width: int = WIDTH
    height: int = HEIGHT
    fps: int = FPS
    bit_rate: int = BIT_RATE


LIKE_A_CAMERA = Shape()
SMALL = Shape(320, 180, 15, 300_000)


def write_stream(path: Path, seconds: int, seed: int = 0, shape: Shape = LIKE_A_CAMERA) -> Path:
    """H.264 (constrained baseline, no B-frames, a key frame a second) of a studio scene."""
    rng = np.random.default_rng(seed)
    latent = pairs.draw_latent(rng)
    recipe = pairs.video_recipe(latent, rng, np.arange(0.0, seconds, 0.5))
    grain = rng.normal(0.0, GRAIN, (8, shape.height, shape.width, 1)).astype(np.float32)
    options = {"profile": "baseline", "tune": "zerolatency", "preset": "veryfast", "g": str(shape.fps), "bf": "0"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=shape.fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = (
            shape.width,
            shape.height,
            "yuv420p",
            shape.bit_rate,
        )
        for number, small in enumerate(render.render(recipe, seconds, fps=shape.fps)):
            large = cv2.resize(small, (shape.width, shape.height), interpolation=cv2.INTER_CUBIC)
            picture = np.clip(large + grain[number % len(grain)], 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, shape.fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
