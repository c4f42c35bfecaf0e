"""The same content in another form: what is told of it beside its reference, and that a difference would show."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.masters import MASTERS
from benchmarks.streams import SMALL, write_stream

pytestmark = pytest.mark.needs("ffmpeg")


LEVELS = [name for name in MASTERS if name.endswith("dB")]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_stream(tmp_path_factory.mktemp("film") / "film.mp4", 3, shape=SMALL))


def found(arguments: list[str], catalogue: Path, bundle: Path, tmp_path: Path) -> dict[tuple[str, str, str], Any]:
    out = tmp_path / "rows.json"
    assert (
        main("bench", ["variants", *arguments, "-c", str(catalogue), "--bundle", str(bundle), "--json", str(out)]) == 0
    )
    rows = json.loads(out.read_text())["rows"]
    return {(row["variant"], row["metric"], row.get("side", "")): row for row in rows}


def test_pictures_and_levels_are_one_table(
    film: str,
    catalogue: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    only = ["--only", "recoded", "--only", "PQ", *(word for name in LEVELS for word in ("--only", name))]
    rows = found([film, *only, "--seconds", "3", "--tracks", "2"], catalogue, tiny_bundle, tmp_path)
    for name in ("recoded", "PQ"):
        assert 0 <= rows[name, "overlap", ""]["value"] <= 1 and rows[name, "overlap", ""]["n"] >= 3
        assert rows[name, "brightness", "reference"]["value"] > 0.1
    assert rows["recoded", "brightness", "variant"]["value"] == pytest.approx(
        rows["recoded", "brightness", "reference"]["value"], abs=0.02
    )
    for name in LEVELS:
        for side in ("catalogue", "corpus"):
            least, median = rows[name, "cosine_least", side], rows[name, "cosine_median", side]
            assert 0.9995 <= least["value"] <= median["value"] <= 1.0001 and least["n"] == 2
            assert least["unit"] == "cosine"
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("recoded", "PQ", "-18 dB", "catalogue", "corpus"))


@pytest.mark.parametrize("name", ["PQ", "HLG"])
def test_high_dynamic_range_is_as_bright_and_colourful(
    name: str, film: str, catalogue: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Also that the variant is made as the standard says: what is measured is the way back."""
    rows = found([film, "--only", name, "--seconds", "2"], catalogue, tiny_bundle, tmp_path)
    for measured in ("brightness", "colourfulness"):
        variant, reference = (rows[name, measured, side]["value"] for side in ("variant", "reference"))
        assert reference > 0.1
        assert variant == pytest.approx(reference, rel=0.05), measured


def test_other_masters_lie_near_and_not_as_near_as_a_level(catalogue: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    others = [name for name in MASTERS if name not in LEVELS]
    rows = found([word for name in others for word in ("--only", name)], catalogue, tiny_bundle, tmp_path)
    for name in others:
        for side in ("catalogue", "corpus"):
            least, median = rows[name, "cosine_least", side], rows[name, "cosine_median", side]
            assert least["value"] <= median["value"] <= 1.0001 and least["n"] == 3
    assert rows["bright master", "cosine_median", "catalogue"]["value"] < 0.99999


def test_a_level_that_did_reach_the_towers_would_show(
    catalogue: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.music.level_gain", lambda samples, lufs: np.float32(1.0))
    rows = found(["--only", "-18 dB"], catalogue, tiny_bundle, tmp_path)
    assert {rows["-18 dB", "cosine_least", side]["n"] for side in ("catalogue", "corpus")} == {3}
    assert all(rows["-18 dB", "cosine_median", side]["value"] < 0.999 for side in ("catalogue", "corpus"))


def test_the_same_pictures_in_another_form_lie_near_and_others_do_not(
    film: str, catalogue: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """A picture that a player turns upright is the same; a grey one has other colours; time is kept by a lower rate."""
    names = ("turned by the player", "grey", "30 fps", "a tenth lost", "60 ms later", "overlay", "full range")
    only = [word for name in names for word in ("--only", name)]
    rows = found([film, *only, "--seconds", "2"], catalogue, tiny_bundle, tmp_path)
    for name in names:
        median, least = rows[name, "cosine_median", ""], rows[name, "cosine_least", ""]
        assert (
            least["value"] <= median["value"] <= 1.00001 and least["n"] == median["n"] == rows[name, "overlap", ""]["n"]
        )
    for name in ("turned by the player", "30 fps", "full range"):
        assert rows[name, "cosine_least", ""]["value"] > 0.98, name
        assert rows[name, "colourfulness", "variant"]["value"] > 0.1
    assert rows["grey", "colourfulness", "variant"]["value"] < 0.02
    assert rows["overlay", "contrast", "variant"]["value"] != rows["overlay", "contrast", "reference"]["value"]


def test_pictures_need_a_video(catalogue: Path, tiny_bundle: Path) -> None:
    with pytest.raises(BenchError, match="PQ: variants of pictures need a video"):
        main("bench", ["variants", "--only", "PQ", "-c", str(catalogue), "--bundle", str(tiny_bundle)])
