"""What the load of a benchmark is: one stream as a publisher would encode it, made here, so that nothing is fetched."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from studio import pairs
from studio.video import render

WIDTH, HEIGHT, FPS = 640, 360, 30
BIT_RATE = 1_500_000
GRAIN = 4.0  # grey levels: what a camera's sensor adds, so that the bit rate is used


def write_stream(path: Path, seconds: int, seed: int = 0) -> Path:
    """H.264 (constrained baseline, no B-frames, a key frame a second) of a studio scene, 640x360 at 30 a second."""
    rng = np.random.default_rng(seed)
    latent = pairs.draw_latent(rng)
    recipe = pairs.video_recipe(latent, rng, np.arange(0.0, seconds, 0.5))
    grain = rng.normal(0.0, GRAIN, (8, HEIGHT, WIDTH, 1)).astype(np.float32)
    options = {"profile": "baseline", "tune": "zerolatency", "preset": "veryfast", "g": str(FPS), "bf": "0"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", BIT_RATE
        for number, small in enumerate(render.render(recipe, seconds, fps=FPS)):
            large = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
            picture = np.clip(large + grain[number % len(grain)], 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
