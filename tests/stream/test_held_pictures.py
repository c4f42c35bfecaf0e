"""Slide shows, GIFs and recordings that store changes alone: a picture is on the screen until the next one."""

import json
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import segue

Watch = Callable[..., list[dict[str, Any]]]
CODECS = {".gif": ("gif", "rgb8"), ".webm": ("libvpx", "yuv420p"), ".avi": ("mjpeg", "yuvj420p")}


@pytest.fixture
def watch(small_catalog: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> Watch:
    def run(source: Path, *words: str) -> list[dict[str, Any]]:
        given = ["watch", str(source), "-c", str(small_catalog), "--bundle", str(tiny_bundle), "--json", *words]
        assert segue.main(given) == 0
        said = capsys.readouterr()
        assert said.err == ""
        return [json.loads(line) for line in said.out.splitlines()]

    return run


def slides(path: Path, seconds: list[float], rate: int = 0) -> Path:
    """Pictures of two colours each, held for ``seconds``: once each, or ``rate`` times a second."""
    codec, pix_fmt = CODECS.get(path.suffix, ("libx264", "yuv420p"))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate or 100)
        stream.width, stream.height, stream.pix_fmt = 160, 90, pix_fmt
        if codec == "libx264":
            stream.options = {"bf": "0"}
        unit, begun, random = Fraction(1, 100), 0.0, np.random.default_rng(1)
        stream.codec_context.time_base = unit
        for held_s in seconds:
            coarse = random.integers(0, 2, (9, 16, 3)) * random.integers(100, 250, 3)
            picture = coarse.astype(np.uint8).repeat(10, axis=0).repeat(10, axis=1)
            for n in range(round(held_s * rate) if rate else 1):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = round((begun + (n / rate if rate else 0)) * 100), unit
                for packet in stream.encode(frame):
                    packet.duration = round(held_s / (packet.time_base or unit)) if not rate else packet.duration
                    container.mux(packet)
            begun += held_s
        for packet in stream.encode():
            packet.duration = round(seconds[-1] / (packet.time_base or unit)) if not rate else packet.duration
            container.mux(packet)
    return path


def told(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == kind]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif", ".webm", ".mov", ".ts", ".flv", ".avi"])
def test_slides_are_told_as_the_same_at_25_a_second(tmp_path: Path, watch: Watch, suffix: str) -> None:
    seconds = [12.0, 12.0, 12.0]
    lines = watch(slides(tmp_path / f"once{suffix}", seconds), "--fast")
    every = watch(slides(tmp_path / "often.mp4", seconds, rate=25), "--fast")
    assert not told(lines, "reset") and not told(every, "reset")
    times = [line["pts_s"] for line in told(lines, "suggestions")]
    # where the container does not say for how long the last picture stands, it ends the file
    whole = suffix not in (".ts", ".flv", ".avi")
    assert times[:24] == [float(second) for second in range(1, 25)] and (len(times) == 36) == whole
    assert [cut["pts_s"] for cut in told(lines, "cut")] == [cut["pts_s"] for cut in told(every, "cut")] == [12, 24]
    if suffix not in (".gif", ".avi"):  # other colours
        firsts = [[item["track"] for item in line["items"]] for line in told(lines, "suggestions")]
        wanted = [[item["track"] for item in line["items"]] for line in told(every, "suggestions")]
        shared = [len({*one} & {*other}) / 5 for one, other in zip(firsts, wanted, strict=False)]
        assert np.mean(shared) >= 0.95


@pytest.mark.parametrize("held_s", [1.01, 1.4, 5.0, 20.0, 120.0])
def test_a_list_a_second_and_each_cut(tmp_path: Path, watch: Watch, held_s: float) -> None:
    lines = watch(slides(tmp_path / "v.mp4", [held_s] * 5), "--fast")
    assert len(told(lines, "suggestions")) in (int(5 * held_s), int(5 * held_s) + 1) and not told(lines, "reset")
    assert [cut["pts_s"] for cut in told(lines, "cut")] == pytest.approx([held_s * n for n in range(1, 5)], abs=0.13)


def test_a_held_picture_takes_its_time(tmp_path: Path, watch: Watch) -> None:
    begun = time.monotonic()
    lines = watch(slides(tmp_path / "v.mp4", [2.5, 3.0]))
    assert 5.3 < time.monotonic() - begun < 9.0
    assert [line["pts_s"] for line in told(lines, "suggestions")][:5] == [1, 2, 3, 4, 5]
    assert all(line["late_ms"] is not None for line in told(lines, "suggestions")) and len(told(lines, "cut")) == 1
    assert not told(lines, "warning")


def test_a_step_back_does_not_make_it_hurry(tmp_path: Path, watch: Watch) -> None:
    """The second part, whose times begin 4.5 s earlier, takes its own time too."""
    # no list is due in the moment of the step
    parts = [slides(tmp_path / f"{count}.ts", [0.5] * count, rate=25).read_bytes() for count in (9, 8)]
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    begun = time.monotonic()
    lines = watch(tmp_path / "both.ts")
    assert time.monotonic() - begun > 8.0 and len(told(lines, "reset")) == 1
    assert [line["pts_s"] for line in told(lines, "suggestions")][:7] == [1, 2, 3, 4, 1, 2, 3]
