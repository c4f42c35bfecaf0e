"""``segue bench deblocking``: what is lost, and saved, by decoding H.264 without its deblocking filter.

The server does so at its lowest pace. This measures the worst case: one key frame at the beginning and none after it,
so that every difference goes on into all later pictures, as in a call from a browser.
"""

import argparse
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from rich.console import Console

from features.decode.picture import Scaler
from features.frame import FrameFeatures, FrameMeter
from stream.core.sampler import Discontinuity, Sampler
from stream.sources.pull.pull import Pull
from stream.sources.webrtc.aiortc_compat import JitterFrame
from stream.sources.webrtc.decoding import FrameDecoder

from .errors import BenchError
from .harness import Report, Row, print_rows
from .report.interval import of_turns
from .report.progress import reached
from .report.run import publish, run_of
from .streams import FPS, HEIGHT, WIDTH

CODEC: Final = RTCRtpCodecParameters(mimeType="video/H264", clockRate=90_000, payloadType=96)
ONLY_KEY: Final = "keyint=infinite:scenecut=0"
PARTS: Final = 4  # of the time, to see whether the difference grows


@dataclass(frozen=True)
class DeblockingOptions:
    """``seconds`` of the video, which repeats if it is shorter, at each of the bit rates ``kbit``."""

    seconds: int = 60
    kbit: tuple[int, ...] = (1500, 500)
    turns: int = 3


@dataclass(frozen=True)
class DecodeResult:
    """One decoding: canonical pictures (n, 90, 160, 3) uint8, their features, and the processor seconds spent."""

    pictures: list[np.ndarray[Any, np.dtype[np.uint8]]]
    features: list[FrameFeatures]
    cpu_s: float


def measure(source: str, options: DeblockingOptions, say: Any = None) -> Report:
    """Raises `BenchError` for impossible options, and the errors of opening and decoding ``source``."""
    if options.seconds < PARTS or not options.kbit or min(options.kbit) < 1:
        raise BenchError(f"{options.seconds} s at {options.kbit} kbit/s: give at least {PARTS} s and rates above 0")
    rows: list[Row] = []
    for number, kbit in enumerate(options.kbit):
        reached(say, number + 0.1, len(options.kbit))
        frames = encode(source, options.seconds, kbit)
        turns = [(decode(frames, True), decode(frames, False)) for _ in range(options.turns)]
        rows += [replace(row, labels={"kbit": kbit, **row.labels}) for row in compare(*turns[0])]
        ratios = [without.cpu_s / full.cpu_s for full, without in turns]
        spread = {"least": round(min(ratios), 3), "most": round(max(ratios), 3)}
        rows.append(
            Row("decoding_cost_ratio", float(np.median(ratios)), len(ratios), "ratio", {"kbit": kbit, **spread},
                of_turns(ratios))
        )  # fmt: skip
    return Report("deblocking", rows, {"source": Path(source).name, "seconds": options.seconds, "size": "640x360"})


def encode(source: str, seconds: int, kbit: int) -> list[JitterFrame]:
    """The video as a publisher would send it, 640x360 at 30 a second, with one key frame."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 1000 * kbit
    encoder.options = {"profile": "baseline", "tune": "zerolatency", "preset": "veryfast", "x264-params": ONLY_KEY}
    frames: list[JitterFrame] = []
    while len(frames) < seconds * FPS:
        with Pull(source) as pull:
            before = len(frames)
            for frame in islice(pull.frames(), seconds * FPS - before):
                small = frame.reformat(WIDTH, HEIGHT, "yuv420p")
                small.pts, small.time_base, small.pict_type = len(frames), Fraction(1, FPS), 0
                frames += [JitterFrame(bytes(packet), len(frames) * 90_000 // FPS) for packet in encoder.encode(small)]
            if len(frames) == before:
                raise BenchError(f"{source}: no picture in it")
    return frames


def decode(frames: list[JitterFrame], deblock: bool) -> DecodeResult:
    """Decode, sample and measure as a session does; only decoding is timed."""
    decoder, sampler, scaler, meter = FrameDecoder(CODEC, deblock), Sampler(), Scaler(), FrameMeter()
    pictures, features, cpu_s = [], [], 0.0
    for encoded_frame in frames:
        begun_s = time.thread_time()
        decoded_frames = decoder.decode(encoded_frame)
        cpu_s += time.thread_time() - begun_s
        for frame in decoded_frames:
            slot = sampler.offer(frame.pts, frame.time_base)
            if slot is not None and not isinstance(slot, Discontinuity):
                pictures.append(scaler.canonical(frame))
                features.append(meter.push(pictures[-1], sampler.elapsed_s))
    return DecodeResult(pictures, features, cpu_s)


def compare(full: DecodeResult, without: DecodeResult) -> list[Row]:
    """How far pictures and features differ, for each part of the time."""
    rows: list[Row] = []
    bounds = np.linspace(0, len(full.pictures), PARTS + 1).astype(int)
    for part, (first, end) in enumerate(pairwise(bounds), start=1):
        labels: dict[str, str | int | float] = {"part": f"{part} of {PARTS}"}
        count = int(end - first)
        ours, theirs = without.features[first:end], full.features[first:end]
        pairs = zip(without.pictures[first:end], full.pictures[first:end], strict=True)
        psnr = [psnr_db(picture, reference) for picture, reference in pairs]
        thumbs = [np.abs(a.thumb.astype(int) - b.thumb).mean() for a, b in zip(ours, theirs, strict=True)]
        speeds = np.array([(a.speed, b.speed) for a, b in zip(ours, theirs, strict=True)])
        cuts = [abs(a.cut - b.cut) for a, b in zip(ours, theirs, strict=True)]
        rows += [
            Row("picture_psnr_p50", float(np.median(psnr)), count, "dB", labels),
            Row("picture_psnr_p5", float(np.percentile(psnr, 5)), count, "dB", labels),
            Row("thumbnail_difference", float(np.mean(thumbs)), count, "grey levels", labels),
            Row("speed_ratio", float(speeds[:, 0].mean() / max(speeds[:, 1].mean(), 1e-9)), count, "ratio", labels),
            Row("cut_difference_p95", float(np.percentile(cuts, 95)), count, "", labels),
            Row("cut_difference_most", max(cuts, default=0.0), count, "", labels),
        ]
    return rows


def psnr_db(picture: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> float:
    """Peak signal-to-noise ratio of uint8 pictures, at most 99."""
    error = float(np.square(picture.astype(np.float64) - reference).mean())
    return 99.0 if error == 0 else min(99.0, float(10.0 * np.log10(255.0**2 / error)))


def add_deblocking(kinds: Any) -> None:
    """Add ``deblocking`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("deblocking", help="what decoding H.264 without its deblocking filter loses and saves")
    parser.add_argument("source", metavar="SOURCE", help="a video file")
    parser.add_argument("--seconds", type=float, default=60.0, help="of it, repeated if it is shorter (default 60)")
    parser.add_argument("--kbit", type=int, action="append", metavar="N", help="bit rate; may be repeated (1500, 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def deblocking(options: argparse.Namespace) -> int:
    settings = DeblockingOptions(round(options.seconds), tuple(options.kbit or DeblockingOptions.kbit))
    report = measure(options.source, settings, run_of(options).say)
    print_rows(report.rows, Console(), f"{report.settings['source']}, one key frame in {settings.seconds} s")
    return publish(options, report)
