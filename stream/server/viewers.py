"""The websocket of a session: suggestions out, commands in; and the list of what is live."""

import asyncio
import contextlib
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection

from stream.core.events import Refused
from stream.errors import MessageError

from .access import AccessOptions, refusal, require
from .hub import Hub, HubSession, Viewer
from .limits import RateLimit
from .messages import line, parse_command

DENIED = 4401
NOT_FOUND = 4404
FULL = 4503
DONE = 1000
COMMANDS, COMMANDS_PER_S = 20, 10.0  # of a viewer: at once, and a second after that
TOO_FAST = f"too many commands: {COMMANDS_PER_S:g} a second are taken, {COMMANDS} at once; wait a moment"
REASON_BYTES = 123  # what a close frame can carry (RFC 6455, section 5.5)


Listed = Callable[[HTTPConnection], list[dict[str, object]]]


def viewer_routes(hub: Hub, access: AccessOptions | None = None, listed: Listed | None = None) -> APIRouter:
    """``/api/sessions`` and ``/sessions/ID/events``. Who may only view gets every command refused; ``listed`` gives the
    list of what is live where it is not the hub's."""
    router = APIRouter()
    rights = access or AccessOptions()

    @router.get("/api/sessions", dependencies=[Depends(require(rights, "view"))])
    async def sessions(request: Request) -> dict[str, object]:
        own = [session.summary() for session in hub.sessions]
        return {"v": 1, "sessions": own if listed is None else listed(request)}

    @router.websocket("/sessions/{session_id}/events")
    async def events(socket: WebSocket, session_id: str) -> None:
        await socket.accept()
        if (reason := refusal(socket, rights, "view")) is not None:
            return await socket.close(DENIED, reason)
        no_control = refusal(socket, rights, "control")
        session = hub.find(session_id)
        if session is None:
            return await socket.close(NOT_FOUND, "no such session: it has ended, or the address is wrong")
        if len(session.viewers) >= hub.options.max_viewers:
            return await socket.close(FULL, f"{hub.options.max_viewers} viewers are watching already")
        viewer = session.join()
        try:
            await _serve(socket, session, viewer, no_control)
        finally:
            session.leave(viewer)

    return router


async def _serve(socket: WebSocket, session: HubSession, viewer: Viewer, no_control: str | None) -> None:
    """Both directions until one ends."""
    sending = asyncio.create_task(_send(socket, viewer))
    reading = asyncio.create_task(_read(socket, session, viewer, no_control))
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


async def _read(socket: WebSocket, session: HubSession, viewer: Viewer, no_control: str | None) -> None:
    """Commands until the viewer goes; one that cannot be read, or comes too fast, is answered, not punished.
    ``no_control``: why this viewer may give none."""
    clock, rate = asyncio.get_running_loop().time, RateLimit(COMMANDS, COMMANDS_PER_S)
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        too_fast = rate.wait_s("", clock()) > 0
        try:
            command = parse_command(text if text is not None else message.get("bytes") or b"")
        except MessageError as error:
            viewer.put(line(Refused("?", TOO_FAST if too_fast else str(error))), answer=True)
        else:
            if (reason := TOO_FAST if too_fast else no_control) is None:
                session.live.command(command)
            else:
                viewer.put(line(Refused(str(command["type"])[:40], reason)), answer=True)
