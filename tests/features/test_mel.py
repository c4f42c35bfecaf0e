"""Log-mel frames: known tones, chunk invariance, padding, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import FeatureError
from features.mel import MelMeter, clip_mel, log_mel
from features.spec import MEL_FLOOR

NOISE = (0.1 * np.random.default_rng(2).standard_normal(64_000)).astype(np.float32)


def tone(hz: float, amplitude: float = 0.5, samples: int = 16_000) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / 16_000)).astype(np.float32)


def test_a_frame_is_the_windowed_power_through_the_bank():
    from librosa.filters import mel

    window = np.sin(np.pi * np.arange(400) / 400) ** 2
    power = np.abs(np.fft.rfft(NOISE[1600:2000].astype(np.float64) * window, 512)) ** 2
    bank = mel(sr=16_000, n_fft=512, n_mels=80, fmin=20, fmax=7600)
    assert log_mel(NOISE)[10] == pytest.approx(np.log(bank @ power), abs=1e-3)


def test_tones_rise_through_the_bands():
    bands = [int(log_mel(tone(hz)).mean(axis=0).argmax()) for hz in (100, 300, 1000, 3000, 7000)]
    assert bands == sorted(set(bands))
    assert bands[0] < 8
    assert bands[-1] > 72


def test_ten_times_louder_is_log_100():
    loud, quiet = log_mel(tone(1000, 0.5)), log_mel(tone(1000, 0.05))
    band = int(loud[50].argmax())
    assert loud[50, band] - quiet[50, band] == pytest.approx(np.log(100), abs=1e-3)


def test_silence_is_the_floor():
    assert (log_mel(np.zeros(4000, np.float32)) == np.float32(np.log(np.float32(MEL_FLOOR)))).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=20), st.integers(0, 9000))
def test_any_chunking_equals_one_pass(sizes, total):
    samples, meter, start, parts = NOISE[:total], MelMeter(), 0, []
    for size in sizes:
        parts.append(meter.push(samples[start : start + size]))
        start = min(total, start + size)
    parts += [meter.push(samples[start:]), meter.flush()]
    whole = log_mel(samples)
    assert whole.dtype == np.float32
    assert len(whole) == (1 + (total - 400) // 160 if total >= 400 else min(total, 1))
    assert np.array_equal(np.concatenate(parts), whole)


def test_sample_by_sample_equals_one_pass():
    meter = MelMeter()
    parts = [meter.push(NOISE[i : i + 1]) for i in range(1200)]
    assert np.array_equal(np.concatenate(parts), log_mel(NOISE[:1200]))


def test_flush_starts_anew():
    meter = MelMeter()
    meter.push(NOISE[:1234])
    assert meter.flush().shape == (0, 80)
    assert np.array_equal(meter.push(NOISE[:2000]), log_mel(NOISE[:2000]))
    meter.flush()
    assert meter.push(NOISE[:100]).shape == (0, 80)
    assert np.array_equal(meter.flush(), log_mel(np.pad(NOISE[:100], (0, 300))))
    assert meter.flush().shape == (0, 80)


def test_a_clip_is_padded_as_samples():
    whole = clip_mel(NOISE)
    assert whole.shape == (398, 80)
    assert np.array_equal(whole, log_mel(NOISE))
    part = clip_mel(NOISE[:16_000])
    assert np.array_equal(part[:98], whole[:98])
    assert (part[100:] == np.float32(np.log(np.float32(MEL_FLOOR)))).all()
    assert clip_mel(NOISE[:0]).shape == (398, 80)


def test_clips_inside_a_track_have_the_same_frames():
    track = np.tile(NOISE, 3)[: 2 * 64_000 + 500]
    assert np.array_equal(log_mel(track)[400:798], clip_mel(track[64_000:128_000]))


def test_float64_is_taken_as_float32():
    assert np.array_equal(log_mel(NOISE.astype(np.float64)), log_mel(NOISE))


@pytest.mark.parametrize(
    ("samples", "cause"),
    [
        (np.full(800, np.nan, np.float32), "NaN"),
        (np.array([0.0] * 500 + [np.inf]), "infinity"),
        (np.full(500, 1e300), "infinity"),
        (np.zeros((2, 800), np.float32), "one channel"),
        (np.float32(0), "one channel"),
        (np.zeros(800, np.int16), "int16"),
        (np.full(800, -32_768.0, np.float32), "full scale"),
    ],
)
def test_bad_samples_are_refused_and_change_nothing(samples, cause):
    meter = MelMeter()
    meter.push(NOISE[:1000])
    with pytest.raises(FeatureError, match=cause):
        meter.push(samples)
    with pytest.raises(FeatureError, match=cause):
        clip_mel(samples)
    assert np.array_equal(meter.push(NOISE[1000:3000]), log_mel(NOISE[:3000])[4:])


def test_too_long_for_a_clip_is_refused():
    with pytest.raises(FeatureError, match="64001"):
        clip_mel(np.zeros(64_001, np.float32))
