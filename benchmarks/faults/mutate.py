"""Inputs that nobody should send, made of inputs that are right: seeded, so that a finding can be had again.

Pure: every function takes its ``random.Random`` and gives text or bytes.
"""

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any, Final, TypeVar

Spoilable = TypeVar("Spoilable", str, list[str])

NASTY: Final = (
    "", " ", "0", "-1", "1e999", "NaN", "4294967296", "18446744073709551616", "9" * 400, "%00", "%s%n", "\x00", "\x7f",
    "\r\n", "\u202e", "\ud7ff", "\U0001f600", "ß" * 50, "../../etc/passwd", "null", "true", "[]", "{}", "a" * 5000,
    "::1", "0.0.0.0", "255.255.255.255", "fe80::1%lo", "H264/90000", "VP8/0", "red/90000", "opus/48000/0", "sha-256 00",
)  # fmt: skip
NUMBERS: Final = (0, -1, 0.5, -0.0, 2**53, 10**30, 1e308, float("nan"), float("inf"), float("-inf"))
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "G\tT", "")
PATHS: Final = (
    "/", "/whip", "/whip/x", "/ingest", "/api/sessions", "/api/pull", "/api/pull/x", "/api/tracks/x", "/tracks/x/audio",
    "/sessions/x/events", "/healthz", "/readyz", "/metrics", "/main.js", "/style.css", "/index.html", "/nothing", "*",
    "http://elsewhere/whip", "//", "/%2e%2e/", "/whip?key=", "/whip?label=%ff", "/api/tracks/%00", "/%c0%af",
)  # fmt: skip
HEADERS: Final = (
    "host", "content-length", "transfer-encoding", "content-type", "authorization", "origin", "range", "if-match",
    "expect", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "accept-encoding", "cookie", "x",
    "if-modified-since", "if-range", "content-encoding", "forwarded", "x-forwarded-for", "te", "trailer",
)  # fmt: skip
VALUES: Final = (
    "127.0.0.1", "localhost", "evil.example", "0", "-1", "99999999999999999999", "chunked", "gzip, chunked", "identity",
    "application/sdp", "application/trickle-ice-sdpfrag", "application/json", "text/plain; charset=\udcff", "null",
    "http://127.0.0.1", "http://[::1", "https://evil.example", "bytes=0-", "bytes=-0", "bytes=9-1", "bytes=0-0,1-1,2-2",
    "bytes=" + "0-1," * 200, "websocket", "Upgrade", "close", "13", "x3JJHMbDL1EzLkh9GBhXDw==", "100-continue", "*",
    '""', "Bearer ", "Bearer x", "Basic Og==", "a" * 3000, "\x01", "é", "",
)  # fmt: skip
COMMANDS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "filters", "min_bpm": 90, "max_bpm": 130, "licences": ["CC0"], "tags": ["ambient"], "min_duration_s": 60},
    {"type": "skip", "track": "5635bbc124f89e80"},
    {"type": "like", "track": "5635bbc124f89e80"},
    {"type": "unlike", "track": "5635bbc124f89e80"},
    {"type": "pin", "track": None},
    {"type": "steer", "energy": -0.5, "valence": 0, "tension": 0, "tempo": 0.3},
    {"type": "weights", "content": 0.5, "rhythm": 0.25, "mood": 0.25},
    {"type": "undo"},
    {"type": "playing", "track": "5635bbc124f89e80", "position_s": 31.5},
)
HELLOS: Final[tuple[dict[str, Any], ...]] = (
    {"v": 1, "type": "hello", "kind": "frames", "label": "Robot", "key": ""},
    {"v": 1, "type": "hello", "kind": "webm", "label": "Page"},
)
PULLS: Final[tuple[dict[str, Any], ...]] = (
    {"url": "http://127.0.0.1:1/x.mp4", "label": "Yard", "key": ""},
    {"url": "rtsp://10.0.0.1/live"},
    {"url": "srt://[::1]:9?streamid=x"},
)


