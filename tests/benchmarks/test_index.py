"""The bench of indexing: what it counts and how, without its minutes of music."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import index
from benchmarks.errors import BenchError
from benchmarks.index import Took, music_of, rivals, rows_of, run
from benchmarks.index_stages import Watch, read_packets

Writer = Callable[..., Path]


def test_lengths_of_a_folder(tmp_path: Path, write_music: Writer) -> None:
    write_music(tmp_path / "a.ogg", duration_s=4)
    write_music(tmp_path / "b.wav", duration_s=3)
    (tmp_path / "c.mp3").write_text("nothing")
    files, seconds = music_of(tmp_path)
    assert [path.name for path in files] == ["a.ogg", "b.wav"] and seconds == pytest.approx(7.0, abs=0.1)
    read_packets([*files, tmp_path / "c.mp3"], True)
    with pytest.raises(BenchError, match="holds no music"):
        music_of(tmp_path / "none")


def test_speed_is_processor_time_and_the_slowest_is_told() -> None:
    took = [Took(1.0, 5.0, 100.0), Took(2.0, 4.0, 300.0), Took(4.0, 4.0, 200.0)]
    values = {row.metric: row.value for row in rows_of("x", took, 400.0)}
    assert values == {"x_real_time": 200.0, "wall_x_real_time": 100.0, "slowest_x_real_time": 100.0, "peak_mb": 300.0}


def test_in_turns_and_against_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def fake(command: list[str]) -> Took:
        ours = "segue.py" in command
        ran.append("ours" if ours else "theirs")
        return Took(2.0 if ours else 3.0, 3.0, 90.0)

    monkeypatch.setattr(index, "run", fake)
    rows = {
        (row.metric, row.labels.get("of")): row.value
        for row in index.measure(tmp_path, [tmp_path / "a"], 10.0, 2, False, print)
    }
    assert ran == ["theirs", "ours", "theirs", "ours", "theirs"]  # the first compiles, and does not count
    assert rows["faster_than_rival", None] == 1.5 and rows["x_real_time", "segue"] == 5.0
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said: list[str] = []
    rows = {
        (row.metric, row.labels.get("of")): row.value
        for row in index.measure(tmp_path, [], 10.0, 1, False, said.append)
    }
    assert ("faster_than_rival", None) not in rows and "not installed" in said[0]


def test_a_process_is_measured_and_one_that_fails_is_told() -> None:
    took = run(
        [sys.executable, "-c", "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"]
    )
    assert took.cpu_s >= 0.2 and took.peak_mb > 1
    with pytest.raises(BenchError, match="ended with 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"])
    assert rivals([Path("a b.ogg")])[-1] == "a b.ogg"


def test_a_stage_inside_another_is_counted_once() -> None:
    watch = Watch()

    def spin(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    inner = watch.around("inner", lambda: spin(0.05))

    def both() -> None:
        spin(0.02)
        inner()

    watch.around("outer", both)()
    assert watch.seconds["inner"] >= 0.05
    assert 0.02 <= watch.seconds["outer"] < watch.seconds["inner"]
