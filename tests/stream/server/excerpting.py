"""What the tests of excerpts share: a signal in which every place is told from every other, and its encodings."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from features.decode.sound import decode
from features.spec import MUSIC_RATE_HZ

Floats = NDArray[np.float64]

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


@lru_cache(maxsize=4)
def signal(rate_hz: int, seconds: float) -> Floats:
    """(n, 2): a click every half second whose pitch tells which, over noise that swells, so that VBR varies."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    rng = np.random.default_rng(1)
    bed = 0.03 * (1.3 + np.sin(2 * np.pi * time_s / 17))[:, None]
    sound: Floats = rng.standard_normal((len(time_s), 2)) * bed
    ring_s = np.arange(round(0.06 * rate_hz)) / rate_hz
    for click in range(int(2 * seconds)):
        begin = round(click * 0.5 * rate_hz)
        tone = 0.7 * np.exp(-60 * ring_s) * np.sin(2 * np.pi * 300 * 2 ** ((37 * click % 240) / 60) * ring_s)
        sound[begin : begin + len(tone)] += tone[: len(sound) - begin, None]
    return np.clip(sound, -1.0, 1.0)


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


@lru_cache(maxsize=32)
def indexed(path: Path, changed_ns: int) -> Floats:
    return decode(path).samples.astype(np.float64)


def off_s(path: Path, at_s: float, sound: NDArray[np.int16], rate_hz: int) -> float:
    """How much later in the track than ``at_s`` the ``sound`` (n, channels) begins, by the indexer's own samples."""
    known = indexed(path, path.stat().st_mtime_ns)
    width = round(0.9 * MUSIC_RATE_HZ)
    mono = sound[:rate_hz, :].mean(axis=1)
    spectrum = np.fft.rfft(mono)[: MUSIC_RATE_HZ // 2 + 1]
    heard = np.fft.irfft(np.pad(spectrum, (0, MUSIC_RATE_HZ // 2 + 1 - len(spectrum))), MUSIC_RATE_HZ)[:width]
    heard -= heard.mean()
    size = 1 << (len(known) + width - 1).bit_length()
    match = np.fft.irfft(np.fft.rfft(known, size) * np.conj(np.fft.rfft(heard, size)), size)[: len(known)]
    best = int(np.argmax(match))
    left, top, right = match[best - 1], match[best], match[(best + 1) % len(match)]
    return float((best + (left - right) / (2 * (left - 2 * top + right))) / MUSIC_RATE_HZ - at_s)
