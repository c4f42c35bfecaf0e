"""An MP3 from far inside: the same samples as by counting all before them, and much sooner."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from features.decode.sound import decode
from stream.server.mp3_frames import Mp3Frames, mp3_frames
from stream.server.track_pcm import TrackPcm

SECONDS = 24


def encoded(
    path: Path, rate_hz: int = 44_100, layout: str = "stereo", tag: bool = True, seconds: int = SECONDS
) -> bytes:
    """VBR, of noise that swells."""
    time_s = np.arange(seconds * rate_hz) / rate_hz
    noise = np.random.default_rng(7).normal(size=len(time_s)) * (0.02 + 0.2 * np.sin(time_s) ** 2)
    channels = 1 if layout == "mono" else 2
    pcm = np.repeat((noise * 32_000).clip(-32_000, 32_000).astype(np.int16), channels)[None]
    with av.open(str(path), "w", options={} if tag else {"write_xing": "0", "id3v2_version": "0"}) as out:
        stream: Any = out.add_stream("libmp3lame", rate=rate_hz, layout=layout)
        stream.codec_context.qscale, stream.codec_context.global_quality = True, 236
        stream.codec_context.open()
        fitting = av.AudioResampler(
            stream.codec_context.format, layout, rate_hz, frame_size=stream.codec_context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(pcm, "s16", layout)
        frame.sample_rate = rate_hz
        out.mux(packet for one in [*fitting.resample(frame), *fitting.resample(None)] for packet in stream.encode(one))
        out.mux(stream.encode(None))
    return path.read_bytes()


def starts_of(path: Path) -> list[int]:
    with av.open(str(path)) as opened:
        return [
            packet.pos for packet in opened.demux(opened.streams.audio[0]) if packet.size and packet.pos is not None
        ]


def sound_at(path: Path, at_s: float, stamps_hold: bool | None) -> tuple[bytes, TrackPcm]:
    sound = TrackPcm(path, decode(path).duration_s, stamps_hold)
    try:
        sound.seek(round(at_s * sound.rate_hz))
        found = b""
        while len(found) < 20_000 and (piece := sound.read()) is not None:
            found += piece
        return found[:20_000], sound
    finally:
        sound.close()


def id3v2(size: int) -> bytes:
    return b"ID3\x04\x00\x00" + bytes(size >> 7 * place & 0x7F for place in (3, 2, 1, 0)) + bytes(size)


WAYS: dict[str, tuple[dict[str, Any], Callable[[bytes, list[int]], bytes], bool]] = {
    "tagged": ({}, lambda data, _: data, True),
    "without a tag": ({"tag": False}, lambda data, _: data, True),
    "22.05 kHz, mono": ({"rate_hz": 22_050, "layout": "mono"}, lambda data, _: data, True),
    "11.025 kHz": ({"rate_hz": 11_025}, lambda data, _: data, True),
    "48 kHz": ({"rate_hz": 48_000}, lambda data, _: data, True),
    "behind a large ID3v2": ({"tag": False}, lambda data, _: id3v2(300_000) + data, True),
    "before an ID3v1": ({}, lambda data, _: data + b"TAG" + bytes(125), True),
    "noise between frames": ({}, lambda data, at: data[: at[300]] + bytes(range(1, 200)) * 20 + data[at[300] :], False),
    "a frame that does not decode": (
        {"tag": False},
        lambda data, at: data[: at[300] + 4] + b"\xff" * (at[301] - at[300] - 4) + data[at[301] :],
        False,
    ),
    "frames that are missing": ({}, lambda data, at: data[: at[300]] + data[at[310] :], False),
    "cut off": ({}, lambda data, at: data[: at[800] + 7], False),
    "joined": ({"tag": False}, lambda data, _: data + data, True),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_same_samples_as_by_counting(way: str, tmp_path: Path) -> None:
    """``regular``: the headers tell; where they do not, the answer is as exact and only later."""
    how, changed, regular = WAYS[way]
    path = tmp_path / "a #1 ,,: é.mp3"
    data = encoded(path, **how)
    path.write_bytes(changed(data, starts_of(path)))
    length_s = decode(path).duration_s
    for at_s in (6.0, 13.337, 17.0001, length_s - 0.8):
        counted, _ = sound_at(path, at_s, False)
        found, sound = sound_at(path, at_s, None)
        assert found == counted and len(found) > 4_000, at_s
        again, _ = sound_at(path, at_s, sound.stamps_hold)
        assert again == counted, at_s
        if regular:
            assert sound.stamps_hold


def test_headers_are_followed_to_each_frame_and_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    data = encoded(path, seconds=6)
    starts = starts_of(path)
    frames = mp3_frames(path)
    assert frames is not None and (frames.frame, frames.rate_hz) == (1152, 44_100)
    for count in (0, 1, 17, len(starts) - 1):
        place = frames.after(count)
        assert place is not None and (place.count, place.byte) == (count, starts[count])
    end = frames.after(None)
    assert end is not None and (end.count, end.byte) == (len(starts), len(data))
    assert frames.after(len(starts) + 1) is None
    path.write_bytes(data[: starts[20]] + b"\0" + data[starts[20] :])
    assert frames.after(20) is not None and frames.after(21) is None
    path.unlink()
    assert frames.after(10) is None


def test_what_is_no_layer_3_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"RIFF" + bytes(500))
    assert mp3_frames(path) is None and mp3_frames(tmp_path / "none.mp3") is None
    for header in (b"\xff\xfd\x90\x00", b"\xff\xfb\x9c\x00", b"\xff\xeb\x90\x00", b"\x00\x00\x00\x00"):
        with pytest.raises(ValueError, match="layer III"):
            Mp3Frames(path, 0, header)


def test_an_hour_is_entered_sooner_than_it_is_parsed(tmp_path: Path) -> None:
    """By the processor's time: FFmpeg reads every packet up to the place."""
    path = tmp_path / "hour.mp3"
    minute = encoded(path, tag=False, seconds=60)
    period = len(starts_of(path)) * 1152
    path.write_bytes(minute * 60)
    length_s = 60 * period / 44_100
    with av.open(str(path)) as opened:
        began_s = time.thread_time()
        opened.seek(3_000_000_000)
        next(opened.decode(audio=0))
        parsed_s = time.thread_time() - began_s
    took: list[float] = []
    for stamps_hold in (None, True):
        began_s = time.thread_time()
        sound = TrackPcm(path, length_s, stamps_hold)
        sound.seek(49 * period + 500_000)
        found = b""
        while len(found) < 40_000:
            found += sound.read() or b""
        took.append(time.thread_time() - began_s)
        assert sound.stamps_hold
        sound.seek(period + 500_000)
        near = b""
        while len(near) < 40_000:
            near += sound.read() or b""
        sound.close()
        assert found[:40_000] == near[:40_000]
    assert max(took) < 0.75 * parsed_s, (took, parsed_s)
