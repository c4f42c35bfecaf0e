"""Levels of files: of their own channels, in a player's time, measured on the way to mono."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from features.decode.sound import decode
from features.r128 import LevelMeter, Levels, channel_weights

Writer = Callable[..., Path]


def noise(seconds: float, rate_hz: int, channels: int, gain: float = 0.1) -> np.ndarray:
    n = round(seconds * rate_hz)
    return (gain * np.random.default_rng(4).standard_normal((n, channels))).astype(np.float32)


def levels(path: Path) -> Levels:
    sound = decode(path, levels=True)
    assert sound.levels is not None
    assert len(sound.levels.power) == pytest.approx(10 * sound.duration_s, abs=1)
    return sound.levels


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 2), (96_000, 2), (48_000, 6), (48_000, 8)])
def test_any_format_is_measured_as_it_is(tmp_path: Path, subtype: str, rate_hz: int, channels: int) -> None:
    samples = noise(4.0, rate_hz, channels)
    soundfile.write(tmp_path / "a.wav", samples, rate_hz, subtype=subtype)
    names = {1: ("FC",), 2: ("FL", "FR"), 6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
             8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")}[channels]  # fmt: skip
    meter = LevelMeter(rate_hz, channel_weights(names))
    meter.push(samples.T)
    expected, found = meter.finish(), levels(tmp_path / "a.wav")
    assert found.lufs == pytest.approx(expected.lufs, abs=0.1)
    assert found.true_peak_db == pytest.approx(expected.true_peak_db, abs=0.2)


@pytest.mark.parametrize(("rate_hz", "channels"), [(4_000, 1), (192_000, 2), (48_000, 3), (48_000, 16)])
def test_rates_and_channels_out_of_the_ordinary(tmp_path: Path, rate_hz: int, channels: int) -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(3 * rate_hz) / rate_hz)
    soundfile.write(tmp_path / "a.wav", 0.1 * np.repeat(tone[:, None], channels, axis=1), rate_hz)
    assert levels(tmp_path / "a.wav").true_peak_db == pytest.approx(-20.0, abs=0.4)


def test_measuring_changes_no_sample(tmp_path: Path, write_music: Writer) -> None:
    for name in ("a.ogg", "a.mp3", "a.flac"):
        path = write_music(tmp_path / name, duration_s=5, rate_hz=44_100)
        np.testing.assert_array_equal(decode(path).samples, decode(path, levels=True).samples)
        assert decode(path).levels is None


def test_channels_that_cancel_each_other_are_measured_once(tmp_path: Path) -> None:
    one = noise(6.0, 44_100, 1)
    soundfile.write(tmp_path / "same.wav", np.concatenate([one, one], axis=1), 44_100)
    soundfile.write(tmp_path / "against.wav", np.concatenate([one, -one], axis=1), 44_100)
    same, against = levels(tmp_path / "same.wav"), levels(tmp_path / "against.wav")
    assert len(against.power) == len(same.power) == 60
    assert against.lufs == pytest.approx(same.lufs, abs=0.01)


def test_silence_before_the_sound_counts(tmp_path: Path, write_music: Writer) -> None:
    music = write_music(tmp_path / "a.wav", duration_s=5)
    late = tmp_path / "late.mkv"
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "color=size=64x64:rate=10:duration=7",
               "-itsoffset", "1.5", "-i", str(music), "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "flac",
               str(late)]  # fmt: skip
    subprocess.run(command, check=True)
    sound = decode(late, levels=True)
    assert sound.levels is not None and sound.lead == 24_000
    assert sound.levels.power[:15].max() == 0.0 and sound.levels.power[16] > 0.0
    assert len(sound.levels.power) == pytest.approx(65, abs=1)


@pytest.mark.parametrize("first", [1, 2])
def test_a_stream_that_changes_its_format_on_the_way(tmp_path: Path, write_music: Writer, first: int) -> None:
    parts = [
        write_music(tmp_path / "a.mp3", 3, channels=first),
        write_music(tmp_path / "b.mp3", 3, rate_hz=44_100, channels=3 - first),
    ]
    whole = tmp_path / "whole.mp3"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    found = levels(whole)
    assert len(found.power) == pytest.approx(60, abs=3)
    seconds = found.seconds()
    assert seconds[1] == pytest.approx(seconds[4], abs=1.0)  # two channels alike, or one that both speakers play


def test_numbers_that_are_none(tmp_path: Path) -> None:
    samples = noise(4.0, 44_100, 2)
    calm = samples.copy()
    samples[5000:5010, 0], samples[60_000, 1] = np.nan, np.inf
    soundfile.write(tmp_path / "wild.wav", samples, 44_100, subtype="FLOAT")
    soundfile.write(tmp_path / "calm.wav", calm, 44_100, subtype="FLOAT")
    assert levels(tmp_path / "wild.wav").lufs == pytest.approx(levels(tmp_path / "calm.wav").lufs, abs=0.05)
