"""Starts of any track: there is one, they rise, and none is where no music is to come."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.starts import ROOM_S, starts_of
from features.loudness import lufs_of
from features.r128 import Levels
from features.stretches import silence_lufs, stretches_of


@st.composite
def tracks(draw: st.DrawFn) -> tuple[float, Levels]:
    """Stretches of any loudness, silences among them, and fades."""
    parts = []
    for _ in range(draw(st.integers(1, 8))):
        blocks = draw(st.integers(10, 1200))
        first, last = (draw(st.sampled_from([-120.0, -70.0, -45.0, -30.0, -20.0, -10.0])) for _ in range(2))
        last = draw(st.sampled_from([first, last]))
        parts.append(np.linspace(first, last, blocks))
    loudness = np.concatenate(parts)
    loudness[draw(st.integers(0, len(loudness) - 1))] = -10.0  # a track that is all silence is refused before
    power = np.where(loudness <= -100.0, 0.0, 10.0 ** ((loudness + 0.691) / 10.0))
    return len(power) / 10.0, Levels(power, np.ones(5 * len(power), np.float32), np.ones(len(power), np.float32))


@settings(max_examples=150, deadline=None)
@given(track=tracks(), period_s=st.floats(0.3, 6.0), borders=st.lists(st.floats(0.0, 900.0), max_size=12))
def test_starts_of_any_track(track: tuple[float, Levels], period_s: float, borders: list[float]) -> None:
    duration_s, levels = track
    stretches = stretches_of(levels)
    assert stretches and all(part.begin_s <= part.rise_s <= part.end_s + 1e-9 for part in stretches)
    assert all(part.begin_s <= part.fall_s <= part.end_s <= duration_s + 1e-9 for part in stretches)
    assert all(one.end_s + 2.9 <= two.begin_s for one, two in itertools.pairwise(stretches))
    sections_s = np.unique(np.array([time for time in borders if time < duration_s], np.float32))
    segments_s = np.arange(0, max(1.0, duration_s - 12.0), 4, dtype=np.float32)
    grid_s = np.arange(period_s / 2, duration_s, period_s, np.float32)
    starts, strengths = starts_of(
        segments_s, duration_s, levels, stretches, sections_s, np.full(len(sections_s), 0.5, np.float32), grid_s
    )
    told = starts[~np.isnan(starts)]
    assert len(starts) == len(strengths) == len(segments_s) and len(told) >= 1
    assert (np.diff(told) > 0.2).all() and told[0] >= 0.0 and told[-1] <= max(0.0, duration_s - 1.0) + 1e-3
    if len(told) == 1:
        return  # perhaps the first beat of a track that has no better place
    for start_s in told:
        (own,) = [part for part in stretches if part.begin_s - 0.1 <= start_s <= part.end_s]
        assert own.end_s - start_s >= ROOM_S - 1e-3 and start_s < own.fall_s
        block = round(float(start_s) * 10)
        assert lufs_of(levels.power[block : block + 10].mean()) >= silence_lufs(levels.lufs)
        segment_s = segments_s[np.argmin(np.abs(segments_s - start_s))]
        assert abs(segment_s - start_s) <= 2.0 + 1e-3
