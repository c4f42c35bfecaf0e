"""What a pulling process sends: a picture for each free slot, and how many frames it passed over before."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from stream.sources.sandbox import child


class Source:
    """An input of frames at these milliseconds, all there at once."""

    held_s, endless, warning = 10.0, False, None

    def __init__(self, times_ms: list[int]) -> None:
        self._times_ms = times_ms

    def frames(self) -> Any:
        for time_ms in self._times_ms:
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            yield frame


def test_late_frames_are_counted_and_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    times_ms = [0, 40, 80, 130, 60, 70, 90, 170, 260, 255]
    sent: list[tuple[int, int]] = []

    def say(kind: int, data: bytes, pts_us: int = 0, passed: int = 0) -> None:
        assert kind == child.PICTURE
        sent.append((pts_us // 1000, passed))

    monkeypatch.setattr(child, "guarded", lambda networks: None)
    monkeypatch.setattr(child, "is_live", lambda url: True)  # nothing is waited for
    monkeypatch.setattr(child, "Pull", lambda url, threads, opener: Source(times_ms))
    monkeypatch.setattr(child, "Telling", lambda source, note, hear: source)
    child.pull("http://example.com/v.mp4", [], say)
    assert sent == [(0, 0), (130, 2), (260, 4)]
