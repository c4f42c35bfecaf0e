"""What to add to a library's times so that they are those of ``features.decode.sound``.

Lossy encoders put some samples in front. ``decode`` drops them where the file says how many, as players do; others'
decoders may not, or drop another number.

*Mixxx* stores where it heard the first sample of -60 dB: the same sample is looked for here, and the difference is what
its decoder does otherwise, whichever that was. Measured with Mixxx 2.3.3 (docs/LIBRARIES.md): 25.06 ms for MP3s with a
tag, 26.12 the other way without one, 0.00 for FLAC, Ogg, Opus and M4A.

*rekordbox* stores no such place. It counts an MP3's encoder delay as music, and, if LAME's tag has a valid checksum,
the frame with the tag as well. That is derived (docs/LIBRARIES.md has the sources and what they leave open) and was not
tried with rekordbox itself; ``agreement.py`` compares the outcome with the beats that were measured. Other formats are
taken as they are.
"""

from pathlib import Path
from typing import Final

import av
import numpy as np
from av.error import FFmpegError

from catalog.identity import open_media
from features.decode.sound import DecodeState, frames_of

SOUND: Final = 1e-3  # of full scale, -60 dB
LOOK_S: Final = 120.0  # for the first sound
MOST_S: Final = 0.2  # between two decoders; more is another file
_FRAME: Final = 1152  # samples of a frame of MPEG 1, layer 3
_DECODER: Final = 529  # samples that every decoder of MP3 comes late by
_HEAD: Final = 8192
_CRC_BYTES: Final = 190  # of a frame with LAME's tag, before the checksum


def mixxx_shift_s(path: Path, first_sound_s: float | None) -> float:
    """Add this to Mixxx's times of a file; 0 where it is not known, or not plausible."""
    if first_sound_s is None:
        return -mp3_delay_s(path)[0]
    own_s = first_sound(path)
    shift_s = 0.0 if own_s is None else own_s - first_sound_s
    return shift_s if abs(shift_s) <= MOST_S else 0.0


def rekordbox_shift_s(path: Path) -> float:
    """Add this to rekordbox's times of a file."""
    delay_s, frame_s = mp3_delay_s(path)
    return -(delay_s + frame_s)


def first_sound(path: Path) -> float | None:
    """Where the first sample of -60 dB is in any channel, s; None within two minutes of silence, and where nothing
    decodes."""
    try:
        with open_media(path) as container:
            if not container.streams.audio:
                return None
            state, at_s = DecodeState(), 0.0
            for frame in frames_of(container, state):
                if not frame.sample_rate:
                    continue
                loud = np.flatnonzero(_loudest(frame) >= SOUND)
                if len(loud):
                    return max(0.0, state.lead_s) + at_s + float(loud[0]) / frame.sample_rate
                at_s += frame.samples / frame.sample_rate
                if at_s > LOOK_S:
                    return None
    except (OSError, FFmpegError):
        return None
    return None


def _loudest(frame: av.AudioFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) the largest sample of all channels, of full scale 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    whole = samples.astype(np.float64)
    if samples.dtype == np.uint8:
        whole = (whole - 128.0) / 128.0
    elif samples.dtype.kind == "i":
        whole /= 2.0 ** (8 * samples.dtype.itemsize - 1)
    return np.asarray(np.abs(whole).max(axis=0))


def mp3_delay_s(path: Path) -> tuple[float, float]:
    """Of an MP3: the delay that ``decode`` drops, and the length of the frame with LAME's tag where its checksum is
    valid; 0 for each that is not there."""
    try:
        with path.open("rb") as file:
            head = file.read(10)
            begin = 0
            if head[:3] == b"ID3" and len(head) == 10:
                begin = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(head[6:10])))
                begin += 10 if head[5] & 0x10 else 0
            file.seek(begin)
            data = file.read(_HEAD)
    except OSError:
        return 0.0, 0.0
    at = data.find(b"\xff")
    while 0 <= at < len(data) - 4 and (data[at + 1] & 0xE6) != 0xE2:
        at = data.find(b"\xff", at + 1)
    if not 0 <= at < len(data) - 4:
        return 0.0, 0.0
    frame = data[at:]
    rate_hz = _rate_hz(frame)
    mpeg1 = (frame[1] >> 3) & 3 == 3
    tag = 4 + ((17 if mpeg1 else 9) if frame[3] >> 6 == 3 else (32 if mpeg1 else 17))
    if not rate_hz or frame[tag : tag + 4] not in (b"Xing", b"Info"):
        return 0.0, 0.0
    flags = int.from_bytes(frame[tag + 4 : tag + 8], "big")
    lame = tag + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    info = frame[lame : lame + 36]
    if len(info) < 36 or info[:4] not in (b"LAME", b"Lavf", b"Lavc", b"L3.9"):
        return 0.0, 0.0
    delay = (info[21] << 4 | info[22] >> 4) + _DECODER
    samples = _FRAME if mpeg1 else _FRAME // 2
    valid = info[:4] in (b"LAME", b"L3.9") and _crc(frame[: lame + 34]) == int.from_bytes(info[34:36], "big")
    return delay / rate_hz, samples / rate_hz if valid else 0.0


def _rate_hz(frame: bytes) -> int:
    place = frame[2] >> 2 & 3
    version = frame[1] >> 3 & 3
    return 0 if place == 3 or version == 1 else (44100, 48000, 32000)[place] // {3: 1, 2: 2, 0: 4}[version]


def _crc(data: bytes) -> int:
    """CRC-16 with the polynomial 0x8005, reflected, as LAME's tag has it of all bytes before."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
