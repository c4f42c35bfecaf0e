"""Libraries' times -> those of our decoder: the first sound, and what an MP3's tag says."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from catalog.libraries.delay import first_sound, mixxx_shift_s, mp3_delay_s, rekordbox_shift_s
from features.decode.sound import decode

RATE_HZ = 44100
CLICK_S = 0.75
MAKERS = (b"Lavf", b"Lavc")  # what FFmpeg writes where LAME writes its own name
DELAY_S = 1105 / RATE_HZ  # LAME's 576 samples, and 529 of every decoder
FRAME_S = 1152 / RATE_HZ


def clicks() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    samples = np.zeros(3 * RATE_HZ, np.float32)
    at = round(CLICK_S * RATE_HZ)
    samples[at : at + 400] = 0.8 * np.sin(np.arange(400) * 0.3)
    return samples


def encode(path: Path, codec: str, kind: str) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(clicks()[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        resampler = av.AudioResampler(kind, "mono", RATE_HZ, frame_size=1152 if codec == "libmp3lame" else 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def mp3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("mp3") / "a.mp3", "libmp3lame", "fltp")


def crc16(data: bytes) -> int:
    """CRC-16/ARC by a table, another way than the one that is tried."""
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0xA001 if number & 1 else 0)
        table.append(number)
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc


def with_lame_tag(mp3: Path, path: Path, valid: bool) -> Path:
    data = bytearray(mp3.read_bytes())
    begin = data.find(b"\xff\xfb")
    at = max(data.find(name, begin, begin + 400) for name in MAKERS)
    data[at : at + 9] = b"LAME3.100"
    data[at + 34 : at + 36] = crc16(bytes(data[begin : at + 34])).to_bytes(2, "big")
    data[at + 35] ^= not valid
    path.write_bytes(data)
    return path


def test_the_check_value_of_this_crc() -> None:
    assert crc16(b"123456789") == 0xBB3D


def test_an_mp3_with_a_tag_that_is_not_lames(mp3: Path) -> None:
    assert mp3_delay_s(mp3) == (pytest.approx(DELAY_S), 0.0)
    assert rekordbox_shift_s(mp3) == pytest.approx(-DELAY_S)


@pytest.mark.parametrize("valid", [True, False])
def test_an_mp3_with_lames_tag(mp3: Path, tmp_path: Path, valid: bool) -> None:
    path = with_lame_tag(mp3, tmp_path / "lame.mp3", valid)
    assert mp3_delay_s(path) == (pytest.approx(DELAY_S), pytest.approx(FRAME_S if valid else 0.0))
    assert rekordbox_shift_s(path) == pytest.approx(-DELAY_S - (FRAME_S if valid else 0.0))


def test_an_mp3_without_a_tag(mp3: Path, tmp_path: Path) -> None:
    data = mp3.read_bytes()
    begin = data.find(b"\xff\xfb")
    path = tmp_path / "bare.mp3"
    path.write_bytes(data[data.find(b"\xff\xfb", begin + 100) :])
    assert mp3_delay_s(path) == (0.0, 0.0) and rekordbox_shift_s(path) == 0.0


def test_the_tag_is_found_behind_id3(mp3: Path, tmp_path: Path) -> None:
    data = mp3.read_bytes()
    bare = data[data.find(b"\xff\xfb") :]
    path = tmp_path / "tagged.mp3"
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"\xff\xfb" * 128 + bare)
    assert mp3_delay_s(path) == (pytest.approx(DELAY_S), 0.0)


@pytest.mark.parametrize("data", [b"", b"ID3", b"\xff" * 9000, b"fLaC" * 100, b"\xff\xfb\x90\x64" + b"\0" * 40])
def test_what_is_no_mp3_has_no_delay(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(data)
    assert mp3_delay_s(path) == (0.0, 0.0)
    assert mp3_delay_s(tmp_path / "none.mp3") == (0.0, 0.0)
    assert first_sound(path) is None and first_sound(tmp_path / "none.mp3") is None


@pytest.mark.parametrize("name", ["a.wav", "a24.flac", "a8.wav"])
def test_the_first_sound_is_exact(tmp_path: Path, name: str) -> None:
    subtype = {"a.wav": "PCM_16", "a24.flac": "PCM_24", "a8.wav": "PCM_U8"}[name]
    soundfile.write(tmp_path / name, np.stack([np.zeros(3 * RATE_HZ), clicks()], 1), RATE_HZ, subtype=subtype)
    found = first_sound(tmp_path / name)
    assert found is not None and abs(found * RATE_HZ - round(CLICK_S * RATE_HZ)) <= 1.0


def test_the_first_sound_is_where_decode_has_it(mp3: Path, tmp_path: Path) -> None:
    for path in (mp3, encode(tmp_path / "a.m4a", "aac", "fltp")):
        samples = decode(path).samples
        heard_s = float(np.flatnonzero(np.abs(samples) >= 2e-3)[0]) / 16_000
        found = first_sound(path)
        assert found is not None and abs(found - heard_s) < 0.004


def test_silence_has_no_first_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.full(RATE_HZ, 5e-4), RATE_HZ)
    assert first_sound(tmp_path / "s.wav") is None


def test_mixxx_is_met_at_the_first_sound(mp3: Path) -> None:
    own_s = first_sound(mp3)
    assert own_s is not None
    assert mixxx_shift_s(mp3, own_s + DELAY_S) == pytest.approx(-DELAY_S)
    assert mixxx_shift_s(mp3, own_s - FRAME_S) == pytest.approx(FRAME_S)
    assert mixxx_shift_s(mp3, own_s + 30.0) == 0.0  # another file
    assert mixxx_shift_s(mp3, None) == pytest.approx(-DELAY_S)  # as its decoder of MP3 was measured
