"""The level meter against FFmpeg's ``ebur128``, the standard's own figures, and itself in pieces."""

import av
import numpy as np
import pytest
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from features.r128 import LevelMeter, Levels, channel_weights, levels_of

SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def measured(samples: np.ndarray, rate_hz: int) -> Levels:
    names = {1: ("FC",), 2: ("FL", "FR"), 6: SURROUND}[len(samples)]
    meter = LevelMeter(rate_hz, channel_weights(names))
    meter.push(samples.astype(np.float32))
    return meter.finish()


def by_ffmpeg(samples: np.ndarray, rate_hz: int) -> tuple[float, float, float]:
    """Integrated LUFS, loudness range, true peak in dB."""
    layout = LAYOUTS[len(samples)]
    graph = Graph()
    source = graph.add_abuffer(format="fltp", sample_rate=rate_hz, layout=layout)
    meter, sink = graph.add("ebur128", "metadata=1:peak=true:dualmono=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    told: dict[str, str] = {}
    for at in range(0, samples.shape[1], rate_hz):
        piece = np.ascontiguousarray(samples[:, at : at + rate_hz], np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate = rate_hz
        source.push(frame)
        while True:
            try:
                told |= dict(sink.pull().metadata)
            except (BlockingIOError, EOFError, av.error.EOFError):
                break
    peaks = [float(value) for name, value in told.items() if name.startswith("lavfi.r128.true_peaks_ch")]
    return float(told["lavfi.r128.I"]), float(told["lavfi.r128.LRA"]), 20 * np.log10(max(peaks))


def sound(kind: str, seconds: float, rate_hz: int, channels: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    n = round(seconds * rate_hz)
    t = np.arange(n) / rate_hz
    if kind == "noise":
        return 0.1 * rng.standard_normal((channels, n))
    if kind == "bass":
        return np.stack([0.4 * np.sin(2 * np.pi * (55 + 3 * i) * t) for i in range(channels)])
    if kind == "top":  # whose peaks lie between samples
        tone = 0.7 * np.minimum(20 * t, 1.0) * np.sin(2 * np.pi * 0.25 * rate_hz * t + np.pi / 4)
        return np.tile(tone, (channels, 1))
    if kind == "clicks":
        sparse = np.zeros((channels, n))
        sparse[:, rate_hz // 3 :: rate_hz // 2] = 0.9
        return sparse
    if kind == "clipped":
        return np.clip(0.8 * rng.standard_normal((channels, n)), -1.0, 1.0)
    swell = 0.05 + 0.3 * np.minimum(t / seconds, 1.0) ** 2  # hits over chords that grow
    chords = [np.sin(2 * np.pi * 110 * 2 ** ((7 * i % 12) / 12) * t) for i in range(channels)]
    hits = rng.standard_normal(n) * np.exp(-12 * (t % 0.5))
    return swell * (0.5 * np.stack(chords) + hits)


@pytest.mark.parametrize(
    ("channels", "rate_hz"),
    [*((count, rate) for count in (1, 2) for rate in (8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000)),
     (6, 32_000), (6, 48_000)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["music", "noise", "bass", "top", "clicks", "clipped"])
def test_as_ffmpeg_measures(kind: str, rate_hz: int, channels: int) -> None:
    samples = sound(kind, 8.0, rate_hz, channels)
    levels = measured(samples, rate_hz)
    lufs, range_lu, peak_db = by_ffmpeg(samples, rate_hz)
    assert levels.lufs == pytest.approx(lufs, abs=0.2)
    assert levels.range_lu == pytest.approx(range_lu, abs=0.5)
    # Noise that is cut off has its peaks everywhere; FFmpeg oversamples 96 kHz only twice.
    assert levels.true_peak_db == pytest.approx(peak_db, abs=0.5 if kind == "clipped" else 0.3)


def test_the_standards_own_figures() -> None:
    """EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS; and one that is soft for 80 s changes nothing."""
    t = np.arange(48_000 * 20) / 48_000
    tone = np.tile(np.sin(2 * np.pi * 1000 * t), (2, 1))
    assert measured(10 ** (-23 / 20) * tone, 48_000).lufs == pytest.approx(-23.0, abs=0.1)
    gated = np.concatenate([10 ** (-36 / 20) * tone[:, :480_000], 10 ** (-23 / 20) * tone], axis=1)
    assert measured(gated, 48_000).lufs == pytest.approx(-23.0, abs=0.1)
    # Tech 3342: 20 s each at -20 and -30 dBFS have a range of 10 LU
    steps = np.concatenate([10 ** (-20 / 20) * tone, 10 ** (-30 / 20) * tone], axis=1)
    assert measured(steps, 48_000).range_lu == pytest.approx(10.0, abs=1.0)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 14 * 22_050), max_size=8), rate_hz=st.sampled_from([8_000, 11_025, 22_050]))
def test_any_chunking_equals_one_pass(cuts: list[int], rate_hz: int) -> None:
    samples = sound("music", 14.0, rate_hz, 2).astype(np.float32)
    meter = LevelMeter(rate_hz, (1.0, 1.0))
    for piece in np.split(samples, sorted(min(cut, samples.shape[1]) for cut in cuts), axis=1):
        meter.push(piece)
    pieces, whole = meter.finish(), measured(samples, rate_hz)
    np.testing.assert_array_equal(pieces.power, whole.power)
    np.testing.assert_array_equal(pieces.peaks, whole.peaks)
    np.testing.assert_array_equal(pieces.true_peaks, whole.true_peaks)
    assert len(whole.power) == 140 and len(whole.peaks) == 700


def test_silence_and_what_is_short() -> None:
    nothing = levels_of(np.zeros(16_000, np.float32), 16_000)
    assert nothing.lufs == float("-inf") and nothing.range_lu == 0.0
    assert nothing.true_peak_db == -120.0 and nothing.seconds().tolist() == [-120.0]
    assert levels_of(np.zeros(0, np.float32), 16_000).seconds().tolist() == []
    constant = measured(np.full((2, 44_100), 0.1), 44_100)  # is heard as it begins, and then no more
    assert constant.power[3:].max() < 1e-6


def test_numbers_that_are_none_count_as_silence() -> None:
    samples = sound("music", 6.0, 44_100, 2).astype(np.float32)
    hurt = samples.copy()
    hurt[0, 1000:1010], hurt[1, 2000], hurt[0, 150_000] = np.nan, np.inf, -np.inf
    assert measured(hurt, 44_100).lufs == pytest.approx(measured(samples, 44_100).lufs, abs=0.01)
    hurt[1, 200_000] = 1e30
    assert measured(hurt, 44_100).true_peak_db == pytest.approx(20 * np.log10(8.0), abs=3.0)


def test_seconds_and_parts() -> None:
    t = np.arange(48_000) / 48_000
    second = np.tile(np.sin(2 * np.pi * 1000 * t), (2, 1))
    samples = np.concatenate([gain * second for gain in (0.1, 0.01, 0.1)] + [0.5 * second[:, :24_000]], axis=1)
    levels = measured(samples, 48_000)
    assert levels.seconds()[:3] == pytest.approx([-20.0, -40.0, -20.0], abs=0.1)
    assert levels.seconds()[3] == pytest.approx(-6.0, abs=0.1)
    part = levels.part(1.0, 2.0)
    assert part.lufs == pytest.approx(-40.0, abs=0.1) and len(part.peaks) == 50
    assert part.true_peak_db == pytest.approx(-40.0, abs=0.1)
    assert levels.part(3.0, None).true_peak_db == pytest.approx(-6.0, abs=0.1)
