"""When a file's sound begins, how long it is, and what no reader opens."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import features.decode.sound
from features.decode.sound import decode
from features.errors import AudioError

RATE_HZ = 48_000
SECONDS = 8


def clicks(first_s: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(0)
    sound = 1e-3 * rng.standard_normal(SECONDS * RATE_HZ)
    for time_s in np.arange(first_s, SECONDS - 0.1, 0.5):
        sound[int(time_s * RATE_HZ) :][:240] += 0.6 * rng.standard_normal(240)
    return sound.astype(np.float32)


def first_click_s(samples: np.ndarray) -> float:
    level = np.convolve(np.abs(samples), np.ones(8), mode="same")
    return float(np.argmax(level > 0.25 * level.max())) / 16_000


def write(path: Path, codec: str, late_s: float, picture: str = "", kind: str | None = None) -> Path:
    """Clicks from 0.5 s on, whose sound begins ``late_s`` after the container."""
    sound = clicks()
    with av.open(str(path), "w", format=kind) as out:
        pictures = out.add_stream(picture, rate=25) if picture else None
        stream = out.add_stream(codec, rate=RATE_HZ, layout="mono")
        packets = []
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for count in range(int((SECONDS + late_s) * 25)):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), count % 250, np.uint8), format="rgb24")
                frame.pts, frame.time_base = count, Fraction(1, 25)
                packets += pictures.encode(frame)
            packets += pictures.encode(None)
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, "mono", RATE_HZ, frame_size=size)
        whole = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        whole.sample_rate, whole.pts, whole.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        for piece in [*resampler.resample(whole), *resampler.resample(None)]:
            piece.pts += round(late_s * RATE_HZ)
            packets += stream.encode(piece)
        packets += stream.encode(None)
        packets.sort(key=lambda packet: -1.0 if packet.dts is None else float(packet.dts * packet.time_base))
        for packet in packets:
            out.mux(packet)
    return path


@pytest.mark.parametrize("late_s", [0.7, 3.2])
@pytest.mark.parametrize(
    ("name", "codec", "picture"),
    [
        ("film.mp4", "aac", "mpeg4"),
        ("film.mov", "aac", "mpeg4"),
        ("film.mkv", "aac", "mpeg4"),
        ("film.webm", "libopus", "libvpx"),
        ("film.ts", "aac", "mpeg2video"),
        ("film.flv", "aac", "flv"),
        ("song.m4a", "aac", ""),
    ],
)
def test_sound_that_begins_after_the_picture(
    tmp_path: Path, name: str, codec: str, picture: str, late_s: float
) -> None:
    sound = decode(write(tmp_path / name, codec, late_s, picture))
    assert first_click_s(sound.samples) == pytest.approx(0.5 + late_s, abs=0.01)
    assert not sound.samples[: sound.lead].any() and sound.note == ""
    assert sound.lead == pytest.approx(late_s * 16_000, abs=800)


@pytest.mark.parametrize(
    ("name", "codec", "kind", "late_s"),
    [
        ("a.m4a", "aac", None, 0.0),
        ("a.mp3", "libmp3lame", None, 0.0),
        ("a.opus", "libopus", None, 0.0),
        ("a.webm", "libopus", None, 0.0),
        ("a.mka", "aac", None, 0.0),
        ("a.flac", "flac", None, 0.0),
        ("a.wav", "pcm_s16le", None, 0.0),
        # Nothing in these tells of the encoder's delay, to players either.
        ("a.adts", "aac", "adts", 1024 / RATE_HZ),
        ("a.ac3", "ac3", None, 256 / RATE_HZ),
        ("a.ts", "aac", None, 1024 / RATE_HZ),
    ],
)
def test_an_encoders_delay_is_no_gap(tmp_path: Path, name: str, codec: str, kind: str | None, late_s: float) -> None:
    sound = decode(write(tmp_path / name, codec, 0.0, kind=kind))
    assert sound.lead == 0
    assert first_click_s(sound.samples) == pytest.approx(0.5 + late_s, abs=0.003)


def test_vorbis_begins_where_it_did(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", clicks(), RATE_HZ)
    sound = decode(tmp_path / "a.ogg")
    assert sound.lead == 0 and first_click_s(sound.samples) == pytest.approx(0.5, abs=0.003)


def test_time_stamps_of_another_clock_are_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.decode.container.MOST_LEAD_S", 2.0)
    assert decode(write(tmp_path / "film.mp4", "aac", 3.0, "mpeg4")).lead == 0


def quiet_then_loud(path: Path, codec: str, kind: str) -> Path:
    """Silence takes few bits, so what FFmpeg takes from the first frames is many times the length."""
    rng = np.random.default_rng(1)
    sound = np.concatenate([np.zeros(20 * RATE_HZ), 0.3 * rng.standard_normal(40 * RATE_HZ)]).astype(np.float32)
    with av.open(str(path), "w", format=kind) as out:
        stream = out.add_stream(codec, rate=RATE_HZ, layout="mono")
        stream.bit_rate = 192_000
        resampler = av.AudioResampler(
            stream.format.name, "mono", RATE_HZ, frame_size=stream.codec_context.frame_size or 1024
        )
        whole = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        whole.sample_rate, whole.pts = RATE_HZ, 0
        for piece in [*resampler.resample(whole), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("codec", "kind"), [("aac", "adts"), ("ac3", "ac3"), ("libmp3lame", "mp3")])
def test_an_estimated_length_is_not_held_against_a_file(
    tmp_path: Path, codec: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = quiet_then_loud(tmp_path / f"a.{kind}", codec, kind)
    if kind == "adts":  # the cause: a guess that is far off
        with av.open(str(path)) as container:
            guessed_s = (container.duration or 0) / av.time_base
        assert guessed_s > 120
        monkeypatch.setattr(features.decode.sound, "MAX_S", 90.0)
    sound = decode(path)
    assert sound.note == "" and sound.duration_s == pytest.approx(60, abs=0.2)


def test_an_mp3_without_a_count_is_as_long_as_it_decodes(tmp_path: Path) -> None:
    """Frames of 320 kbit/s behind frames of 32: the first ones are no measure of the rest, either way."""
    soft, loud = tmp_path / "soft.mp3", tmp_path / "loud.mp3"
    for path, rate in ((soft, 32_000), (loud, 320_000)):
        with av.open(str(path), "w", options={"write_xing": "0"}) as out:
            stream = out.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
            stream.bit_rate = rate
            whole = av.AudioFrame.from_ndarray(clicks()[None], format="fltp", layout="mono")
            whole.sample_rate, whole.pts = RATE_HZ, 0
            resampler = av.AudioResampler(stream.format.name, "mono", RATE_HZ, frame_size=1152)
            for piece in [*resampler.resample(whole), *resampler.resample(None)]:
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
    for name, parts in (("up", (soft, loud)), ("down", (loud, soft))):
        (tmp_path / f"{name}.mp3").write_bytes(b"".join(part.read_bytes() for part in parts))
        sound = decode(tmp_path / f"{name}.mp3")
        assert " s decode" not in sound.note  # the frame at the seam may be lost
        assert sound.duration_s == pytest.approx(2 * SECONDS, abs=0.2)


def test_a_counted_mp3_that_is_cut_off_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", "libmp3lame", 0.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in decode(path).note
    tagged = tmp_path / "tagged.mp3"  # behind 300 bytes of ID3
    tagged.write_bytes(b"ID3\x04\x00\x00\x00\x00\x02\x2c" + bytes(300) + path.read_bytes())
    assert "damaged" in decode(tagged).note


def test_a_film_that_is_longer_than_its_sound_is_not_damaged(tmp_path: Path) -> None:
    for name, picture in (("film.mp4", "mpeg4"), ("film.mkv", "mpeg4")):
        path = tmp_path / name
        with av.open(str(path), "w") as out:
            pictures, stream = out.add_stream(picture, rate=5), out.add_stream("aac", rate=RATE_HZ, layout="mono")
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for count in range(100):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), count, np.uint8), format="rgb24")
                out.mux(pictures.encode(frame))
            out.mux(pictures.encode(None))
            for at in range(0, SECONDS * RATE_HZ - 1024, 1024):
                piece = av.AudioFrame.from_ndarray(clicks()[None, at : at + 1024], format="fltp", layout="mono")
                piece.sample_rate, piece.pts = RATE_HZ, at
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
        assert decode(path).note == "", name


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.it", b"IMPM" + bytes(2000)),
        ("a.xm", b"Extended Module: a song" + bytes(2000)),
        ("a.s3m", bytes(44) + b"SCRM" + bytes(2000)),
        ("a.mod", b"a song".ljust(1080, b"\0") + b"M.K." + bytes(3000)),
    ],
)
def test_tracker_modules_are_named(tmp_path: Path, name: str, head: bytes) -> None:
    (tmp_path / name).write_bytes(head)
    with pytest.raises(AudioError, match=r"tracker module, which .* has no player for; convert it to FLAC") as caught:
        decode(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_midi_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0")
    with pytest.raises(AudioError, match="MIDI"):
        decode(tmp_path / "a.mid")
