"""Send pictures to a server from a Python program, and receive its suggestions.

    async with FrameClient("http://127.0.0.1:8765", label="Robot 3", key="robot-3") as client:
        async for picture, pts_s in pictures():          # (height, width, 3) uint8 RGB, seconds
            await client.send(picture, pts_s)
            if (message := client.newest("suggestions")) is not None:
                print(message["items"][0]["title"])

or, beside the loop that sends, ``async for message in client.events(): ...``. ``stream/PROTOCOL.md`` describes the
messages. ``await client.tell({"type": "like", "track": ...})`` sends a command. The first client that sends ``playing``
is the session's player; it gets the requests of the others as ``do`` messages.
"""

import asyncio
import contextlib
import json
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from stream.close_codes import Close
from stream.errors import StreamError
from stream.sources.pull.reconnect import Backoff
from stream.sources.websocket.pictures import MAX_PTS, pack_picture

JPEG: Final = 1
QUALITY: Final = 80
MESSAGES: Final = 64  # events that wait to be read; beyond that the oldest are dropped
CONNECT_S: Final = 10.0
MOVES: Final = 3  # moves from one of a server's processes to another; one more is a failure
CLOSE_S: Final = 2.0  # how long the client waits for the server's close frame
# a second try would fail too: bad messages, no token, a foreign origin, too large, undecodable, or taken over
FINAL: Final = frozenset(
    {Close.BAD_MESSAGE, Close.DENIED, Close.FOREIGN_ORIGIN, Close.ENDED, Close.TOO_LARGE, Close.UNREADABLE}
)
# of the events' connection, from the server or a proxy before it: no token to view, or a foreign origin
NO_VIEW: Final = frozenset({Close.DENIED, Close.FOREIGN_ORIGIN})
NO_VIEW_STATUS: Final = frozenset({401, 403})


class ClientError(StreamError):
    """The server refuses for good, or can no longer be reached; the text says why."""


