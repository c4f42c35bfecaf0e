"""A client of obs-websocket 5 that comes back: OBS's own protocol in JSON
(https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md).

A lost connection fails what waits for an answer at once, and is made again after growing delays, without end. Only what
no second try can mend ends the client: a wrong or missing password, and a protocol that is too old.

*Bounds*: ``MAX_WAITING`` requests at a time, messages of ``MESSAGE_BYTES``. Events are handed on as they are read; of
what is not read yet the websocket holds 16 messages, and OBS the rest.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import IntFlag
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from stream.sources.pull.reconnect import Backoff

from .address import ENVIRONMENT, ObsAddress
from .errors import ObsError, ObsGoneError, ObsRequestError, ObsSlowError

log = logging.getLogger(__name__)

RPC: Final = 1
MAX_WAITING: Final = 64  # requests whose answers are to come
MESSAGE_BYTES: Final = 8 * 1024 * 1024
CONNECT_S: Final = 5.0  # to connect, to say hello, and to identify, each
REQUEST_S: Final = 5.0
CLOSE_S: Final = 1.0
GIVEN_UP: Final = "OBS does not answer"
WRONG_PASSWORD: Final = 4009
NOT_READY: Final = 207  # it is starting, or changes its collection of scenes
ASK_AGAIN_S: Final = 0.2
OLD_PROTOCOL: Final = frozenset({4006, 4010})  # unknown opcode, unsupported RPC version
OLD: Final = "speaks an older protocol than obs-websocket 5; OBS 28 and later bring that one along"
WHERE: Final = "OBS: Tools, WebSocket Server Settings"
BACKOFF: Final = Backoff(first_s=0.25, factor=2.0, most_s=5.0, tries=6)

OnEvent = Callable[[str, Mapping[str, Any]], None]


class Op:
    """The kinds of messages."""

    HELLO, IDENTIFY, IDENTIFIED, EVENT, REQUEST, RESPONSE, BATCH, BATCH_RESPONSE = 0, 1, 2, 5, 6, 7, 8, 9


class Subscription(IntFlag):
    """The kinds of events that may be asked for."""

    GENERAL = 1
    CONFIG = 1 << 1
    SCENES = 1 << 2
    INPUTS = 1 << 3
    TRANSITIONS = 1 << 4
    FILTERS = 1 << 5
    OUTPUTS = 1 << 6
    SCENE_ITEMS = 1 << 7
    MEDIA_INPUTS = 1 << 8
    UI = 1 << 10
    INPUT_VOLUME_METERS = 1 << 16  # some 19 a second


USUAL: Final = (
    Subscription.GENERAL
    | Subscription.CONFIG
    | Subscription.SCENES
    | Subscription.TRANSITIONS
    | Subscription.OUTPUTS
    | Subscription.MEDIA_INPUTS
    | Subscription.UI
)


def authentication(password: str, salt: str, challenge: str) -> str:
    """The proof that one knows the password, as obs-websocket 5 wants it."""
    secret = base64.b64encode(hashlib.sha256((password + salt).encode()).digest()).decode()
    return base64.b64encode(hashlib.sha256((secret + challenge).encode()).digest()).decode()


class ObsClient:
    """One connection to OBS that comes back. Everything here belongs to one event loop.

    ``on_event(kind, data)``: each event, in order; it must not block. ``on_connected(client)``: after each connecting,
    as a task beside the reading, so that it may ask; cancelled when the connection is lost. ``on_lost(reason)``: a
    connection that was there is gone. ``on_absent(reason)``: a try to connect failed. An exception in one of them is
    logged and does no more harm. ``subscriptions``: of events, see `Subscription`.

    ``available``: the requests that this OBS knows. ``version``: its own and obs-websocket's, in words. ``trouble``:
    why there is no connection, "" while there is one.
    """

    def __init__(
        self,
        address: ObsAddress,
        *,
        on_event: OnEvent,
        on_connected: Callable[["ObsClient"], Awaitable[None]],
        on_lost: Callable[[str], None],
        on_absent: Callable[[str], None] = lambda reason: None,
        subscriptions: int = USUAL,
        backoff: Backoff = BACKOFF,
        jitter: Callable[[], float] = random.random,
        connect_s: float = CONNECT_S,
    ) -> None:
        self.address = address
        self.available: frozenset[str] = frozenset()
        self.version = ""
        self.trouble = "not connected yet"
        self.connections = 0
        self._on_event, self._on_connected = on_event, on_connected
        self._on_lost, self._on_absent = on_lost, on_absent
        self._subscriptions = int(subscriptions)
        self._backoff, self._jitter, self._connect_s = backoff, jitter, connect_s
        self._socket: ClientConnection | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0

    @property
    def connected(self) -> bool:
        """Requests may be made."""
        return self._socket is not None and not self.trouble

    def subscribe(self, subscriptions: int) -> None:
        """Ask for these events too, from the next connection on."""
        self._subscriptions |= int(subscriptions)

    async def run(self) -> None:
        """Connect, serve, and connect anew, until cancelled. Raises ObsError where no second try would help."""
        delays = self._delays()
        while True:
            try:
                await self._serve()
            except ObsError as error:
                was_connected, self.trouble = not self.trouble, str(error)
                if was_connected:
                    delays = self._delays()
                    self._tell(self._on_lost, str(error))
                if not isinstance(error, ObsGoneError):
                    raise
                if not was_connected:
                    self._tell(self._on_absent, str(error))
            await asyncio.sleep(next(delays))

    async def request(
        self, kind: str, data: Mapping[str, Any] | None = None, timeout_s: float = REQUEST_S
    ) -> dict[str, Any]:
        """The answer's data to one request.

        Raises ObsRequestError where OBS refuses, ObsGoneError at once where there is no connection or it is lost,
        ObsSlowError where no answer comes in time. An OBS that is not ready yet is asked again until then.
        """
        body: dict[str, Any] = {"requestType": kind}
        if data is not None:
            body["requestData"] = dict(data)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        refused: ObsRequestError | None = None
        while True:
            try:
                return _result(await self._ask(Op.REQUEST, body, kind, max(0.0, until_s - loop.time())), kind)
            except ObsRequestError as error:
                if error.code != NOT_READY or loop.time() + ASK_AGAIN_S >= until_s:
                    raise
                refused = error
            except ObsSlowError:
                if refused is None:
                    raise
                raise refused from None  # it has answered, and was not ready until the end
            await asyncio.sleep(ASK_AGAIN_S)

    async def batch(
        self,
        requests: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        halt_on_failure: bool = False,
        timeout_s: float = REQUEST_S,
    ) -> list[dict[str, Any] | ObsRequestError]:
        """The answers' data to requests that OBS carries out one after another, refusals among them; shorter where
        ``halt_on_failure`` and one is refused. Raises as `request` does, but for refusals."""
        body = {
            "haltOnFailure": halt_on_failure,
            "executionType": 0,  # serial, as fast as may be
            "requests": [{"requestType": kind, "requestData": dict(data)} for kind, data in requests],
        }
        answer = await self._ask(Op.BATCH, body, f"a batch of {len(requests)}", timeout_s)
        results: list[dict[str, Any] | ObsRequestError] = []
        for (kind, _), result in zip(requests, answer.get("results") or [], strict=False):
            try:
                results.append(_result(result, kind))
            except ObsRequestError as error:
                results.append(error)
        return results

    async def _ask(self, op: int, body: dict[str, Any], what: str, timeout_s: float) -> dict[str, Any]:
        """The body of the answer to a message with this body."""
        line = self._socket
        if line is None:
            raise ObsGoneError(f"{self.address}: OBS is not connected, so {what} was not asked ({self.trouble})")
        if len(self._waiting) >= MAX_WAITING:
            raise ObsSlowError(f"{self.address}: {what} was not asked, {MAX_WAITING} requests wait for OBS already")
        self._number += 1
        name = str(self._number)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[name] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await line.send(json.dumps({"op": op, "d": {**body, "requestId": name}}))
                return await answer
        except TimeoutError:
            raise ObsSlowError(f"{self.address}: no answer to {what} within {timeout_s:.3g} s") from None
        except ConnectionClosed as error:
            raise ObsGoneError(f"{self.address}: {_closed(error)[1]}") from error
        finally:
            self._waiting.pop(name, None)

    async def _serve(self) -> None:
        """One connection, from connecting to its end. Raises ObsError: ObsGoneError where another try may help."""
        task: asyncio.Task[None] | None = None
        try:
            async with self._open() as line:
                await self._identify(line)
                self._socket = line
                task = asyncio.create_task(self._begin(line))
                while True:
                    self._take(_message(self.address, await line.recv()))
        except ConnectionClosed as error:
            raise self._why(*_closed(error)) from error
        except TimeoutError as error:
            raise ObsGoneError(f"{self.address}: OBS does not answer within {self._connect_s:g} s") from error
        except InvalidMessage as error:
            raise ObsGoneError(f"{self.address}: what listens there is no websocket; is it OBS's port?") from error
        except InvalidHandshake as error:
            raise ObsGoneError(f"{self.address}: another program answers there ({error})") from error
        except OSError as error:
            cause = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
            cure = f"is OBS running, and the server on in {WHERE}?"
            raise ObsGoneError(f"{self.address}: OBS is not there ({cause}); {cure}") from error
        finally:
            self._socket = None
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            gone = ObsGoneError(f"{self.address}: the connection to OBS is lost")
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(gone)

    @contextlib.asynccontextmanager
    async def _open(self) -> Any:
        """A connection; through no proxy: OBS is near."""
        async with asyncio.timeout(self._connect_s):
            plain = await _connected_socket(self.address.host, self.address.port)
        try:
            line = connect(
                str(self.address),
                sock=plain,
                open_timeout=self._connect_s,
                close_timeout=CLOSE_S,
                compression=None,
                max_size=MESSAGE_BYTES,
            )
            async with line as opened:
                yield opened
        finally:
            plain.close()

    async def _identify(self, line: ClientConnection) -> None:
        """Say who we are. Raises ObsError, ConnectionClosed, TimeoutError."""
        try:
            async with asyncio.timeout(self._connect_s):
                hello = _body(self.address, _message(self.address, await line.recv()), Op.HELLO)
        except TimeoutError:
            raise await self._silent(line) from None
        rpc = hello.get("rpcVersion")
        if not isinstance(rpc, int) or rpc < RPC:
            raise ObsError(f"{self.address}: {OLD}")
        identify: dict[str, Any] = {"rpcVersion": RPC, "eventSubscriptions": self._subscriptions}
        if isinstance(demand := hello.get("authentication"), dict):
            if not self.address.password:
                raise ObsError(
                    f"{self.address}: OBS asks for a password ({WHERE}, Show Connect Info); "
                    f"give it in {ENVIRONMENT} or with --obs-password-file"
                )
            salt, challenge = str(demand.get("salt")), str(demand.get("challenge"))
            identify["authentication"] = authentication(self.address.password, salt, challenge)
        await line.send(json.dumps({"op": Op.IDENTIFY, "d": identify}))
        async with asyncio.timeout(self._connect_s):
            _body(self.address, _message(self.address, await line.recv()), Op.IDENTIFIED)

    async def _silent(self, line: ClientConnection) -> ObsError:
        """Why nobody says hello: obs-websocket 4 waits to be asked."""
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            await line.send(json.dumps({"request-type": "GetVersion", "message-id": "1"}))
            async with asyncio.timeout(self._connect_s):
                if "message-id" in _message(self.address, await line.recv()):
                    return ObsError(f"{self.address}: {OLD}")
        return ObsGoneError(f"{self.address}: what listens there does not say hello; is it OBS's port?")

    async def _begin(self, line: ClientConnection) -> None:
        """Ask for the version, then let the owner do its part. Where OBS does not answer, the connection is given up:
        whoever was not told of it would wait for ever."""
        try:
            version = await self.request("GetVersion")
        except ObsRequestError as error:
            log.warning("%s: %s", self.address, error)
            version = {}
        except ObsGoneError as error:
            return await self._give_up(line, error)
        self.available = frozenset(map(str, version.get("availableRequests") or ()))
        self.version = f"OBS {version.get('obsVersion')}, obs-websocket {version.get('obsWebSocketVersion')}"
        self.trouble = ""
        self.connections += 1
        try:
            await self._on_connected(self)
        except ObsGoneError as error:
            log.info("%s", error)
            await self._give_up(line, error)
        except Exception:
            log.exception("what is done once OBS is connected failed")
        return None

    async def _give_up(self, line: ClientConnection, error: ObsGoneError) -> None:
        """Leave a connection that is there and of no use; the reading tells why one is not there."""
        if isinstance(error, ObsSlowError):
            await line.close(reason=GIVEN_UP)

    def _take(self, message: Mapping[str, Any]) -> None:
        body = message.get("d")
        if not isinstance(body, dict):
            return
        if message.get("op") == Op.EVENT:
            data = body.get("eventData")
            self._tell(self._on_event, str(body.get("eventType")), data if isinstance(data, dict) else {})
        elif message.get("op") in (Op.RESPONSE, Op.BATCH_RESPONSE):
            answer = self._waiting.get(str(body.get("requestId")))
            if answer is not None and not answer.done():
                answer.set_result(body)

    def _why(self, code: int, text: str) -> ObsError:
        """What a close code of OBS means for us."""
        if code == WRONG_PASSWORD:
            cure = f"compare it with {WHERE}, Show Connect Info"
            return ObsError(f"{self.address}: OBS says that the password is wrong; {cure}")
        if code in OLD_PROTOCOL:
            return ObsError(f"{self.address}: {OLD}")
        return ObsGoneError(f"{self.address}: {text}")

    def _tell(self, listener: Callable[..., None], *words: Any) -> None:
        try:
            listener(*words)
        except Exception:
            log.exception("a listener to OBS failed")

    def _delays(self) -> Iterator[float]:
        """Seconds before each try, without end."""
        yield from self._backoff.delays(self._jitter)
        while True:
            yield self._backoff.most_s * (0.5 + 0.5 * self._jitter())


async def _connected_socket(host: str, port: int) -> socket.socket:
    """A socket that is connected to the first of the host's addresses that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        plain = socket.socket(family, kind, protocol)
        plain.setblocking(False)
        try:
            await loop.sock_connect(plain, address)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    raise failure


