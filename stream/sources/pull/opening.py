"""Opening any input that the user names: a file, a camera, a URL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import av
from av.error import FFmpegError

from stream.errors import SourceError
from stream.sources.listen.address import listens
from stream.sources.listen.opening import open_listening

from .external import srt_pipe
from .fetch import HttpClient
from .files import Files
from .hls import Hls
from .opened import LIVE_OPTIONS, Opened, cause_of, open_parts
from .parts import Part
from .playlist import is_playlist
from .playlists import TEXT_BYTES
from .transport import IN_A_ROW, SIZES, Layout, find_packets
from .web import open_http

SCHEMES: Final = ("http", "https", "rtmp", "rtmps", "rtsp", "srt", "udp")
LIVE_SCHEMES: Final = ("rtmp", "rtmps", "rtsp", "srt", "udp")
OPEN_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 15.0


def is_url(source: str) -> bool:
    return "://" in source


def is_device(source: str) -> bool:
    """Whether it is a camera's node (Linux: ``/dev/video0``)."""
    return source.startswith("/dev/video") or (source.startswith("/dev/") and Path(source).is_char_device())


def is_live(source: str) -> bool:
    """Whether frames arrive in real time; HTTP may run ahead, so it is paced like a file."""
    return source.partition("://")[0].lower() in LIVE_SCHEMES or is_device(source)


def open_source(source: str) -> Opened:
    """Any input that the user names. Raises SourceError."""
    if is_url(source):
        return _open_url(source)
    if is_device(source) and Path(source).exists():
        return Opened(_open_device(source))
    return _open_file(source)


def _open_url(source: str) -> Opened:
    scheme = source.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise SourceError(f"{source}: {scheme} is not taken; use {', '.join(SCHEMES)} or a file")
    if listens(source):
        return open_listening(source)
    try:
        if scheme in ("http", "https"):
            return open_http(HttpClient(), source, {"protocol_whitelist": "http,https,crypto"})
        return open_url(source, {"rtsp_transport": "tcp"} if scheme == "rtsp" else {})
    except av.ProtocolNotFoundError as error:
        if scheme != "srt":
            raise SourceError(f"{source}: this PyAV was built without {scheme}; use its wheel from PyPI") from error
    except (FFmpegError, OSError) as error:
        raise SourceError(f"{source}: {cause_of(error).lower()}; check the address and that it is on air") from error
    return open_srt(source)


def open_url(source: str, options: Mapping[str, str]) -> Opened:
    """A live stream, by FFmpeg's own protocols. Raises FFmpegError or OSError."""
    all_options = {**LIVE_OPTIONS, **options}
    return Opened(av.open(source, options=all_options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)))


def open_srt(source: str, kind: str = "") -> Opened:
    """An SRT address by an ``ffmpeg`` program; ``kind`` as in `srt_pipe`. Raises SourceError."""
    pipe = srt_pipe(source, kind)
    options = {**LIVE_OPTIONS, "protocol_whitelist": ""}
    try:
        return Opened(av.open(pipe, "r", format="matroska", options=options), pipe.stop)
    except (FFmpegError, OSError) as error:
        cause = pipe.complaint() or cause_of(error)
        pipe.stop()
        raise SourceError(f"{source}: {cause}; check the address and that it is on air") from error
    except BaseException:
        pipe.stop()
        raise


def _open_device(source: str) -> av.container.InputContainer:
    """A camera, with the size and rate that it offers first."""
    try:
        return av.open(source, format="v4l2")
    except PermissionError as error:
        raise SourceError(f"{source}: may not be read; add yourself to its group (video)") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{source}: is no camera that can be used ({cause_of(error).lower()}); see segue doctor"
        ) from error


def _open_file(source: str) -> Opened:
    path = Path(source)
    if not path.exists():
        raise SourceError(f"{source}: no such file; check the path")
    if path.is_dir():
        raise SourceError(f"{source}: is a folder; name one video")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{source}: is empty (0 bytes); copy or record it again")
    try:
        return _open_existing(path)
    except PermissionError as error:
        raise SourceError(f"{source}: may not be read; change its permissions") from error
    except (FFmpegError, OSError) as error:
        raise SourceError(
            f"{source}: is no video, or its end is missing ({cause_of(error).lower()}); give a whole video"
        ) from error


def _open_existing(path: Path) -> Opened:
    # with "file:", a name with a colon is no protocol
    url = f"file:{path}"
    if not path.is_file():
        return Opened(av.open(url))
    raw = path.open("rb")
    try:
        head = raw.read((IN_A_ROW + 1) * SIZES[-1])
        if is_playlist(head):
            raw.seek(0)
            text = raw.read(TEXT_BYTES).decode(errors="replace")
            raw.close()
            if "#EXTINF" in text or "#EXT-X-" in text:
                return Hls(Files(), url, text, {"protocol_whitelist": "file,crypto"}).open()
        elif find_packets(head) is not None:
            return open_parts(Part(raw, 0, b"", Layout(), str(path)), lambda part: av.open(part, "r"), raw.close)
    except BaseException:
        raw.close()
        raise
    raw.close()
    return Opened(av.open(url))
