"""What the measurement of OBS's music makes of a recording; the recording itself takes a real OBS."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.obs.play_acts import Log, Took
from benchmarks.obs.play_rows import starts
from benchmarks.obs.recorded import finder
from benchmarks.starts import RATE_HZ, signal, write_wav
from stream.obs.sources import ALONE_S

RECORDED_HZ = 48_000
BLOCK = 1024
ASKED_S = 12.345


def recorded(silent_at: int | None, off_s: float = 0.0) -> np.ndarray:
    """A start as OBS records it, after a second of silence; ``silent_at``: where a block is lost."""
    time_s = ASKED_S - ALONE_S + off_s + np.arange(round(1.4 * RECORDED_HZ)) / RECORDED_HZ
    track = signal(RATE_HZ, 20.0).mean(axis=1)
    sound = np.interp(time_s, np.arange(len(track)) / RATE_HZ, track)
    if silent_at is not None:
        sound = np.concatenate((sound[:silent_at], np.zeros(BLOCK), sound[silent_at:]))
    return np.concatenate((np.zeros(RECORDED_HZ), sound, np.zeros(RECORDED_HZ)))


@pytest.mark.parametrize(
    ("silent_at", "off_s", "start_ms", "later_ms", "lost"),
    [
        (None, 0.0, 0.0, 0.0, 0),
        (2400, 0.0, 0.0, -1000 * BLOCK / RECORDED_HZ, 1),  # 50 ms behind the begin
        (None, 0.025, 25.0, 25.0, 0),  # the begin of the sound itself is missing
    ],
    ids=["whole", "a block lost later", "begun too late"],
)
def test_a_block_that_is_lost_later_is_no_error_of_the_start(
    tmp_path: Path, silent_at: int | None, off_s: float, start_ms: float, later_ms: float, lost: int
) -> None:
    path = tmp_path / "track.wav"
    write_wav(path, 20.0)
    sound = recorded(silent_at, off_s)
    log = Log(4.0, [Took("wav", path, ASKED_S, 0.06, at_s=100.0)])
    found = {row.metric: row.value for row in starts(log, sound, RECORDED_HZ, finder(log.begun_s, sound, RECORDED_HZ))}
    assert found["start_error_median_ms"] == pytest.approx(start_ms, abs=0.2)
    assert found["later_error_median_ms"] == pytest.approx(later_ms, abs=0.5)
    assert found["start_error_most_ms"] == pytest.approx(abs(start_ms), abs=0.2)
    assert found["later_by_lost_blocks"] == lost
