"""Open a URL that a client named: FFmpeg gets the bytes, and cannot open anything by itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlencode

from av.error import FFmpegError

from stream.errors import SourceError
from stream.sources.feed import MAX_PIXELS
from stream.sources.pull.fetch import HttpClient
from stream.sources.pull.opened import Opened, Opener
from stream.sources.pull.opening import open_srt, open_url
from stream.sources.pull.web import open_http

from .addresses import Network, Target, checked, target_of
from .relay import Relay

# formats that are accepted; of those that name other places (sdp, concat, dash, ...) only HLS is among them
FORMATS: Final = "mov,matroska,mpegts,flv,live_flv,hls,avi,mpeg,mpegvideo,ogg,mpjpeg,asf,h264,hevc"
RTSP_SWITCHES: Final = frozenset({"udp", "multicast", "tcp", "http", "https", "prefer_tcp", "satip_raw"})
SRT_FIELDS: Final = frozenset({"streamid", "passphrase", "pbkeylen", "latency"})


def guarded(allowed: Sequence[Network] = (), pixels: int = MAX_PIXELS) -> Opener:
    """How a ``Pull`` opens a client's URL; its decoders take no larger pictures. Raises SourceError."""

    return lambda url: replace(_open(allowed, url), pixels=pixels)


def _open(allowed: Sequence[Network], url: str) -> Opened:
    target = target_of(url)
    if target.scheme in ("http", "https"):
        return _open_http(target, url, allowed)
    if target.scheme == "srt":
        # only a transport stream: it names no other places; a playlist, which the program would also read, does
        return open_srt(srt_address(target, str(checked(target, allowed)[0])), "mpegts")
    relay = Relay(target, allowed)
    try:
        opened = open_url(*_through_relay(target, relay.port))
    except (FFmpegError, OSError) as error:
        relay.stop()
        message = relay.error or f"{target.redacted}: {error.strerror or type(error).__name__}; check the address"
        raise SourceError(message) from error
    except BaseException:
        relay.stop()
        raise
    return Opened(opened.container, relay.stop)


def _open_http(target: Target, url: str, allowed: Sequence[Network]) -> Opened:
    options = {"protocol_whitelist": "http,https,crypto", "format_whitelist": FORMATS}
    try:
        return open_http(HttpClient(allowed), url, options)
    except SourceError:
        raise
    except (FFmpegError, OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SourceError(f"{target.redacted}: {cause}; give a video or an HLS playlist") from error


def _through_relay(target: Target, port: int) -> tuple[str, dict[str, str]]:
    """The URL and the options with which FFmpeg reaches a target through a relay."""
    user, mark, _ = target.parts.netloc.rpartition("@")
    query = f"?{target.parts.query}" if target.parts.query else ""
    where = f"{user}{mark}127.0.0.1:{port}{target.parts.path}{query}"
    if target.scheme == "rtsp":
        if RTSP_SWITCHES & set(target.parts.query.split("&")):
            raise SourceError(f"{target.redacted}: the transport cannot be chosen in the URL; leave that out")
        return f"rtsp://{where}", {
            "rtsp_transport": "tcp",
            "protocol_whitelist": "rtsp,rtp,tcp",
            "format_whitelist": "rtsp",
        }
    levels = target.parts.path.strip("/").split("/")
    app = "/".join(levels[: max(1, min(2, len(levels) - 1))])  # the split of application and stream as in FFmpeg
    host = f"[{target.host}]" if ":" in target.host else target.host
    address = f"{target.scheme}://{host}:{target.port}/{app}"
    return f"rtmp://{where}", {
        "rtmp_tcurl": address,
        "protocol_whitelist": "rtmp,tcp",
        "format_whitelist": "flv,live_flv",
    }


def srt_address(target: Target, address: str) -> str:
    """The SRT URL with a checked address in place of the name, and only those fields of the query that a caller
    needs."""
    fields = parse_qsl(target.parts.query)
    unknown = [name for name, _ in fields if name not in SRT_FIELDS and (name, _) != ("mode", "caller")]
    if unknown:
        raise SourceError(f"{target.redacted}: {unknown[0][:40]} is not taken; {', '.join(sorted(SRT_FIELDS))} are")
    host = f"[{address}]" if ":" in address else address
    query = urlencode([("mode", "caller"), *(field for field in fields if field[0] != "mode")])
    return f"srt://{host}:{target.port}?{query}"
