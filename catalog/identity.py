"""A file's sound without decoding it: its id, its length, its chapters.

The id is a hash of the encoded packets of the first audio stream, as they lie in the file. Tags, pictures and the
container around them do not count, so a track keeps its id, and its analysis, when it is renamed, tagged
anew or moved to another container. Hashing decoded samples would do the same, but costs a hundred times as much, and
lossy decoders give other last bits on another processor or with another release of FFmpeg.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

ID_DIGITS = 16
ID3V1 = 128  # bytes of an ID3v1 tag, which some demuxers take for the end of the last packet
APE_FOOTER = 32


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of a container, in seconds."""

    title: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Identity:
    """``duration_s``: of the packets, or as the container declares it where they have none."""

    id: str
    duration_s: float
    lossless: bool
    chapters: tuple[Chapter, ...]


def identify(path: Path) -> Identity | None:
    """Reads the whole file once. None for a file without audio, or that FFmpeg does not open."""
    try:
        with open_media(path) as container:
            return _identity_of(container) if container.streams.audio else None
    except (OSError, FFmpegError):
        return None


def open_media(path: Path) -> InputContainer:
    """Open ``path`` to read; "file" is the only protocol: a playlist named as music must not reach the network."""
    return av.open(str(path), metadata_errors="ignore", options={"protocol_whitelist": "file"})


def part_id(whole: str, begin_s: float, end_s: float | None) -> str:
    """The id of a part of the sound ``whole``; of all of it, ``whole`` itself."""
    if begin_s == 0.0 and end_s is None:
        return whole
    end = "end" if end_s is None else f"{end_s:.3f}"
    return hashlib.sha256(f"{whole} {begin_s:.3f} {end}".encode()).hexdigest()[:ID_DIGITS]


def _identity_of(container: InputContainer) -> Identity:
    stream = container.streams.audio[0]
    codec = stream.codec_context
    hasher = hashlib.sha256(f"{codec.name} {codec.sample_rate} {codec.channels} ".encode())
    last, ticks = b"", 0
    for data, duration in _packets(container):
        hasher.update(last)
        last, ticks = data, ticks + duration
    hasher.update(strip_tags(last))
    measured_s = float(ticks * stream.time_base) if stream.time_base else 0.0
    declared_s = (container.duration or 0) / av.time_base
    if "ogg" in container.format.name:  # FFmpeg does not know how long some packets of Vorbis are, up to a tenth of all
        measured_s = max(measured_s, declared_s)
    return Identity(
        id=hasher.hexdigest()[:ID_DIGITS],
        duration_s=measured_s or declared_s,
        lossless=codec.codec.lossless,
        chapters=tuple(_chapters(container)),
    )


def _packets(container: InputContainer) -> Iterator[tuple[bytes, int]]:
    try:
        for packet in container.demux(container.streams.audio[0]):
            yield bytes(packet), packet.duration or 0
    except FFmpegError:  # the container breaks off: the packets before count
        return


def strip_tags(last: bytes) -> bytes:
    """A file's last packet without the tags that stand behind the sound."""
    if last[-ID3V1:-125] == b"TAG":
        last = last[:-ID3V1]
    footer = last[-APE_FOOTER:]
    if footer[:8] == b"APETAGEX" and len(footer) == APE_FOOTER:
        size = int.from_bytes(footer[12:16], "little") + (APE_FOOTER if footer[23] & 0x80 else 0)
        last = last[: max(0, len(last) - size)]
    return last


def _chapters(container: InputContainer) -> Iterator[Chapter]:
    for chapter in container.chapters():
        base = chapter["time_base"]
        if base is not None:
            title = str(chapter["metadata"].get("title", ""))
            yield Chapter(title, float(chapter["start"] * base), float(chapter["end"] * base))
