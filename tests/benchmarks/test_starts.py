"""Starts in a real browser: the plain file is missed, the server's cut is not; and what the figures rest on."""

import shutil
from pathlib import Path

import needs
import numpy as np
import pytest

from benchmarks.browsers import FIREFOX, find_program
from benchmarks.errors import BenchError
from benchmarks.starts import RATE_HZ, StartsOptions, encode, measure, off_s, signal, write_wav

KINDS = ("mp3 VBR V2", "wav", "alac in m4a")
OPTIONS = {"seconds": 60.0, "places_s": (41.0,), "kinds": KINDS}


def test_a_place_is_found_to_a_fraction_of_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "track.wav"
    write_wav(path, 60.0)
    for at_s, late_s in ((41.0, 0.0), (41.0, 0.0123), (20.0, -11.5), (3.0, 0.5)):
        begin = round((at_s + late_s) * RATE_HZ)
        heard = (30_000 * signal(RATE_HZ, 60.0)[begin : begin + RATE_HZ]).astype(np.int16)
        assert off_s(path, at_s, heard, RATE_HZ) == pytest.approx(late_s, abs=0.0002)


@pytest.mark.needs("ffmpeg")
def test_what_ffmpeg_cannot_encode_is_left_out(tmp_path: Path) -> None:
    assert encode(tmp_path / "nothing.wav", "flac") is None


def test_a_browser_that_is_missing_is_named() -> None:
    with pytest.raises(BenchError, match="none of nowhere, nothing is on PATH"):
        find_program(("nowhere", "nothing"))


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_the_cut_begins_within_10_ms_where_the_file_does_not(browser: str) -> None:
    if browser == "chromium":
        needs.program("Chromium")
    elif not any(map(shutil.which, FIREFOX)):
        pytest.skip("no Firefox on this machine")
    try:
        report = measure(StartsOptions(browser, **OPTIONS), lambda _: None)  # type: ignore[arg-type]
    except BenchError as error:
        if browser == "firefox" and "sound device" in str(error):
            pytest.skip(str(error))
        raise
    found = {(row.metric, row.labels["kind"]): row.value for row in report.rows}
    after = [found["after_ms", kind] for kind in KINDS]
    assert max(map(abs, after)) <= 10
    assert abs(found["before_ms", "mp3 VBR V2"]) > 10
    assert ("before_ms", "alac in m4a") not in found, "a format that the browser does not play by itself"
