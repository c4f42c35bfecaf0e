"""The sockets of addresses to listen on.

For RTMP and UDP the socket is opened once and kept: the processes that read from it come and go, and a publisher that
knocks between two of them waits in the system's queue. An SRT socket belongs to the ffmpeg program that speaks the
protocol, so there its port is only tried.
"""

import os
import socket

from stream.errors import SourceError

from .address import ListenAddress

BACKLOG = 2  # one publisher is read; others are turned away


def open_port(address: ListenAddress) -> socket.socket | None:
    """The bound socket, None for SRT. Raises SourceError for an address that is taken or not of this machine."""
    stream = address.scheme == "rtmp"
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    try:
        if stream and os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address.host, address.port))
        if stream:
            bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        cure = "stop what listens there, or choose another port"
        raise SourceError(f"{address.text}: cannot be listened on ({error.strerror}); {cure}") from error
    if address.scheme == "srt":
        bound.close()
        return None
    return bound
