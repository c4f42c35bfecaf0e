"""The websocket for video where WebRTC does not get through: a hello, then binary messages.

*Bounds*: a hello of 4096 bytes within 10 s, messages of 2 MiB, pictures of 4096 pixels a side, and the queues of
`PictureFeed` and `WebmFeed`. A client that exceeds a bound is disconnected with a code and the reason; others are not
affected.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from stream.close_codes import Close, shortened
from stream.core.quality_level import QualityLevel
from stream.sources.arrival import Arrival
from stream.sources.ended import STOPPED, Cause, Ended, lost, silent
from stream.sources.feed import FeedError
from stream.sources.websocket.pictures import PictureFeed
from stream.sources.websocket.webm import WebmFeed

from .access import AccessOptions, refusal
from .address import resolved
from .channel import KEY_CHARACTERS
from .errors import BusyError
from .inputs import OnEnd, OnFrame, OnSound
from .key_redirect import Redirect, no_redirect
from .publishing import Input, Sessions

log = logging.getLogger(__name__)

HELLO_BYTES: Final = 4096
LABEL: Final = "Socket"
GONE: Final = (WebSocketDisconnect, RuntimeError, OSError)  # raised by sending to a client that has left

InputT = TypeVar("InputT", bound=Input)


@dataclass(frozen=True)
class IngestOptions:
    """How long a client may take: to say hello, from one picture to the next, and until its last ones are decoded."""

    hello_s: float = 10.0
    idle_s: float = 15.0
    finish_s: float = 2.0


@dataclass(frozen=True)
class Hello:
    """A client's first message, checked."""

    kind: str
    label: str
    key: str


@dataclass(frozen=True)
class Goodbye:
    """How a connection ends: the close frame's code, and the reason for client and viewers."""

    code: int
    reason: str
    cause: Cause = Cause.LOST

    @property
    def ended(self) -> Ended:
        return Ended(self.cause, self.reason)


class Feed(Protocol):
    """Messages in, frames out; see `PictureFeed` and `WebmFeed`."""

    def put(self, message: bytes) -> None: ...
    async def finish(self, timeout_s: float) -> None: ...
    async def close(self) -> None: ...


FEEDS: Final[dict[str, Callable[[OnFrame, OnSound, Callable[[FeedError], None]], Feed]]] = {
    "frames": lambda on_frame, _, on_error: PictureFeed(on_frame, on_error),
    "webm": WebmFeed,
}


def parse_hello(text: str | None) -> Hello:
    """Parse a hello; ``text`` None is a binary message. Raises FeedError for anything else."""
    example = '{"v":1,"type":"hello","kind":"frames"}'
    if text is None:
        raise FeedError(Close.BAD_MESSAGE, f"the first message is binary; say hello first: {example}")
    if len(text.encode("utf-8", "surrogatepass")) > HELLO_BYTES:
        raise FeedError(Close.BAD_MESSAGE, f"the hello is longer than {HELLO_BYTES} bytes; shorten its label or key")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedError(Close.BAD_MESSAGE, f"the first message is not JSON; say hello first: {example}") from error
    if not isinstance(message, dict) or message.get("type") != "hello":
        raise FeedError(Close.BAD_MESSAGE, f"the first message is no hello; send {example}")
    if message.get("v") != 1 or isinstance(message["v"], bool):
        raise FeedError(Close.BAD_MESSAGE, f"hello has version {str(message.get('v'))[:20]}; this server speaks 1")
    if not isinstance(kind := message.get("kind"), str) or kind not in FEEDS:
        raise FeedError(Close.BAD_MESSAGE, f"kind {str(kind)[:20]!r} is unknown; use {' or '.join(FEEDS)}")
    return Hello(kind, _text_field(message, "label", 1000) or LABEL, _text_field(message, "key", KEY_CHARACTERS))


def _text_field(message: dict[str, Any], name: str, limit: int) -> str:
    value = message.get(name, "")
    if not isinstance(value, str) or len(value) > limit:
        raise FeedError(Close.BAD_MESSAGE, f"{name} is no text of at most {limit} characters")
    return value


class SocketPublisher:
    """One client of the ingest socket, as its session sees it.

    ``goodbye`` is set once, by the first cause that ends the connection; the route then closes the socket.
    """

    def __init__(self, kind: str, on_frame: OnFrame, on_sound: OnSound, on_end: OnEnd) -> None:
        loop = asyncio.get_running_loop()
        self.connected = True
        self.goodbye: asyncio.Future[Goodbye] = loop.create_future()
        self._clock = loop.time
        self._last_picture_s = loop.time()
        self._on_frame = on_frame
        self._on_end: OnEnd | None = on_end
        self.feed = FEEDS[kind](self._take, on_sound, lambda error: self.leave(Goodbye(error.code, str(error))))

    def follow(self, level: QualityLevel) -> None:
        """Does nothing: no level decodes pictures that come too fast."""

    def leave(self, goodbye: Goodbye) -> None:
        """End the connection; only the first call counts."""
        if not self.goodbye.done():
            self.goodbye.set_result(goodbye)

    async def close(self) -> None:
        """End the connection because the session ends."""
        self._on_end = None
        self.connected = False
        self.leave(Goodbye(Close.ENDED, "the session was ended here, or taken over by another publisher with its key"))
        await self.feed.close()

    async def report_end(self) -> None:
        """Tell the session that the connection has ended."""
        await self.feed.close()
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self.goodbye.result().ended)
        self.connected = False

    async def watch(self, idle_s: float) -> None:
        """Leave and return once no picture has come for ``idle_s``."""
        while (left := self._last_picture_s + idle_s - self._clock()) > 0:  # noqa: ASYNC110 - silence has no event
            await asyncio.sleep(left)
        ended = silent(idle_s)
        self.leave(Goodbye(Close.SILENT, ended.text, ended.cause))

    def _take(self, arrival: Arrival) -> None:
        self._last_picture_s = self._clock()
        self._on_frame(arrival)


