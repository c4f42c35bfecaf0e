"""Notes a second: as many as were played, at any level, none in silence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.beats import course_of
from features.onsets import onsets_by_second, peaks

RATE_HZ, SECONDS = 16_000, 12.0


def plucked(a_second: int, level: float = 0.5) -> np.ndarray:
    """Short notes at even distances over a floor of noise."""
    sound = 1e-4 * np.random.default_rng(1).standard_normal(int(RATE_HZ * SECONDS))
    note = np.exp(-np.arange(800) / 150) * np.sin(0.4 * np.arange(800))
    for place_s in np.arange(0.3, SECONDS - 0.5, 1 / a_second):
        at = round(place_s * RATE_HZ)
        sound[at : at + len(note)] += note
    return (level * sound).astype(np.float32)


@pytest.mark.parametrize("a_second", [1, 2, 4, 8])
def test_as_many_as_were_played(a_second: int) -> None:
    found = onsets_by_second(course_of(plucked(a_second)).envelope, SECONDS)
    assert found.shape == (12,) and found.dtype == np.uint8
    assert found[1:11].mean() == pytest.approx(a_second, abs=0.1 * a_second)


def test_level_makes_no_difference() -> None:
    loud, soft = (onsets_by_second(course_of(plucked(4, level)).envelope, SECONDS) for level in (0.9, 0.02))
    assert (loud == soft).all()


def test_silence_has_none_and_a_part_of_a_second_counts_as_one() -> None:
    nothing = onsets_by_second(course_of(np.zeros(40_000, np.float32)).envelope, 2.5)
    assert nothing.tolist() == [0, 0, 0]
    assert onsets_by_second(np.zeros(0, np.float32), 0.2).tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.integers(1, 4), st.booleans())
def test_onsets_are_picked_as_librosa_picks_them(seed: int, frames: int, power: int, coarse: bool) -> None:
    from librosa.onset import onset_detect

    envelope = (np.random.default_rng(seed).exponential(size=frames) ** power).astype(np.float32)
    if coarse:  # many alike, side by side
        envelope = np.round(envelope * 2)
    theirs = onset_detect(onset_envelope=envelope, sr=RATE_HZ, hop_length=256, units="frames")
    assert peaks(envelope).tolist() == theirs.tolist()


def test_where_nothing_changes_nothing_sets_in() -> None:
    assert peaks(np.full(50, 0.5, np.float32)).tolist() == []
