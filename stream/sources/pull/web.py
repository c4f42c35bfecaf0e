"""Open a video, a playlist or an endless stream by HTTP. FFmpeg gets bytes, and opens nothing itself."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import av

from .fetch import Fetch, HttpClient, request_headers
from .hls import Hls
from .opened import LIVE_OPTIONS, Kind, Opened, open_parts
from .parts import Part
from .playlist import is_playlist
from .playlists import TEXT_BYTES
from .transport import IN_A_ROW, SIZES, Layout, find_packets

HEAD_BYTES: Final = (IN_A_ROW + 1) * SIZES[-1]  # enough to recognise a transport stream, and short to wait for
OPEN_S: Final = 15.0
READ_S: Final = 15.0
# without times of their own: the pictures of a camera, one after another, and video without a container
UNTIMED: Final = frozenset({"mpjpeg", "mjpeg", "h264", "hevc", "mpegvideo", "m4v", "obu"})


def open_http(client: HttpClient, url: str, options: Mapping[str, str]) -> Opened:
    """``options`` are FFmpeg's. Raises SourceError, FFmpegError, OSError."""
    fetch = client.open(url)
    try:
        head = _head(fetch)
        if is_playlist(head):
            text = (head + fetch.read_all(TEXT_BYTES)).decode(errors="replace")
            fetch.close()
            return Hls(client, fetch.url, text, options).open()
        return _open_bytes(client, fetch, head, options)
    except BaseException:
        fetch.close()
        raise


def _open_bytes(client: HttpClient, fetch: Fetch, head: bytes, options: Mapping[str, str]) -> Opened:
    live = fetch.length is None
    layout = Layout() if find_packets(head) is not None else None
    name = "mpjpeg" if fetch.kind.startswith("multipart/") else None

    def io_open(place: str, flags: int, more: dict[str, str]) -> Any:
        return client.open(client.join(fetch.url, place), int(more.get("offset", 0)), None, request_headers(more))

    def make(part: Part) -> av.container.InputContainer:
        opener: Any = io_open
        all_options = {**(LIVE_OPTIONS if live else {}), **options}
        return av.open(part, "r", format=name, options=all_options, io_open=opener, timeout=(OPEN_S, READ_S))

    def kind(container: av.container.InputContainer) -> Kind:
        on_air = live and (name is not None or not _promises(container))
        return Kind(on_air, on_air and container.format.name in UNTIMED)

    return open_parts(Part(fetch, 0, head, layout, urlsplit(fetch.url).path), make, fetch.close, kind)


def _promises(container: av.container.InputContainer) -> bool:
    """Whether the container has a length. A fragmented file only has that of the fragments so far."""
    video = container.streams.best("video")
    if container.format.name.startswith("mov,") and video is not None and getattr(video, "frames", 1) == 0:
        return False
    return bool(container.duration)


def _head(fetch: Fetch) -> bytes:
    data = b""
    while len(data) < HEAD_BYTES and (more := fetch.read(HEAD_BYTES - len(data))):
        data += more
        if not data.startswith((b"\x47", b"#", b"\xef", b" ", b"\r", b"\n")) and find_packets(data) is None:
            break
    return data
