"""Decoding: what is taken, what is refused and in which words."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import features.decode.sound
from features.decode.sound import decode
from features.errors import AudioError, ForeignError

Writer = Callable[..., Path]


def pitch_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * 16_000 / len(samples)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_any_format_becomes_mono_16_khz(tmp_path: Path, kind: str, rate_hz: int) -> None:
    t = np.arange(3 * rate_hz) / rate_hz
    path = tmp_path / f"tone.{kind}"
    soundfile.write(path, np.stack([0.5 * np.sin(2 * np.pi * 440 * t)] * 2, axis=1), rate_hz)
    sound = decode(path)
    assert sound.samples.dtype == np.float32 and sound.samples.ndim == 1
    assert sound.duration_s == pytest.approx(3.0, abs=0.08)  # MP3 pads
    assert sound.note == ""
    assert pitch_hz(sound.samples) == pytest.approx(440, abs=2)
    assert np.abs(sound.samples).max() == pytest.approx(0.5, abs=0.06)


def test_both_channels_are_heard(tmp_path: Path) -> None:
    t = np.arange(32_000) / 16_000
    left, right = 0.5 * np.sin(2 * np.pi * 300 * t), 0.5 * np.sin(2 * np.pi * 1200 * t)
    soundfile.write(tmp_path / "wide.wav", np.stack([left, right], axis=1), 16_000)
    spectrum = np.abs(np.fft.rfft(decode(tmp_path / "wide.wav").samples))
    assert spectrum[600] == pytest.approx(spectrum[2400], rel=0.01)
    assert spectrum[600] > 100 * np.median(spectrum)


def write_video(path: Path, with_sound: bool) -> Path:
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("aac", rate=44_100) if with_sound else None
        for i in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), format="rgb24")
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        if sound is not None:
            t = np.arange(2 * 44_100) / 44_100
            tone = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
            for at in range(0, len(tone) - 1024, 1024):
                frame = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 44_100, at, Fraction(1, 44_100)
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


def test_the_sound_of_a_video_is_music_too(tmp_path: Path) -> None:
    sound = decode(write_video(tmp_path / "clip.mp4", with_sound=True))
    assert sound.duration_s == pytest.approx(2.0, abs=0.1)
    assert pitch_hz(sound.samples) == pytest.approx(440, abs=3)


def test_a_silent_film_has_no_audio_stream(tmp_path: Path) -> None:
    with pytest.raises(ForeignError, match="no audio stream"):
        decode(write_video(tmp_path / "clip.mp4", with_sound=False))


def test_a_text_under_a_music_files_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp3"
    path.write_text("Dear diary, today I heard a song.\n" * 200)
    with pytest.raises(ForeignError, match="not audio"):
        decode(path)


def test_a_playlist_under_a_music_files_name_reaches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.mp3"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError):
        decode(path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "nothing.ogg").touch()
    with pytest.raises(ForeignError, match="is empty"):
        decode(tmp_path / "nothing.ogg")


def test_a_file_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read: No such file"):
        decode(tmp_path / "gone.ogg")


def test_half_a_second_is_too_short(tmp_path: Path, write_music: Writer) -> None:
    with pytest.raises(AudioError, match=r"0\.50 s long, at least 1 s"):
        decode(write_music(tmp_path / "short.wav", duration_s=0.5))


@pytest.mark.parametrize("kind", ["ogg", "mp3", "flac", "wav"])
def test_a_file_cut_off_is_kept_as_far_as_it_goes(tmp_path: Path, write_music: Writer, kind: str) -> None:
    path = write_music(tmp_path / f"cut.{kind}", duration_s=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert decode(path).duration_s == pytest.approx(10, abs=2.5)


def test_what_a_damaged_file_lost_is_noted(tmp_path: Path, write_music: Writer) -> None:
    path = write_music(tmp_path / "cut.flac", duration_s=20)  # its header still says 20 s
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert decode(path).note.startswith("damaged: ")
    assert "of 20 s decode" in decode(path).note


def test_noise_in_the_middle_is_stepped_over(tmp_path: Path, write_music: Writer) -> None:
    path = write_music(tmp_path / "hurt.mp3", duration_s=20)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(data)
    assert decode(path).duration_s == pytest.approx(20, abs=1.5)


@pytest.mark.parametrize("kind", ["mp3", "ogg"])
def test_pieces_joined_to_one_file(tmp_path: Path, write_music: Writer, kind: str) -> None:
    """Frames of an MP3 may differ in rate and channels; FFmpeg's Vorbis decoder takes chains of one format only."""
    second = {"rate_hz": 44_100, "channels": 1} if kind == "mp3" else {}
    pieces = [write_music(tmp_path / f"a.{kind}", duration_s=3), write_music(tmp_path / f"b.{kind}", 3, **second)]
    whole = tmp_path / f"whole.{kind}"
    whole.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    assert decode(whole).duration_s == pytest.approx(6, abs=0.3)


def test_a_chain_that_ffmpeg_follows_in_part_is_noted(tmp_path: Path, write_music: Writer) -> None:
    first = write_music(tmp_path / "a.ogg", duration_s=3).read_bytes()
    (tmp_path / "chain.ogg").write_bytes(first + write_music(tmp_path / "b.ogg", 3, channels=1).read_bytes())
    sound = decode(tmp_path / "chain.ogg")
    assert sound.duration_s == pytest.approx(3, abs=0.1)
    assert sound.note.startswith("damaged")


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path) -> None:
    wild = np.full(32_000, 0.1, np.float32)
    wild[5000:5010], wild[6000], wild[7000] = np.nan, np.inf, 1e30
    soundfile.write(tmp_path / "wild.wav", wild, 16_000, subtype="FLOAT")
    samples = decode(tmp_path / "wild.wav").samples
    assert np.isfinite(samples).all() and np.abs(samples).max() <= 8


def test_what_is_too_long_is_refused(tmp_path: Path, write_music: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_music(tmp_path / "long.wav", duration_s=4)
    monkeypatch.setattr(features.decode.sound, "MAX_S", 3.0)
    with pytest.raises(AudioError, match=r"cut it into tracks"):
        decode(path)
    declared_short = bytearray(path.read_bytes())
    declared_short[40:44] = b"\xff\xff\xff\xff"  # a stream's header: length unknown
    path.write_bytes(declared_short)
    with pytest.raises(AudioError, match=r"cut it into tracks"):
        decode(path)
