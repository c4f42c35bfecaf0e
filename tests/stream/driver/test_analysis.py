"""A look at frames between bars: the features are those of what is between them, from the first frame on."""

import av
import numpy as np
import pytest

from features.frame import FrameMeter
from stream.core.screen import REVISED
from stream.core.session import Session
from stream.driver.analysis import FrameAnalyzer

PICTURES = np.random.default_rng(4).integers(60, 250, (40, 10, 12, 3), dtype=np.uint8)


def picture(n: int) -> np.ndarray:
    return np.roll(PICTURES[0].repeat(34, axis=0).repeat(70, axis=1), 6 * n, axis=1)[:340, :840]


def framed(n: int, bars: bool) -> av.VideoFrame:
    if not bars:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture(n)), "rgb24")
    frame = np.zeros((480, 840, 3), np.uint8)
    frame[70:410] = picture(n)
    return av.VideoFrame.from_ndarray(frame, "rgb24")


def test_revised_features_are_those_without_bars() -> None:
    with_bars, without = FrameAnalyzer(), FrameAnalyzer()
    found, plain = [], []
    for n in range(16):
        analysis = with_bars.analyze(framed(n, True), n / 8)
        found[len(found) - len(analysis.revised) :] = analysis.revised
        found.append(analysis.features)
        plain.append(without.analyze(framed(n, False), n / 8).features)
        assert len(analysis.revised) == (REVISED if n == 5 else 0)
    for one, other in zip(found, plain, strict=True):
        assert one.colour.brightness == pytest.approx(other.colour.brightness, abs=0.02)
        assert one.colour.contrast == pytest.approx(other.colour.contrast, abs=0.05)
        assert one.cut < 0.5
    speeds = [[each.speed for each in frames[1:]] for frames in (found, plain)]
    assert np.mean(speeds[0]) == pytest.approx(np.mean(speeds[1]), rel=0.1)


def test_a_session_takes_the_place_of_what_was_told(fake_runtime, features) -> None:
    session = Session(fake_runtime().model)
    for slot in (0, 1, 2, 4, 5):
        session.push(features(slot), slot)
    other = [features(n) for n in (70, 71, 72)]
    assert session.revise(other) == []
    kept = session._window._frames
    assert [kept[slot] for slot in (2, 4, 5)] == other and kept[1] is not other[0]
    session.push(features(6), 6)
    assert list(kept) == [0, 1, 2, 4, 5, 6]


def test_a_look_that_begins_anew_remembers_nothing() -> None:
    analyzer = FrameAnalyzer()
    for n in range(4):
        analyzer.analyze(framed(n, True), n / 8)
    analyzer.restart()
    for n in range(5):
        assert not analyzer.analyze(framed(n, True), n / 8).revised
    assert isinstance(analyzer._meter, FrameMeter)