def ingest_routes(
    hub: Sessions[InputT],
    access: AccessOptions | None = None,
    options: IngestOptions | None = None,
    base_url: str = "",
    redirect: Redirect = no_redirect,
) -> APIRouter:
    """The websocket ``/ingest``. ``base_url`` goes before the path in the answer (see `address.resolved`); ``redirect``
    gives the address of a key's session, if another process has it (see `key_redirect`)."""
    router = APIRouter()
    rights = access or AccessOptions()
    times = options or IngestOptions()

    @router.websocket("/ingest")
    async def ingest(socket: WebSocket) -> None:
        await socket.accept()
        if (reason := refusal(socket, rights, "publish")) is not None:
            return await _close(socket, Goodbye(Close.DENIED, reason))
        publishers: list[SocketPublisher] = []

        def connect(kind: str, on_frame: OnFrame, on_sound: OnSound, on_end: OnEnd) -> SocketPublisher:
            publishers.append(SocketPublisher(kind, on_frame, on_sound, on_end))
            return publishers[0]

        try:
            hello = await _hello(socket, times.hello_s)
            if hello is None:
                return None
            if address := redirect(hello.key, socket):
                return await _redirect(socket, address)
            source = hub.begin(hello.label, hello.key, lambda *hooks: connect(hello.kind, *hooks))
        except FeedError as error:
            return await _close(socket, Goodbye(error.code, str(error)))
        except BusyError as error:
            return await _close(socket, Goodbye(Close.FULL, str(error)))
        publisher = publishers[0]
        try:
            events = f"{resolved(base_url, socket)}/sessions/{source.id}/events"
            goodbye = await _serve(socket, {"session": source.id, "events": events}, publisher, times)
        except BaseException:
            publisher.leave(Goodbye(Close.GOING_AWAY, "the server is stopping"))
            raise
        finally:
            await publisher.report_end()
        log.info("ingest ended: %s", goodbye.reason)
        return await _close(socket, goodbye)

    return router


async def _hello(socket: WebSocket, timeout_s: float) -> Hello | None:
    """The first message; None if the client left. Raises FeedError."""
    try:
        async with asyncio.timeout(timeout_s):
            message = await socket.receive()
    except TimeoutError as error:
        raise FeedError(Close.SILENT, f"no hello within {timeout_s:g} s") from error
    return None if message["type"] == "websocket.disconnect" else parse_hello(message.get("text"))


async def _redirect(socket: WebSocket, address: str) -> None:
    """Tell a client where its key's session is, and close."""
    moved = {"v": 1, "type": "moved", "ingest": f"{address}/ingest"}
    with contextlib.suppress(*GONE):
        await socket.send_text(json.dumps(moved, separators=(",", ":")))
    await _close(socket, Goodbye(Close.MOVED, "this key's session is at another port: see the message before"))


async def _serve(
    socket: WebSocket, session_fields: dict[str, str], publisher: SocketPublisher, times: IngestOptions
) -> Goodbye:
    """Read messages until something ends the connection; ``session_fields`` describe its session to the client."""
    ready = {"v": 1, "type": "ready", **session_fields}
    with contextlib.suppress(*GONE):  # reading notices that a client has left
        await socket.send_text(json.dumps(ready, separators=(",", ":")))
    working = [
        asyncio.create_task(_read(socket, publisher, times.finish_s)),
        asyncio.create_task(publisher.watch(times.idle_s)),
    ]
    try:
        return await asyncio.shield(publisher.goodbye)
    finally:
        for task in working:
            task.cancel()
        for outcome in await asyncio.gather(*working, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("reading from a publisher failed", exc_info=outcome)


async def _read(socket: WebSocket, publisher: SocketPublisher, finish_s: float) -> None:
    try:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            data = message.get("bytes")
            if data is None:
                raise FeedError(Close.BAD_MESSAGE, "a text message after hello; send pictures as binary messages")
            publisher.feed.put(data)
        await publisher.feed.finish(finish_s)
        stopped = message.get("code") in (Close.NORMAL, Close.GOING_AWAY)
        ended = STOPPED if stopped else lost("the connection was lost")
        publisher.leave(Goodbye(Close.NORMAL, ended.text, ended.cause))
    except FeedError as error:
        publisher.leave(Goodbye(error.code, str(error)))
    finally:
        publisher.leave(Goodbye(Close.SERVER_ERROR, "the server failed to read the stream"))


async def _close(socket: WebSocket, goodbye: Goodbye) -> None:
    """Close with as much of the reason as fits; does nothing where the client left first."""
    with contextlib.suppress(*GONE):
        await socket.close(goodbye.code, shortened(goodbye.reason))
