"""What the tests of excerpts share: a signal in which every place is told from every other, and its encodings."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from benchmarks.starts import off_s, signal

__all__ = ["off_s", "signal", "write"]

# suffix, encoder (of PyAV, or libsndfile's Vorbis), rate, what the encoder's context and the muxer are told
KINDS: dict[str, tuple[str, str, int, dict[str, Any], dict[str, str]]] = {
    "mp3 cbr": (".mp3", "libmp3lame", 44_100, {"bit_rate": 128_000}, {}),
    "mp3 vbr": (".mp3", "libmp3lame", 44_100, {"qscale": True, "global_quality": 236}, {}),
    "mp3 abr": (".mp3", "libmp3lame", 44_100, {"bit_rate": 160_000, "options": {"abr": "1"}}, {}),
    "mp3 untagged": (".mp3", "libmp3lame", 44_100, {"qscale": True, "global_quality": 236}, {"write_xing": "0"}),
    "vorbis": (".ogg", "soundfile", 44_100, {}, {}),
    "vorbis at 32 kHz": (".ogg", "soundfile", 32_000, {}, {}),
    "opus": (".opus", "libopus", 48_000, {"bit_rate": 96_000}, {}),
    "opus in webm": (".webm", "libopus", 48_000, {"bit_rate": 96_000}, {}),
    "flac": (".flac", "flac", 44_100, {}, {}),
    "flac at 96 kHz": (".flac", "flac", 96_000, {}, {}),
    "aac": (".m4a", "aac", 44_100, {"bit_rate": 128_000}, {}),
    "aac in fragments": (".mp4", "aac", 44_100, {"bit_rate": 128_000}, {"movflags": "empty_moov+frag_keyframe"}),
    "adts": (".aac", "aac", 44_100, {"bit_rate": 128_000}, {}),
    "wav": (".wav", "pcm_s16le", 44_100, {}, {}),
    "alac": (".m4a", "alac", 44_100, {}, {}),
    "aiff": (".aiff", "pcm_s16be", 44_100, {}, {}),
    "wma": (".wma", "wmav2", 44_100, {"bit_rate": 128_000}, {}),
    "ac3": (".ac3", "ac3", 44_100, {"bit_rate": 192_000}, {}),
    "wavpack": (".wv", "wavpack", 44_100, {}, {}),
}


def write(folder: Path, kind: str, seconds: float) -> Path:
    suffix, name, rate_hz, settings, muxer = KINDS[kind]
    path = folder / f"{kind}{suffix}"
    if name == "soundfile":
        with soundfile.SoundFile(path, "w", rate_hz, 2, format="OGG", subtype="VORBIS") as vorbis:
            for begin in range(0, round(seconds * rate_hz), rate_hz):  # all at once is too much for the encoder
                vorbis.write(signal(rate_hz, seconds)[begin : begin + rate_hz])
        return path
    with av.open(str(path), "w", options=muxer) as out:
        stream = out.add_stream(name, rate=rate_hz, layout="stereo")
        for setting, value in settings.items():
            setattr(stream.codec_context, setting, value)
        pcm = np.ascontiguousarray((signal(rate_hz, seconds) * 32_000).astype(np.int16).reshape(1, -1))
        fitting = av.AudioResampler(stream.codec_context.format, "stereo", rate_hz, frame_size=_frame_size(stream))
        for begin in range(0, pcm.shape[1], 2 * rate_hz):
            frame = av.AudioFrame.from_ndarray(pcm[:, begin : begin + 2 * rate_hz], "s16", "stereo")
            frame.sample_rate = rate_hz
            out.mux(packet for fitted in fitting.resample(frame) for packet in stream.encode(fitted))
        out.mux(packet for fitted in fitting.resample(None) for packet in stream.encode(fitted))
        out.mux(stream.encode(None))
    return path


def _frame_size(stream: Any) -> int:
    stream.codec_context.open()
    return int(stream.codec_context.frame_size) or 1024
