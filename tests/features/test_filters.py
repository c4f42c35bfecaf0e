"""Tables of filters: librosa's, which networks were trained with, and what their definitions promise."""

import numpy as np
import pytest

from features.filters import chroma_filters, mel_filters

USED = {
    "clip_mel": (16_000, 512, 80, 20.0, 7600.0),
    "course": (16_000, 1024, 80, 20.0, 7600.0),
    "low_level": (12_000, 512, 96, 0.0, None),
    "content_mfcc": (14_400, 2048, 64, 0.0, None),
    "emotion_mfcc": (16_000, 1024, 64, 0.0, None),
    "tag_mel": (16_000, 512, 96, 0.0, None),
}


@pytest.mark.parametrize("feature", USED)
def test_mel_bands_are_librosas(feature: str) -> None:
    from librosa.filters import mel

    rate_hz, fft, bands, min_hz, max_hz = USED[feature]
    found = mel_filters(rate_hz, fft, bands, min_hz, max_hz)
    theirs = mel(sr=rate_hz, n_fft=fft, n_mels=bands, fmin=min_hz, fmax=max_hz, dtype=np.float32)
    assert found.shape == (bands, fft // 2 + 1) and found.dtype == np.float32
    np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("rate_hz", "fft"), [(12_000, 512), (22_050, 4096)])
def test_pitch_classes_are_librosas(rate_hz: int, fft: int) -> None:
    from librosa.filters import chroma

    found = chroma_filters(rate_hz, fft)
    assert found.shape == (12, fft // 2 + 1) and found.dtype == np.float32
    np.testing.assert_allclose(found, chroma(sr=rate_hz, n_fft=fft, tuning=0.0), rtol=1e-6, atol=1e-9)


def test_a_band_has_an_area_of_one_and_its_peak_where_slaney_has_it() -> None:
    """Fine bins: 1 Hz. Of 30 bands up to 4 kHz, edges lie 66.7 Hz apart at first: 0, 1/31 of 35.2 mel, ..."""
    found = mel_filters(16_000, 16_000, 30, 0.0, 4000.0)
    assert found.sum(axis=1) == pytest.approx(np.ones(30), rel=1e-2)
    top_mel = 15.0 + 27.0 * np.log(4.0) / np.log(6.4)
    assert found[0].argmax() == pytest.approx(200.0 / 3.0 * top_mel / 31, abs=1)
    assert found[-1].argmax() == pytest.approx(1000.0 * 6.4 ** ((top_mel * 30 / 31 - 15.0) / 27.0), abs=1)


def test_each_octave_of_a_note_counts_most_for_its_own_class() -> None:
    found = chroma_filters(16_000, 16_000)
    for name, hz in (("C", 261.63), ("E", 329.63), ("A", 440.0)):
        for octave in (0.5, 1, 2, 4):
            assert found[:, round(octave * hz)].argmax() == {"C": 0, "E": 4, "A": 9}[name]
    assert found[:, 880].max() > found[:, 110].max() > found[:, 7000].max() / 2  # centred five octaves above A0
