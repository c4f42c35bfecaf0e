"""What the measurement of OBS's ways looks at; the measurement itself takes minutes and a real OBS."""

import os
import subprocess
import sys
import time
from fractions import Fraction

import av
import numpy as np

from benchmarks.cli import parser
from benchmarks.obs.ways import WAYS, _cpu_s, _Eye, _seen_rows, _spent_rows
from stream.sources.arrival import Arrival


def picture(colour: tuple[int, int, int]) -> Arrival:
    frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), colour, np.uint8), "rgb24")
    frame.pts, frame.time_base = 0, Fraction(1, 8)
    return Arrival(frame)


def test_only_another_colour_is_a_change() -> None:
    eye = _Eye()
    for colour, name, is_new in (
        ((200, 9, 9), "Red", True),
        ((220, 30, 30), "Red", False),
        ((0, 90, 0), "Green", True),
    ):
        eye.changed.clear()
        eye.look(picture(colour))
        assert (eye.colour, eye.changed.is_set()) == (name, is_new)


def test_rows_have_their_spread() -> None:
    rows = [*_seen_rows({"udp": [100.0, 200.0, 300.0], "off": []}), *_spent_rows({"udp": [(0.3, 0.1), (0.5, 0.2)]})]
    found = {(row.metric, row.labels.get("of", "")): row.value for row in rows}
    assert found["seen_p50", ""] == 200 and found["cpu_median", "OBS"] == 0.4 and found["cpu_highest", "Segue"] == 0.2
    assert all(row.labels["way"] == "udp" for row in rows)


def test_the_time_of_running_children_counts() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before_s, until_s = _cpu_s(os.getpid()), time.monotonic() + 20
        while _cpu_s(os.getpid()) - before_s < 0.3 and time.monotonic() < until_s:
            time.sleep(0.1)
        assert _cpu_s(busy.pid) > 0.2
        assert _cpu_s(os.getpid()) - before_s >= 0.3
    finally:
        busy.kill()
        busy.wait()


def test_it_is_a_kind_of_bench() -> None:
    asked = parser().parse_args(["obs-ways", "-c", "x", "--way", "udp"])
    assert asked.way == ["udp"] and set(asked.way) < set(WAYS)
