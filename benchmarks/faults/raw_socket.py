"""Bytes to a server and a status back, without a client's good manners; and a websocket's answer in one word."""

import asyncio
import contextlib
import json
from collections.abc import Collection, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from . import mutate
from .target import Target

SOCKET_S: Final = 5.0
ANSWER_S: Final = 2.0  # without one by then the server waits for more, as it may
NO_ANSWER: Final = "no answer"
CLOSED: Final = "closed"
TAKEN: Final = "taken"  # an ingest that stays open


def post(path: str, body: bytes, kind: str) -> bytes:
    """A whole POST."""
    lines = (f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {kind}", f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def status(answer: bytes) -> str:
    """Of what `answer_of` gave; `CLOSED` for nothing."""
    line = answer.split(b"\r\n")[0].decode("latin-1")
    return line.split(" ")[1] if line.startswith("HTTP/") and " " in line else line[:20] or CLOSED


async def status_of(url: str, request: bytes, answer_s: float = ANSWER_S) -> str:
    """The status of the answer to a request sent as it is; `CLOSED` or `NO_ANSWER` where there is none."""
    return status(await answer_of(url, request, answer_s, head_only=True))


async def answer_of(url: str, request: bytes, answer_s: float = ANSWER_S, head_only: bool = False) -> bytes:
    """What comes back until the server closes or the time is over; `NO_ANSWER` for nothing in time."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**20)
    answer = b""
    try:
        writer.write(request)
        async with asyncio.timeout(answer_s):
            while not (head_only and b"\r\n" in answer) and (part := await reader.read(65536)):
                answer += part
    except ConnectionError:
        pass
    except TimeoutError:
        return answer or NO_ANSWER.encode()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return answer


async def ingest(
    server: Target, hello: str | None, *messages: bytes, answer_s: float = SOCKET_S, **options: Any
) -> str:
    """The code with which ``/ingest`` is closed, the status of a handshake that was refused, or `TAKEN`.

    ``hello`` None: a right one; ``options`` are for the connection.
    """
    right = json.dumps(mutate.HELLOS[0])
    sent: list[str | bytes] = [right if hello is None else hello, *messages]
    return await _word(server, "/ingest", sent, (), answer_s, options) or TAKEN


async def command(server: Target, text: str, path: str, **options: Any) -> str:
    """``accepted``, ``refused``, the code with which the viewers' socket at ``path`` is closed, or `NO_ANSWER`."""
    return await _word(server, path, [text], ("accepted", "refused"), SOCKET_S, options) or NO_ANSWER


async def _word(
    server: Target,
    path: str,
    messages: Sequence[str | bytes],
    kinds: Collection[str],
    answer_s: float,
    options: dict[str, Any],
) -> str:
    """The first message of these kinds after ours were sent, or else how it ended; "" where neither came in time."""
    try:
        async with connect(f"{server.ws}{path}", close_timeout=1, **options) as socket:
            with contextlib.suppress(ConnectionClosed):  # what was said before is read all the same
                for message in messages:
                    await socket.send(message)
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.timeout(answer_s):
                    async for text in socket:
                        if (kind := str(json.loads(text)["type"])) in kinds:
                            return kind
            return str(socket.close_code)
    except TimeoutError:
        return ""
    except InvalidStatus as refused:
        return str(refused.response.status_code)
