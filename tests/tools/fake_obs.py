"""An OBS without OBS: a server that speaks obs-websocket 5, whose answers and faults a test decides.

    async with FakeObs(password="secret") as obs:      # obs.url, obs.address
        obs.handlers["GetSceneList"] = lambda data: {"scenes": []}
        obs.event("StudioModeStateChanged", {"studioModeEnabled": True})
        await obs.close(1001, "Server stopping.")       # what is connected; `stop` closes the port too

A handler takes the request's data and returns the answer's, or raises `RefusedError`; it may be a coroutine function.
"""

import asyncio
import base64
import contextlib
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Handler = Callable[[Mapping[str, Any]], Any]
SALT, CHALLENGE = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=", "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY="


class RefusedError(Exception):
    """What a handler raises to answer with a failure."""

    def __init__(self, code: int, comment: str = "") -> None:
        super().__init__(comment)
        self.code, self.comment = code, comment


class FakeObs:
    """``password`` "": none is asked for. ``manner``: "usual"; "silent" says nothing at all; "old" speaks
    obs-websocket 4; "strange" says hello in another language. ``asked``: every request so far, (kind, data)."""

    def __init__(self, password: str = "", manner: str = "usual", rpc: int = 1) -> None:
        self.password, self.manner, self.rpc = password, manner, rpc
        self.handlers: dict[str, Handler] = {"GetVersion": self._version}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.subscriptions = 0
        self.connections = 0
        self.lines: set[ServerConnection] = set()
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, after `stop` at the same port again."""
        self._server = await serve(self._serve, "127.0.0.1", self.port, compression=None, close_timeout=0.2)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, code: int = 1001) -> None:
        """Stop as OBS does when it quits."""
        if self._server is not None:
            await self.close(code, "Server stopping.")
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def close(self, code: int = 1001, reason: str = "") -> None:
        """Close what is connected, with this code."""
        await asyncio.gather(*(line.close(code, reason) for line in list(self.lines)))

    def kill(self) -> None:
        """Break off what is connected, without a word."""
        for line in list(self.lines):
            line.transport.abort()

    def event(self, kind: str, data: Mapping[str, Any] | None = None, intent: int = 1) -> None:
        """Tell everybody who is connected."""
        body = {"op": 5, "d": {"eventType": kind, "eventIntent": intent, "eventData": dict(data or {})}}
        for line in list(self.lines):
            asyncio.get_running_loop().create_task(self._say(line, body))

    def kinds(self) -> list[str]:
        """The kinds of the requests so far."""
        return [kind for kind, _ in self.asked]

    def _version(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "obsVersion": "29.0.2",
            "obsWebSocketVersion": "5.1.0",
            "rpcVersion": self.rpc,
            "availableRequests": sorted(self.handlers),
        }

    async def _say(self, line: ServerConnection, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(ConnectionClosed):
            await line.send(json.dumps(message))

    async def _serve(self, line: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            if self.manner == "silent":
                return await line.wait_closed()
            if self.manner == "old":
                asked = json.loads(await line.recv())
                await self._say(line, {"message-id": asked["message-id"], "status": "ok", "version": 1.1})
                return await line.wait_closed()
            if self.manner == "strange":
                await line.send("guten Tag")
                return await line.wait_closed()
            if await self._identified(line):
                self.lines.add(line)
                self.connections += 1
                await self._answer_all(line)
        self.lines.discard(line)
        return None

    async def _identified(self, line: ServerConnection) -> bool:
        hello: dict[str, Any] = {"obsWebSocketVersion": "5.1.0", "rpcVersion": self.rpc}
        if self.password:
            hello["authentication"] = {"challenge": CHALLENGE, "salt": SALT}
        await self._say(line, {"op": 0, "d": hello})
        identify = json.loads(await line.recv())["d"]
        self.subscriptions = identify["eventSubscriptions"]
        if identify["rpcVersion"] != self.rpc:
            await line.close(4010, "Your requested RPC version is not supported by this server.")
            return False
        if self.password:
            secret = base64.b64encode(hashlib.sha256((self.password + SALT).encode()).digest()).decode()
            proof = base64.b64encode(hashlib.sha256((secret + CHALLENGE).encode()).digest()).decode()
            if identify.get("authentication") != proof:
                await line.close(4009, "Authentication failed.")
                return False
        await self._say(line, {"op": 2, "d": {"negotiatedRpcVersion": self.rpc}})
        return True

    async def _answer_all(self, line: ServerConnection) -> None:
        tasks = set[asyncio.Task[None]]()
        try:
            async for text in line:
                task = asyncio.create_task(self._answer(line, json.loads(text)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()

    async def _answer(self, line: ServerConnection, message: Mapping[str, Any]) -> None:
        body = message["d"]
        if message["op"] == 6:
            await self._say(line, {"op": 7, "d": {"requestId": body["requestId"], **await self._carry_out(body)}})
        elif message["op"] == 8:
            results: list[dict[str, Any]] = []
            for request in body["requests"]:
                results.append(await self._carry_out(request))
                if body.get("haltOnFailure") and not results[-1]["requestStatus"]["result"]:
                    break
            await self._say(line, {"op": 9, "d": {"requestId": body["requestId"], "results": results}})

    async def _carry_out(self, request: Mapping[str, Any]) -> dict[str, Any]:
        kind, data = request["requestType"], request.get("requestData") or {}
        self.asked.append((kind, data))
        try:
            if kind not in self.handlers:
                raise RefusedError(204, "Your request type is not valid.")
            answer = self.handlers[kind](data)
            if inspect.isawaitable(answer):
                answer = await answer
        except RefusedError as refusal:
            status = {"result": False, "code": refusal.code, "comment": refusal.comment}
            return {"requestType": kind, "requestStatus": status}
        done = {"requestType": kind, "requestStatus": {"result": True, "code": 100}}
        return done if answer is None else {**done, "responseData": answer}