class FrameClient:
    """An async context manager that keeps one connection for pictures and one for events.

    ``url`` is the server's (http, https, ws or wss). With a ``key`` a new connection takes over the session of a lost
    one. ``token`` is for publishing and ``view_token`` (default: the same) for viewing, where the server needs them. At
    most one picture waits: a newer one replaces it, and ``lost`` counts those. A lost connection is opened again after
    growing delays (``backoff``). When these are used up, or the server refuses for good, the next call of ``send`` or
    ``events`` raises ClientError.

    Pictures are still sent while the events' connection is lost: ``listening`` is then False, a ``warning`` among the
    events says why, and the client tries again for as long as pictures are connected. Where the server lets this client
    publish but not view, only ``events`` raises ClientError.
    """

    def __init__(
        self,
        url: str,
        label: str = "Python",
        key: str = "",
        token: str | None = None,
        view_token: str | None = None,
        backoff: Backoff | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.sent = self.lost = self.connections = 0
        self.session: str | None = None
        self.listening = False
        self._url = _address(url, "/ingest")
        self._hello = json.dumps({"v": 1, "type": "hello", "kind": "frames", "label": label, "key": key})
        self._headers = _bearer(token)
        self._view_headers = _bearer(token if view_token is None else view_token)
        self._backoff = backoff or Backoff()
        self._jitter = jitter
        self._slot: tuple[NDArray[np.uint8], int] | None = None  # capacity 1, newest wins
        self._wake = asyncio.Event()
        self._events: deque[dict[str, Any]] = deque(maxlen=MESSAGES)
        self._newest: dict[str, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._page = secrets.token_urlsafe(12)  # the server knows this client by it, on other connections too
        self._event_socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._failure: ClientError | None = None
        self._event_failure: ClientError | None = None  # why no events will come, though pictures are sent
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Connected once this returns. Raises ClientError where the server cannot be reached or refuses."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(ready))
        try:
            await ready
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, picture: NDArray[np.uint8], pts_s: float) -> None:
        """Send a (height, width, 3) uint8 RGB picture of the time ``pts_s`` (seconds, 0 or more). Returns at once.

        Raises ClientError once the client has given up the connection, ValueError for another shape or time.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"a picture of shape {picture.shape}, {picture.dtype}; send (height, width, 3) uint8")
        if not 0 <= pts_s * 1e6 <= MAX_PTS:
            raise ValueError(f"a time of {pts_s} s; send 0 or more")
        self._check()
        self.lost += self._slot is not None
        self._slot = picture, round(pts_s * 1e6)
        self._wake.set()
        await asyncio.sleep(0)  # else a caller that never awaits leaves no time to send

    def newest(self, kind: str) -> dict[str, Any] | None:
        """The newest message of a type, or None before the first."""
        return self._newest.get(kind)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Messages as they come, for one reader. Of unread messages, the newest 64 are kept.

        Raises ClientError once the client has given up the connection, and where it may not view.
        """
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closing.is_set():
                return
            self._check()
            if self._event_failure is not None:
                raise self._event_failure
            self._changed.clear()
            await self._changed.wait()

    async def tell(self, command: Mapping[str, Any]) -> None:
        """Send a command; its answer comes among the events.

        Raises ClientError while there is no connection for events (``listening``): commands are not queued.
        """
        self._check()
        if self._event_socket is None:
            reason = f"{self._url}: no connection for events now; send the command again in a moment"
            raise self._event_failure or ClientError(reason)
        try:
            await self._event_socket.send(json.dumps({"v": 1, **command}))
        except ConnectionClosed as error:
            raise ClientError(f"{self._url}: the connection for events was lost: {_close_reason(error)[1]}") from error

    async def close(self) -> None:
        """Close the connections: the session ends. Idempotent."""
        self._closing.set()
        self._changed.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._task is None or self._closing.is_set():
            raise ClientError("the client is not open; use it in async with")

    async def _run(self, ready: asyncio.Future[None]) -> None:
        """One connection after another; ``ready`` is set by the first."""
        delays = self._backoff.delays(self._jitter)
        while True:
            try:
                async with self._connect() as (pictures, address):
                    self.connections += 1
                    delays = self._backoff.delays(self._jitter)
                    await self._both(pictures, address, ready)
                    return None  # closed from here
            except ConnectionClosed as error:
                code, reason = _close_reason(error)
                if code in FINAL:
                    return self._fail(reason, ready)
            except (OSError, TimeoutError, InvalidHandshake) as error:
                reason = str(error) or type(error).__name__
            except ClientError as error:
                return self._fail(str(error), ready)
            if not ready.done():
                return self._fail(reason, ready)
            delay_s = next(delays, None)
            if delay_s is None:
                return self._fail(f"{reason}; gave up", ready)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._closing.wait()
                return None

    def _fail(self, reason: str, ready: asyncio.Future[None]) -> None:
        self._failure = ClientError(f"{self._url}: {reason}")
        self._changed.set()
        if not ready.done():
            ready.set_exception(self._failure)

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[tuple[ClientConnection, str]]:
        """The connection for pictures, and the address of the events. Raises what connecting raises, and ClientError
        for an unknown answer."""
        url = self._url
        for _ in range(MOVES + 1):
            async with connect(
                url, additional_headers=self._headers, open_timeout=CONNECT_S, compression=None
            ) as pictures:
                await pictures.send(self._hello)
                async with asyncio.timeout(CONNECT_S):
                    ready = _object(await pictures.recv())
                if ready.get("type") == "moved":  # another of the server's processes has the session of this key
                    url = _resolve(self._url, str(ready.get("ingest", "")))
                    continue
                if ready.get("type") != "ready":
                    raise ClientError(f"the server answers hello with {str(ready)[:80]}; is it one of another version?")
                self.session = str(ready.get("session"))
                yield pictures, _resolve(url, str(ready.get("events", "")))
                return
        raise TimeoutError(f"was sent from one port to another {MOVES + 1} times")

    async def _both(self, pictures: ClientConnection, address: str, ready: asyncio.Future[None]) -> None:
        """Pictures out, messages in, until the client closes. ``ready`` is set once messages can come, or it is known
        why they cannot. Raises ConnectionClosed where the pictures' connection ends before."""
        tasks = [
            asyncio.create_task(self._closing.wait()),
            asyncio.create_task(self._send(pictures)),
            asyncio.create_task(_until_closed(pictures)),
            asyncio.create_task(self._listen(address, ready)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._slot = self._slot, None
            if waiting is not None:
                data = await asyncio.to_thread(encode_jpeg, waiting[0])
                await socket.send(pack_picture(JPEG, waiting[1], data))
                self.sent += 1

    async def _listen(self, address: str, ready: asyncio.Future[None]) -> None:
        """Messages in, over one connection after another; ends only when the client closes."""
        self._event_failure = None
        first, delays = True, self._endless()
        while True:
            received, final, reason = await self._receive(address, ready)
            if final:
                self._event_failure = ClientError(f"{address}: {reason}")
                self._changed.set()
            if not ready.done():
                ready.set_result(None)
            if final:
                await self._closing.wait()
                return
            if received or first:
                self._keep({"v": 1, "type": "warning", "reason": f"no events: {reason}; pictures go on, trying again"})
                first, delays = False, self._endless()
            await asyncio.sleep(next(delays))

    async def _receive(self, address: str, ready: asyncio.Future[None]) -> tuple[bool, bool, str]:
        """Read one connection to its end; whether a message came, whether another try is useless, and why it ended."""
        received = False
        try:
            url = f"{address}?page={self._page}"
            async with connect(url, additional_headers=self._view_headers, open_timeout=CONNECT_S) as events:
                self.listening, self._event_socket = True, events
                if not ready.done():
                    ready.set_result(None)
                while True:
                    self._keep(_object(await events.recv()))
                    received = True
        except ConnectionClosed as error:
            code, reason = _close_reason(error)
            return received, code in NO_VIEW, reason
        except InvalidStatus as error:
            return received, error.response.status_code in NO_VIEW_STATUS, str(error)
        except (OSError, TimeoutError, InvalidHandshake) as error:
            return received, False, str(error) or type(error).__name__
        except ClientError as error:
            return received, True, str(error)
        finally:
            self.listening, self._event_socket = False, None

    def _keep(self, message: dict[str, Any]) -> None:
        self._newest[str(message.get("type"))] = message
        self._events.append(message)
        self._changed.set()

    def _endless(self) -> Iterator[float]:
        """Seconds before each try, without end."""
        yield from self._backoff.delays(self._jitter)
        while True:
            yield self._backoff.most_s * (0.5 + 0.5 * self._jitter())


def _close_reason(error: ConnectionClosed) -> tuple[int, str]:
    """The server's close code (0 for none) and reason."""
    code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd is not None else (0, "")
    return code, f"{reason} (code {code})" if reason else str(error)


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


async def _until_closed(socket: ClientConnection) -> None:
    """Read and drop what the server sends (nothing yet) until the connection ends; raises ConnectionClosed."""
    while True:
        await socket.recv()


def encode_jpeg(picture: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    """A (height, width, 3) uint8 RGB picture as JPEG. Raises ValueError where OpenCV cannot."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be encoded as JPEG")
    return data.tobytes()


def _address(url: str, path: str) -> str:
    """The websocket's URL for a path on the server of ``url``. Raises ClientError for another scheme."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}.get(parts.scheme.lower())
    if scheme is None or not parts.netloc:
        raise ClientError(f"{url}: is no server's address; write it as http://host:port")
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def _resolve(url: str, location: str) -> str:
    """The websocket's URL for a location that the server names: a path on the server of ``url``, or another port of its
    host (another of its processes). Raises ClientError for another host: the token is not for it."""
    if location.startswith("/"):
        return _address(url, location)
    if urlsplit(location).hostname != urlsplit(url).hostname:
        raise ClientError(f"the server names {location[:80]}, which is not on its own host")
    return _address(location, urlsplit(location).path)


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError as error:
        raise ClientError("the server sent something that is not JSON; is it another program?") from error
    return message if isinstance(message, dict) else {}
