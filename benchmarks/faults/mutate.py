"""Inputs that nobody should send, made of inputs that are right: seeded, so that a finding can be had again.

Pure: every function takes its ``random.Random`` and gives text or bytes.
"""

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

NASTY: Final = (
    "", " ", "0", "-1", "1e999", "NaN", "4294967296", "18446744073709551616", "9" * 400, "%00", "%s%n", "\x00", "\x7f",
    "\r\n", "\u202e", "\ud7ff", "\U0001f600", "ß" * 50, "../../etc/passwd", "null", "true", "[]", "{}", "a" * 5000,
    "::1", "0.0.0.0", "255.255.255.255", "fe80::1%lo", "H264/90000", "VP8/0", "red/90000", "opus/48000/0", "sha-256 00",
)  # fmt: skip
METHODS: Final = (
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "get",
    "FOO",
    "G\tT",
    "",
)
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


def text(rng: Random, right: str) -> str:
    """``right`` with up to four things wrong: pieces gone, twice, elsewhere, or something nasty in their place."""
    for _ in range(rng.randint(1, 4)):
        if not right:
            return rng.choice(NASTY)
        begin = rng.randrange(len(right))
        end = min(len(right), begin + rng.choice((1, 1, 4, 20, 200)))
        match rng.randrange(5):
            case 0:
                right = right[:begin] + right[end:]
            case 1:
                right = right[:end] + right[begin:end] * rng.choice((1, 2, 50)) + right[end:]
            case 2:
                right = right[:begin] + rng.choice(NASTY) + right[end:]
            case 3:
                right = right[:begin]
            case _:
                at = rng.randrange(len(right))
                right = right[:at] + right[begin:end] + right[at:]
    return right


def damaged(rng: Random, right: bytes) -> bytes:
    """Bytes with some flipped, gone, or added."""
    out = bytearray(right)
    for _ in range(rng.randint(1, 8)):
        if not out:
            return rng.randbytes(rng.randint(0, 20))
        at = rng.randrange(len(out))
        match rng.randrange(4):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                del out[at : at + rng.choice((1, 8, 500))]
            case 2:
                out[at:at] = rng.randbytes(rng.choice((1, 8, 500)))
            case _:
                out[at : at + 1] = bytes([rng.choice((0, 255))])
    return bytes(out)


def offer(rng: Random, offers: Sequence[str]) -> bytes:
    """An SDP offer: lines wrong, values wrong, or bytes wrong."""
    lines = rng.choice(offers).splitlines()
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines[at:at] = [lines[at]] * rng.choice((1, 3, 80))
            case 2:
                lines.insert(rng.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] = text(rng, lines[at])
            case 4:
                words = lines[at].replace(":", " : ").replace("=", " = ").split(" ")
                words[rng.randrange(len(words))] = rng.choice(NASTY)
                lines[at] = " ".join(words).replace(" : ", ":").replace(" = ", "=")
            case _:
                other = rng.choice(offers).splitlines()
                lines = lines[:at] + other[rng.randrange(len(other)) :]
        lines = lines or ["v=0"]
    body = rng.choice(("\r\n", "\r\n", "\r\n", "\n", "\r")).join(lines).encode("utf-8", "surrogatepass")
    return damaged(rng, body) if rng.random() < 0.1 else body


def value(rng: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    match rng.randrange(9 if depth < 4 else 6):
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice((0, -1, 10**30, 1e308, -0.0, 2**53, 0.5))
        case 2 | 3 | 4:
            return rng.choice(NASTY)
        case 5:
            return rng.choice((float("nan"), float("inf"), float("-inf")))
        case 6:
            return [value(rng, depth + 1) for _ in range(rng.choice((0, 1, 5, 40)))]
        case 7:
            return {rng.choice(("type", "v", "track", "x", "", "__class__")): value(rng, depth + 1) for _ in range(3)}
        case _:
            nested: Any = 0
            for _ in range(rng.choice((5, 100, 900))):
                nested = [nested]
            return nested


def json_text(rng: Random, rights: Sequence[dict[str, Any]]) -> str:
    """An object with a field wrong, missing or strange, or text that is no JSON."""
    wrong: dict[str, Any] = dict(rng.choice(rights))
    for _ in range(rng.randint(1, 2)):
        name = rng.choice((*wrong, "v", "type", "extra"))
        if rng.random() < 0.3:
            wrong.pop(name, None)
        else:
            wrong[name] = value(rng)
    told = json.dumps(wrong, ensure_ascii=rng.random() < 0.5)
    match rng.randrange(8):
        case 0:
            return text(rng, told)
        case 1:
            return "[" * rng.choice((10, 3000)) + told
        case 2:
            return json.dumps(value(rng))
        case _:
            return told


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
