"""The websocket of a session: suggestions out, commands in; and the list of what is live."""

import asyncio
import contextlib
from collections.abc import Callable

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection

from stream.core.events import Refused
from stream.errors import MessageError

from .hub import Hub, HubSession, Viewer
from .messages import line, parse_command

NOT_FOUND = 4404
FULL = 4503
DONE = 1000
REASON_BYTES = 123  # what a close frame can carry (RFC 6455, section 5.5)


Listed = Callable[[HTTPConnection], list[dict[str, object]]]


def viewer_routes(hub: Hub, listed: Listed | None = None) -> APIRouter:
    """``/api/sessions`` and ``/sessions/ID/events``; ``listed`` gives the former's list where it is not the hub's."""
    router = APIRouter()

    @router.get("/api/sessions")
    async def sessions(request: Request) -> dict[str, object]:
        own = [session.summary() for session in hub.sessions]
        return {"v": 1, "sessions": own if listed is None else listed(request)}

    @router.websocket("/sessions/{session_id}/events")
    async def events(socket: WebSocket, session_id: str) -> None:
        await socket.accept()
        session = hub.find(session_id)
        if session is None:
            return await socket.close(NOT_FOUND, "no such session: it has ended, or the address is wrong")
        if len(session.viewers) >= hub.options.max_viewers:
            return await socket.close(FULL, f"{hub.options.max_viewers} viewers are watching already")
        viewer = session.join()
        try:
            await _serve(socket, session, viewer)
        finally:
            session.leave(viewer)

    return router


async def _serve(socket: WebSocket, session: HubSession, viewer: Viewer) -> None:
    """Both directions until one ends."""
    sending = asyncio.create_task(_send(socket, viewer))
    reading = asyncio.create_task(_read(socket, session, viewer))
    try:
        await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, reading):
            task.cancel()
        for task in (sending, reading):
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError, OSError):
                await task


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    while (text := await viewer.next()) is not None:
        await socket.send_text(text)
    await socket.close(DONE, viewer.reason.encode()[:REASON_BYTES].decode(errors="ignore"))


async def _read(socket: WebSocket, session: HubSession, viewer: Viewer) -> None:
    """Commands until the viewer goes; one that cannot be read is answered, not punished."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        try:
            command = parse_command(text if text is not None else message.get("bytes") or b"")
        except MessageError as error:
            viewer.put(line(Refused("?", str(error))))
        else:
            session.live.command(command)
