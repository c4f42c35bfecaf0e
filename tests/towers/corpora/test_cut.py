"""Windows lie where music is: by levels and speech worked out by hand, and by a real voice over real-sounding music."""

from itertools import pairwise

import numpy as np
import pytest

from towers.corpora import cut
from towers.corpora.cut import MUSIC, SILENCE, SPEECH, Cut, cuts, is_speech_alone, judge

RATE = 16_000


class Voice:
    """Stands in for the network: what is above 0.5 of full scale is speech."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        rows = samples[: len(samples) // 512 * 512].reshape(-1, 512)
        return (np.abs(rows).max(axis=1) > 0.5).astype(np.float32)


@pytest.fixture(autouse=True)
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "SpeechMeter", Voice)


def sound(seconds: int, level: float) -> np.ndarray:
    return np.full(seconds * RATE, level, np.float32)


def spoken(seconds: int, bed: float) -> np.ndarray:
    """A second of voice, a second of what lies under it, in turn."""
    return np.resize(np.concatenate([sound(1, 0.8), sound(1, bed)]), seconds * RATE)


def test_judging_a_stretch() -> None:
    assert judge(sound(28, 0.1)) == (MUSIC, 0.0)
    assert judge(sound(28, 1e-4))[0] == SILENCE
    assert judge(np.concatenate([sound(12, 1e-4), sound(16, 0.1)]))[0] == SILENCE  # three clips of seven
    assert judge(np.concatenate([sound(4, 1e-4), sound(24, 0.1)]))[0] == MUSIC  # one
    kind, share = judge(spoken(28, 0.3))
    assert kind == MUSIC and share == pytest.approx(0.5, abs=0.02)
    assert judge(spoken(28, 0.02))[0] == SPEECH
    assert judge(sound(28, 0.8))[0] == SPEECH  # no pause, so nothing speaks for music


def test_what_sounds_in_the_pauses_decides() -> None:
    levels = np.array([-10.0, -10.0, -30.0])
    assert is_speech_alone(levels, np.array([True, True, False]))
    assert not is_speech_alone(np.array([-10.0, -10.0, -20.0]), np.array([True, True, False]))


def test_windows_are_spread_and_step_over_what_is_no_music() -> None:
    samples = np.concatenate([sound(40, 1e-5), sound(100, 0.1)])
    found, passed = cuts(samples, 3, 2)
    assert [one.start_s for one in found] == [46, 93]  # nothing in the first third is music for 28 s
    assert passed == {SILENCE: 5}
    assert all(one.clips == 7 for one in found)
    assert cuts(samples, 2, 2)[0] == [Cut(36, 7, 0.0), Cut(70, 7, 0.0)]


def test_short_recordings_are_one_window_of_whole_clips() -> None:
    assert cuts(sound(19, 0.1), 4, 2)[0] == [Cut(0, 4, 0.0)]
    assert cuts(sound(8, 0.1), 4, 2)[0] == [Cut(0, 2, 0.0)]
    assert cuts(sound(7, 0.1), 4, 2)[0] == []
    assert cuts(sound(0, 0.1), 4, 2)[0] == []


def test_windows_never_overlap_and_stay_inside() -> None:
    for seconds in (28, 29, 55, 56, 57, 84, 131, 600):
        for most in (1, 2, 4, 9):
            found, _ = cuts(sound(seconds, 0.1), most, 2)
            assert 1 <= len(found) == min(most, seconds // 28)
            starts = [one.start_s for one in found]
            assert all(later - one >= 28 for one, later in pairwise(starts))
            assert starts[-1] + 28 <= seconds