def spoilt(rng: Random, right: Spoilable, nasty: Spoilable, lengths: Sequence[int]) -> Spoilable:
    """``right`` with a stretch of it gone, more than once, or elsewhere, something nasty in its place, or cut short."""
    begin = rng.randrange(len(right) + 1)
    end = begin + rng.choice(lengths)
    before, piece, after = right[:begin], right[begin:end], right[end:]
    rest = before + after
    at = rng.randrange(len(rest) + 1)
    repeated = before + piece * rng.choice((2, 3, 51)) + after
    return rng.choice((rest, repeated, rest[:at] + piece + rest[at:], before + nasty + after, before))


def text(rng: Random, right: str) -> str:
    """A text with up to four things wrong."""
    for _ in range(rng.randint(1, 4)):
        right = spoilt(rng, right, rng.choice(NASTY), (1, 1, 4, 20, 200))
    return right


def damaged(rng: Random, right: bytes) -> bytes:
    """Bytes of which up to eight stretches were replaced, are gone, or were added."""
    out = bytearray(right)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(out) + 1)
        out[at : at + rng.choice((0, 1, 1, 8, 500))] = rng.randbytes(rng.choice((0, 1, 1, 8, 500)))
    return bytes(out)


def offer(rng: Random, offers: Sequence[str]) -> bytes:
    """An SDP offer: lines wrong, values wrong, or bytes wrong."""
    lines = rng.choice(offers).splitlines()
    for _ in range(rng.randint(1, 3)):
        at, other = rng.randrange(len(lines)), rng.choice(offers).splitlines()
        words = re.split(r"([ :=])", lines[at])
        words[2 * rng.randrange(len(words) // 2 + 1)] = rng.choice(NASTY)
        wrong = rng.choice((text(rng, lines[at]), "".join(words)))
        spoilt_lines = spoilt(rng, lines, other[rng.randrange(len(other)) :], (1, 1, 1, 4))
        lines = rng.choice((spoilt_lines, [*lines[:at], wrong, *lines[at + 1 :]])) or ["v=0"]
    body = rng.choice(("\r\n", "\r\n", "\r\n", "\n", "\r")).join(lines).encode("utf-8", "surrogatepass")
    return damaged(rng, body) if rng.random() < 0.1 else body


def value(rng: Random) -> Any:
    """Any JSON value, and those that JSON does not have; some are nested deeply."""
    inner: Any = rng.choice((rng.choice(NASTY), rng.choice(NUMBERS), rng.choice((None, True, False, [], {}))))
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2, 100, 900))):
        inner = rng.choice(([inner], [inner, 0], {rng.choice(("type", "v", "track", "", "__class__")): inner}))
    return inner


def json_text(rng: Random, rights: Sequence[dict[str, Any]]) -> str:
    """An object with a field wrong, missing or strange, or text that is no JSON."""
    wrong: dict[str, Any] = dict(rng.choice(rights))
    for _ in range(rng.randint(1, 2)):
        name = rng.choice((*wrong, "v", "type", "extra"))
        if rng.random() < 0.3:
            wrong.pop(name, None)
        else:
            wrong[name] = value(rng)
    body = json.dumps(wrong, ensure_ascii=rng.random() < 0.5)
    other = rng.choice((text(rng, body), "[" * rng.choice((10, 3000)) + body, json.dumps(value(rng))))
    return other if rng.random() < 3 / 8 else body


def request(rng: Random) -> bytes:
    """A whole HTTP request: line, headers, and perhaps a body that does not fit them."""
    path = rng.choice(PATHS) if rng.random() < 0.6 else text(rng, rng.choice(PATHS))
    version = rng.choice(("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/2.0", "HTTP/9", ""))
    lines = [f"{rng.choice(METHODS)} {path} {version}"]
    if rng.random() < 0.9:
        lines.append("host: localhost")
    lines += [f"{rng.choice(HEADERS)}: {rng.choice(VALUES)}" for _ in range(rng.choice((0, 1, 2, 5, 150)))]
    body = rng.randbytes(rng.choice((0, 0, 10, 3000)))
    if rng.random() < 0.7:
        lines.append(f"content-length: {len(body)}")
    head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass")
    return damaged(rng, head + body) if rng.random() < 0.15 else head + body
