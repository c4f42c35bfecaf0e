"""A websocket's answer in one word: what was said to a command, or the code with which it was closed."""

import asyncio
import contextlib
import json
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from . import mutate
from .target import Target

TAKEN: Final = "taken"  # an ingest that stays open
NO_ANSWER: Final = "no answer"


def ws(server: Target) -> str:
    """The server's URL for websockets, without the slash at its end."""
    return f"ws{server.url.removeprefix('http')}"


async def ingest(server: Target, hello: str | None, *messages: bytes, **options: Any) -> str:
    """The code with which ``/ingest`` is closed, the status of a handshake that was refused, or `TAKEN`.

    ``hello`` None: a right one; ``options`` are for the connection.
    """
    try:
        async with connect(f"{ws(server)}/ingest", close_timeout=1, **options) as socket:
            await socket.send(json.dumps(mutate.HELLOS[0]) if hello is None else hello)
            for message in messages:
                await socket.send(message)
            async with asyncio.timeout(4):
                while True:
                    await socket.recv()
    except TimeoutError:
        return TAKEN
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except ConnectionClosed as closed:
        return str(closed.rcvd.code if closed.rcvd else 1006)


async def command(server: Target, text: str, path: str, **options: Any) -> str:
    """``accepted``, ``refused``, the code with which the viewers' socket at ``path`` is closed, or `NO_ANSWER`."""
    try:
        async with connect(f"{ws(server)}{path}", close_timeout=1, **options) as socket, asyncio.timeout(5):
            with contextlib.suppress(ConnectionClosed):  # what was said before is read all the same
                await socket.send(text)
            async for message in socket:
                if (kind := json.loads(message)["type"]) in ("accepted", "refused"):
                    return str(kind)
    except TimeoutError:
        return NO_ANSWER
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except ConnectionClosed as closed:
        return str(closed.rcvd.code if closed.rcvd else 1006)
    return str(socket.close_code)
