"""Whether grids lie where the beats were measured: told of many files of a kind, never of one."""

from pathlib import Path

import numpy as np
import pytest

from catalog.libraries.agreement import LEAST_FILES, MOST_FILES, agreement, offset_s
from catalog.libraries.notes import CLOCK, PREPARED, notes_of
from catalog.libraries.prepared import Prepared, Tempo
from catalog.records import Floats

BPM = 120.0


def text(begin_s: float = 0.25) -> str:
    [note] = notes_of(Path("a"), Prepared("", tempi=(Tempo(begin_s, BPM),)))
    return note.value


def beats(late_s: float, step: float = 0.5, seed: int = 0) -> Floats:
    times = np.arange(0.25, 60.0, step) + late_s
    return (times + np.random.default_rng(seed).normal(0.0, 0.004, len(times))).astype(np.float32)


@pytest.mark.parametrize("late_s", [-0.05, -0.0251, 0.0, 0.0512])
@pytest.mark.parametrize("step", [0.25, 0.5, 1.0])  # the same pulse, by other names
def test_the_offset_of_one_track(late_s: float, step: float) -> None:
    found = offset_s(text(), beats(late_s, step))
    assert found == pytest.approx(late_s, abs=0.003)


def test_beats_of_another_pulse_have_none() -> None:
    assert offset_s(text(), beats(0.0, 0.43)) is None
    assert offset_s(text(), beats(0.25)) is None
    assert offset_s(text(), beats(0.0)[:10]) is None
    assert offset_s(text(), np.zeros(0, np.float32)) is None
    assert offset_s("", beats(0.0)) is None


def told(files: int, name: str, moved_s: float, late_s: float) -> list[str]:
    asked: list[Path] = []

    def measured(file: Path) -> Floats:
        asked.append(file)
        return beats(late_s, seed=len(asked))

    notes = {(Path(f"/m/{i}{name}"), field): value for i in range(files)
             for field, value in ((CLOCK, f"1 2 None {moved_s!r}"), (PREPARED, text()))}  # fmt: skip
    lines = list(agreement(notes, measured))
    assert len(asked) <= MOST_FILES
    return lines


def test_many_files_tell_whether_they_were_moved_rightly() -> None:
    [line] = told(30, ".mp3", -0.0512, 0.001)
    assert line.startswith("beats were measured 1 ms behind the grids of 30 MP3s moved by -51 ms (middle half ")
    assert line.endswith("which fits")
    [line] = told(MOST_FILES + 1, ".MP3", -0.0251, -0.0261)
    assert "-26 ms behind" in line and line.endswith("too far: see Whose time in LIBRARIES.md")
    assert "M4As moved by 0 ms" in told(LEAST_FILES, ".m4a", 0.0, 0.0)[0]


def test_few_files_and_those_without_a_delay_tell_nothing() -> None:
    assert told(LEAST_FILES - 1, ".mp3", -0.0512, 0.03) == []
    assert told(30, ".flac", 0.0, 0.03) == []
