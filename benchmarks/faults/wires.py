"""Bytes to a server and a status back, without a client's good manners."""

import asyncio
import contextlib
from typing import Final
from urllib.parse import urlsplit

ANSWER_S: Final = 2.0  # without one by then the server waits for more, as it may
NO_ANSWER: Final = "no answer"
CLOSED: Final = "closed"


def place(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


def post(path: str, body: bytes, kind: str, *headers: str) -> bytes:
    """A whole POST."""
    lines = (f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {kind}", f"content-length: {len(body)}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


async def status_of(url: str, request: bytes, answer_s: float = ANSWER_S) -> str:
    """The status of the answer to a request sent as it is; `CLOSED` or `NO_ANSWER` where there is none."""
    line = (await answer_of(url, request, answer_s, head_only=True)).split(b"\r\n")[0].decode("latin-1")
    if not line:
        return CLOSED
    return line.split(" ")[1] if line.startswith("HTTP/") and " " in line else line[:20]


async def answer_of(url: str, request: bytes, answer_s: float = ANSWER_S, head_only: bool = False) -> bytes:
    """What comes back until the server closes or the time is over; `NO_ANSWER` for nothing in time."""
    host, port = place(url)
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    told = b""
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            try:
                async with asyncio.timeout(answer_s):
                    while part := await reader.read(65536):
                        told += part
                        if head_only and b"\r\n" in told:
                            break
            except TimeoutError:
                return told or NO_ANSWER.encode()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return told
