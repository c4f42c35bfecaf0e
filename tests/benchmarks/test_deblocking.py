"""Decoding with and without the filter compared, on a short scene; its bounds are what the server relies on."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.deblocking import DeblockingOptions, compare, decode, encode, measure, psnr_db
from benchmarks.errors import BenchError
from benchmarks.streams import SMALL, write_stream


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_stream(tmp_path_factory.mktemp("film") / "film.mp4", 3, shape=SMALL))


def test_what_a_session_measures_is_nearly_the_same(film: str) -> None:
    report = measure(film, DeblockingOptions(seconds=8, kbit=(1500,), turns=1))
    found: dict[str, list[float]] = {}
    for row in report.rows:
        found.setdefault(row.metric, []).append(row.value)
    assert len(found["picture_psnr_p50"]) == 4
    assert min(found["picture_psnr_p50"]) > 25 and max(found["picture_psnr_p50"]) < 99  # it did make a difference
    assert max(found["thumbnail_difference"]) < 4
    assert all(0.8 < ratio < 1.25 for ratio in found["speed_ratio"])
    assert max(found["cut_difference_most"]) < 0.3
    assert found["decoding_cost_ratio"][0] > 0


def test_a_video_is_repeated_and_has_one_key_frame(film: str) -> None:
    frames = encode(film, 4, 300)  # of 3 s at 15 a second, played at 30
    assert len(frames) == 120
    assert [frame.timestamp for frame in frames[:3]] == [0, 3000, 6000]
    result = decode(frames, True)
    assert len(result.pictures) == len(result.features) == 32
    assert all(row.value == 99 for row in compare(result, result) if row.metric.startswith("picture"))


def test_psnr_by_hand() -> None:
    black = np.zeros((2, 2), np.uint8)
    assert psnr_db(black, black) == 99
    assert psnr_db(black, black + 255) == 0
    assert psnr_db(black, black + 1) == pytest.approx(48.13, abs=0.01)


@pytest.mark.parametrize(
    "options", [DeblockingOptions(seconds=2), DeblockingOptions(kbit=()), DeblockingOptions(kbit=(0,))]
)
def test_options_that_cannot_be(options: DeblockingOptions, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="give at least"):
        measure(str(tmp_path / "any.mp4"), options)