def _message(where: ObsAddress, text: str | bytes) -> dict[str, Any]:
    """A message, or an empty one for what is none. Raises ObsGoneError where it is no JSON."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ObsGoneError(f"{where}: what listens there does not speak JSON; is it OBS's port?") from error
    return message if isinstance(message, dict) else {}


def _body(where: ObsAddress, message: Mapping[str, Any], op: int) -> dict[str, Any]:
    """The body of a message that must be of this kind. Raises ObsGoneError."""
    body = message.get("d")
    if message.get("op") != op or not isinstance(body, dict):
        raise ObsGoneError(f"{where}: what listens there answers with {str(message)[:60]!r}; is it OBS's port?")
    return body


def _result(answer: Any, kind: str) -> dict[str, Any]:
    """The data in an answer. Raises ObsRequestError where it is a refusal."""
    status = answer.get("requestStatus") if isinstance(answer, dict) else None
    if not isinstance(status, dict) or status.get("result") is not True:
        code = status.get("code") if isinstance(status, dict) else None
        comment = status.get("comment") if isinstance(status, dict) else "an answer without a status"
        raise ObsRequestError(kind, code if isinstance(code, int) else 0, str(comment or ""))
    data = answer.get("responseData")
    return data if isinstance(data, dict) else {}


def _closed(error: ConnectionClosed) -> tuple[int, str]:
    """OBS's close code (0 for none) and what happened in words."""
    if error.sent is not None and error.sent.reason == GIVEN_UP:
        return 0, GIVEN_UP
    if error.rcvd is None:
        return 0, "the connection to OBS broke off"
    reason = f" ({error.rcvd.reason})" if error.rcvd.reason else ""
    return error.rcvd.code, f"OBS closed the connection with code {error.rcvd.code}{reason}"
