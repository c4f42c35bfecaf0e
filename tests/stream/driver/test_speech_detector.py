"""Sound of a stream: any format becomes a share of speech."""

from fractions import Fraction

import av
import needs
import numpy as np
import pytest

from features.decode.sound import decode
from stream.driver.speech_detector import SpeechDetector, mono


def frames(
    samples: np.ndarray, rate_hz: int = 48_000, layout: str = "stereo", kind: str = "s16"
) -> list[av.AudioFrame]:
    """20 ms each, as WebRTC's decoder gives them."""
    size = rate_hz // 50
    channels = 2 if layout == "stereo" else 1
    out = []
    for at in range(0, len(samples) - size + 1, size):
        part = np.repeat(samples[at : at + size, None], channels, axis=1)
        if kind == "s16":
            array = (32767 * part).astype(np.int16).reshape(1, -1)
        else:
            array = np.ascontiguousarray(part.T.astype(np.float32))
        frame = av.AudioFrame.from_ndarray(array, format=kind, layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
        out.append(frame)
    return out


@pytest.mark.parametrize(("rate_hz", "layout", "kind"), [(48_000, "stereo", "s16"), (44_100, "mono", "fltp")])
def test_any_format_becomes_mono_16_khz(rate_hz: int, layout: str, kind: str) -> None:
    t = np.arange(rate_hz) / rate_hz
    sound = mono(frames(0.5 * np.sin(2 * np.pi * 440 * t), rate_hz, layout, kind))
    assert 0.55 * 16_000 < len(sound) <= 0.6 * 16_000
    assert np.argmax(np.abs(np.fft.rfft(sound))) * 16_000 / len(sound) == pytest.approx(440, abs=4)
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.05)


def test_silence_nothing_and_a_voice() -> None:
    speech = SpeechDetector()
    assert speech.share([]) == 0.0
    assert speech.share(frames(np.zeros(48_000))) == 0.0
    voice = np.concatenate([decode(file).samples for file in needs.voices()])
    shares = [speech.share(frames(voice[at : at + 16_000], 16_000, "mono", "fltp")) for at in range(0, 160_000, 16_000)]
    assert np.median(shares) > 0.7
