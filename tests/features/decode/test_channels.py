"""Channels that cancel each other: what is heard instead, and what is left alone."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from catalog.analysis import analyse
from engines.bundle import default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.decode.sound import decode
from features.spec import FEATURES
from studio.music.render import MusicRecipe, render

RATE_HZ = 32_000
SECONDS = 24.0


@pytest.fixture(scope="module")
def towers() -> OnnxEngine:
    return OnnxEngine(load_bundle(default_bundle(), FEATURES))


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """(2, n), an ordinary stereo mix."""
    stereo = render(MusicRecipe(style="rock", tempo_bpm=112.0, seed=4), SECONDS, rate_hz=RATE_HZ)
    return np.ascontiguousarray(stereo.T.astype(np.float32))


def low(samples: np.ndarray, below_hz: float = 250.0) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(samples.shape[-1], 1 / RATE_HZ) > below_hz] = 0
    return np.fft.irfft(spectrum, samples.shape[-1]).astype(np.float32)


def spoilt(kind: str, music: np.ndarray) -> np.ndarray:
    """(channels, n) of the same music in another guise; layouts of six channels as FFmpeg orders them."""
    left, right = music
    mid, none = 0.5 * (left + right), np.zeros_like(left)
    half = np.arange(len(mid)) < 0.4 * len(mid)
    made = {
        "inverted": [mid, -mid],
        "nearly inverted": [mid, -0.9 * mid],
        "inverted stereo": [left, -right],
        "inverted at first": [mid, np.where(half, -mid, mid)],
        "inverted bass": [mid, mid - 2 * low(mid)],
        "wide": [0.15 * (left + right) + 2 * mid, 0.15 * (left + right) - 2 * mid],
        "left alone": [mid, none],
        "right alone": [none, mid],
        "rears alone": [none, none, none, none, left, right],
        "rears inverted": [none, none, none, none, mid, -mid],
        "centre alone": [none, none, mid, none, none, none],
        "fronts inverted": [mid, -mid, none, none, none, none],
    }
    return np.stack(made[kind]).astype(np.float32)


KINDS = ["inverted", "nearly inverted", "inverted stereo", "inverted at first", "inverted bass", "wide",
         "left alone", "right alone", "rears alone", "rears inverted", "centre alone", "fronts inverted"]  # fmt: skip


def written(path: Path, channels: np.ndarray) -> Path:
    """16 bits, with the layout in the file."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(channels)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("flac", rate=RATE_HZ, layout=layout)
        whole = np.clip(0.5 * channels, -1, 1)
        for at in range(0, whole.shape[1], 4096):
            piece = (whole[:, at : at + 4096] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(piece.T.reshape(1, -1).copy(), format="s16", layout=layout)
            frame.sample_rate, frame.pts = RATE_HZ, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_music_however_its_channels_stand(
    kind: str, music: np.ndarray, towers: OnnxEngine, tmp_path: Path
) -> None:
    normal = decode(written(tmp_path / "normal.flac", music))
    assert normal.note == ""
    sound = decode(written(tmp_path / "spoilt.flac", spoilt(kind, music)))
    cancels = "inverted" in kind or kind == "wide"
    assert ("channels cancel" in sound.note) == cancels
    one, other = analyse(normal.samples, towers), analyse(sound.samples, towers)
    assert (one.vectors * other.vectors).sum(axis=1).min() >= 0.9
    assert other.tempo_bpm == pytest.approx(one.tempo_bpm, rel=0.01)


def test_ordinary_stereo_is_their_mean(music: np.ndarray, tmp_path: Path) -> None:
    unrelated = np.random.default_rng(0).standard_normal((2, 10 * RATE_HZ)).astype(np.float32) * 0.1
    for channels in (music, unrelated, np.stack([music[0], np.roll(music[0], 700)])):
        soundfile.write(tmp_path / "wide.wav", channels.T, RATE_HZ, subtype="FLOAT")
        sound = decode(tmp_path / "wide.wav")
        assert sound.note == ""
        soundfile.write(tmp_path / "mono.wav", channels.mean(axis=0), RATE_HZ, subtype="FLOAT")
        assert sound.samples == pytest.approx(decode(tmp_path / "mono.wav").samples, abs=1e-4)


def test_silence_in_both_channels_is_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros((5 * RATE_HZ, 2)), RATE_HZ)
    sound = decode(tmp_path / "silent.wav")
    assert not sound.samples.any() and sound.note == ""


def test_the_louder_channel_is_taken(tmp_path: Path, music: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([-0.5 * music[0], 0.6 * music[0]], axis=1), RATE_HZ)
    sound = decode(tmp_path / "a.wav")
    assert sound.note == "its channels cancel each other: only the right one is heard"
    soundfile.write(tmp_path / "b.wav", 0.6 * music[0], RATE_HZ)
    assert sound.samples == pytest.approx(decode(tmp_path / "b.wav").samples, abs=1e-3)


def test_the_real_tracks_are_mixed_as_ever() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "music"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    for path in sorted(folder.glob("*.ogg"))[::3]:
        assert decode(path).note == "", path.name
