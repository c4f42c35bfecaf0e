"""Distances between distributions, what is read of real material, and a whole small run."""

import json
from pathlib import Path

import numpy as np
import pytest

import segue
from benchmarks import studio_like as bench
from benchmarks.errors import BenchError
from features import spec

LEVELS = np.array([0.01, 0.25, 0.5, 0.75, 0.99])


def real_file(folder: Path, **more: object) -> Path:
    path = folder / "real.json"
    clips = {f"colour.{name}": [0.0, 0.1, 0.2, 0.3, 0.9] for name in spec.COLOUR_FIELDS}
    told = {
        "quantiles": LEVELS.tolist(),
        "clips": {"real": {**clips, "motion.speed_mean": [0.0, 0.01, 0.02, 0.08, 0.3]}},
        "music": {"real": {"centroid": [500.0, 1300.0, 1700.0, 2000.0, 3600.0], "dur": [3.0, 15.0, 29.0, 87.0, 210.0]}},
    }
    path.write_text(json.dumps(told | more))
    return path


def test_the_distance_is_in_interquartile_ranges_and_nothing_of_the_same() -> None:
    values = np.linspace(0.0, 1.0, 10_001)
    real = np.quantile(values, LEVELS)
    assert bench.distance(values, real, LEVELS) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert bench.distance(values + 0.5, real, LEVELS) == pytest.approx((1.0, 1.0), abs=1e-6)
    area, gap = bench.distance(np.where(values > 0.9, 5.0, values), real, LEVELS)
    assert 0.1 < area < gap


def test_rank_correlation_knows_ties() -> None:
    one = np.array([0.0, 0.0, 1.0, 2.0, 3.0])
    assert bench.spearman(one, one**3) == pytest.approx(1.0)
    assert bench.spearman(one, -one) == pytest.approx(-1.0)
    assert bench.spearman(one, np.ones(5)) == 0.0


@pytest.mark.parametrize(
    "more", [{"quantiles": [0.5]}, {"clips": {}}, {"music": {"real": {"centroid": "high"}}}, {"quantiles": None}]
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    with pytest.raises(BenchError, match=r"real\.json"):
        bench.read_real(real_file(tmp_path, **more))


def test_a_missing_file_and_no_pairs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["bench", "studio", "--real", str(tmp_path / "none.json")]) == 2
    assert segue.main(["bench", "studio", "--real", str(real_file(tmp_path)), "--pairs", "0"]) == 2
    assert "--pairs 0: draw at least one" in capsys.readouterr().err


def test_a_small_run_compares_what_both_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = dict.fromkeys(("tempo", "rms_db", "onset_rate", "centroid"), np.array([1500.0]))
    monkeypatch.setattr(bench, "music_fields", lambda samples: told)  # librosa takes seconds to open
    out, drawing = tmp_path / "rows.json", tmp_path / "plot.png"
    words = ["--real", str(real_file(tmp_path)), "--pairs", "2", "--json", str(out), "--picture", str(drawing)]
    assert segue.main(["bench", "studio", *words]) == 0
    text = capsys.readouterr().out
    assert "| motion.speed_mean | studio |" in text and "| motion.speed_mean | real |" in text and "dur" not in text
    assert "| energy | motion.speed_mean | " in text
    rows = json.loads(out.read_text())["rows"]
    clips = [row for row in rows if row["metric"] == "area" and row["field"] == "motion.speed_mean"]
    assert [row["n"] for row in clips] == [14]
    assert drawing.read_bytes().startswith(b"\x89PNG")


def test_the_sound_is_measured_by_librosas_defaults() -> None:
    t = np.arange(3 * bench.RATE_HZ) / bench.RATE_HZ
    tone = (0.1 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    fields = bench.music_fields(tone)
    assert fields["centroid"][0] == pytest.approx(1000.0, rel=0.05)
    assert fields["rms_db"][0] == pytest.approx(-23.0, abs=0.3)
