"""A library's tempi -> beats and bar lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.libraries.grid import grid_of
from catalog.libraries.prepared import MAX_BEATS, Prepared, Tempo


def test_one_tempo_holds_in_both_directions() -> None:
    grid = grid_of(Prepared("", tempi=(Tempo(1.25, 120.0, 3, 4),)), 10.0)
    assert grid is not None and grid.tempo_bpm == 120.0
    np.testing.assert_allclose(grid.beats_s, np.arange(0.25, 10.0, 0.5))
    np.testing.assert_allclose(grid.beats_s[grid.lines], [0.25, 2.25, 4.25, 6.25, 8.25])


def test_tempi_change_at_their_beats() -> None:
    tempi = (Tempo(0.0, 120.0, 1, 4), Tempo(4.03, 60.0, 1, 3), Tempo(20.0, 90.0))
    grid = grid_of(Prepared("", tempi=tempi), 12.0)
    assert grid is not None and grid.tempo_bpm == 60.0
    np.testing.assert_allclose(grid.beats_s, [*np.arange(0.0, 4.0, 0.5), *np.arange(4.03, 12.0, 1.0)])
    np.testing.assert_allclose(grid.beats_s[grid.lines], [0.0, 2.0, 4.03, 7.03, 10.03])


def test_a_mark_for_each_beat() -> None:
    """As rekordbox writes a live drummer: a tempo mark a beat."""
    times = np.cumsum([0.5, 0.51, 0.48, 0.52, 0.5, 0.49])
    tempi = tuple(Tempo(float(at), 120.0, 1 + i % 4, 4) for i, at in enumerate(times))
    grid = grid_of(Prepared("", tempi=tempi), 3.2)
    assert grid is not None
    np.testing.assert_allclose(grid.beats_s, [0.0, *times])
    np.testing.assert_allclose(grid.beats_s[grid.lines], times[::4])


def test_beats_one_by_one_have_no_bars() -> None:
    grid = grid_of(Prepared("", beats_s=(-0.1, 0.4, 0.9, 1.4, 99.0)), 10.0)
    assert grid is not None and not grid.lines.any() and grid.tempo_bpm == pytest.approx(120.0)
    np.testing.assert_allclose(grid.beats_s, [0.4, 0.9, 1.4])


def test_a_part_has_its_own_time() -> None:
    grid = grid_of(Prepared("", tempi=(Tempo(0.0, 60.0, 1, 4),)), 100.0)
    assert grid is not None
    part = grid.part(10.5, 20.5)
    np.testing.assert_allclose(part.beats_s, np.arange(0.5, 10.0))
    np.testing.assert_allclose(part.beats_s[part.lines], [1.5, 5.5, 9.5])


def test_nothing_to_say() -> None:
    assert grid_of(Prepared(""), 10.0) is None
    assert grid_of(Prepared("", beats_s=(1.0,)), 10.0) is None
    assert grid_of(Prepared("", tempi=(Tempo(50.0, 30.0),)), 0.5) is None


@given(
    st.lists(
        st.tuples(st.floats(-10, 5000), st.floats(20, 500), st.integers(0, 4)).map(lambda it: Tempo(*it)), max_size=8
    ),
    st.floats(0.1, 4000),
)
@settings(deadline=None)
def test_beats_rise_inside_the_track(tempi: list[Tempo], end_s: float) -> None:
    grid = grid_of(Prepared("", tempi=tuple(sorted(tempi, key=lambda tempo: tempo.begin_s))), end_s)
    if grid is not None:
        assert (np.diff(grid.beats_s) > 0).all()
        assert grid.beats_s[0] >= 0.0 and grid.beats_s[-1] < end_s and len(grid.beats_s) <= MAX_BEATS
        assert len(grid.lines) == len(grid.beats_s) and 20.0 <= grid.tempo_bpm <= 500.0
