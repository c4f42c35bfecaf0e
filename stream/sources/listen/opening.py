"""Open an address to listen on: wait for a publisher, and give what it sends as an open input.

It waits in Python, so that Ctrl-C ends it. From then on the bounds of every live input hold: 15 s to open, 15 s without
a packet.
"""

import socket
from collections.abc import Callable
from typing import Final

import av
from av.error import FFmpegError

from stream.errors import SourceError
from stream.sources.pull.external import srt_pipe
from stream.sources.pull.opened import LIVE_OPTIONS, Opened, cause_of, nothing

from .address import ListenAddress, parsed
from .datagrams import Datagrams
from .ports import open_port
from .rtmp_door import RtmpDoor

OPEN_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 15.0
CURE: Final = "send H.264 video, as OBS's custom output or ffmpeg does"


def open_listening(source: str) -> Opened:
    """A source of ``segue watch``; blocks until somebody sends. Raises SourceError."""
    address = parsed(source)
    return wait_at(address, open_port(address), own=True)


def wait_at(
    address: ListenAddress, bound: socket.socket | None, came: Callable[[], None] = nothing, own: bool = False
) -> Opened:
    """The same, with the socket that `open_port` gave; it is closed at the end if it is ``own``.

    ``came`` is called when a publisher has come (for SRT: when its first pictures have). Raises SourceError.
    """
    stop = nothing
    try:
        if address.scheme == "srt":
            pipe = srt_pipe(address.srt_url, "mpegts")
            stop = pipe.stop
            pipe.wait()
            came()
            try:
                return Opened(_open(pipe, "matroska"), stop, True)
            except (FFmpegError, OSError) as error:
                raise SourceError(f"{address.text}: {pipe.complaint() or cause_of(error)}; {CURE}") from error
        assert bound is not None
        if address.scheme == "udp":
            stop = bound.close if own else nothing
            datagrams = Datagrams(bound)
            datagrams.wait()
            came()
            return Opened(_open(datagrams, "mpegts"), stop, True)
        door = RtmpDoor(bound, own)
        stop = door.stop
        door.wait()
        came()
        inner = f"rtmp://127.0.0.1:{door.inner_port}{address.path}"
        options = {**LIVE_OPTIONS, "listen": "1", "protocol_whitelist": "rtmp,tcp", "format_whitelist": "flv,live_flv"}
        return Opened(av.open(inner, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)), stop, True)
    except (FFmpegError, OSError) as error:
        stop()
        raise SourceError(f"{address.text}: {cause_of(error).lower()}; {CURE}") from error
    except BaseException:
        stop()
        raise


def _open(file: object, kind: str) -> av.container.InputContainer:
    return av.open(file, "r", format=kind, options={**LIVE_OPTIONS, "protocol_whitelist": ""})
