"""The websocket of a session: suggestions out, commands in; and the list of live sessions.

A session is named by its id, or by the key of its stream. Every client that may view may name a key; only a client that
has the key already learns whether it is in use, and where.
"""

import asyncio
import contextlib
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection

from stream.close_codes import Close, shortened
from stream.core.events import Refused
from stream.errors import MessageError
from stream.messages import line, parse_command
from stream.sinks.viewers import Viewer

from .access import AccessOptions, refusal, require
from .channel import Channel
from .hub import Hub
from .key_redirect import Redirect, no_redirect
from .limits import RateLimit

PAGE_CHARACTERS = 64
COMMANDS, COMMANDS_PER_S = 20, 10.0  # a viewer's bound: at once, and a second after that
TOO_FAST = f"too many commands: {COMMANDS_PER_S:g} a second are taken, {COMMANDS} at once; wait a moment"


SessionLister = Callable[[HTTPConnection], list[dict[str, object]]]


def viewer_routes(
    hub: Hub,
    access: AccessOptions | None = None,
    list_sessions: SessionLister | None = None,
    redirect: Redirect = no_redirect,
) -> APIRouter:
    """``/api/sessions``, ``/sessions/ID/events`` and ``/events?key=KEY``. Commands of a client that may only view are
    refused. ``list_sessions`` gives the list of live sessions where it is not the hub's; ``redirect`` gives the address
    of a key's session, if another process has it (see `key_redirect`)."""
    router = APIRouter()
    rights = access or AccessOptions()

    @router.get("/api/sessions", dependencies=[Depends(require(rights, "view"))])
    async def sessions(request: Request) -> dict[str, object]:
        own = [session.summary() for session in hub.sessions]
        return {"v": 1, "sessions": own if list_sessions is None else list_sessions(request)}

    async def attend(socket: WebSocket, session: Channel | None, missing: str) -> None:
        """Serve one viewer of a session, from its join to its end."""
        no_control = refusal(socket, rights, "control")
        if session is None:
            return await socket.close(Close.NOT_FOUND, missing)
        if len(session.viewers) >= hub.options.max_viewers:
            return await socket.close(Close.FULL, f"{hub.options.max_viewers} viewers are watching already")
        page = socket.query_params.get("page", "")[:PAGE_CHARACTERS]
        viewer = session.join(no_control is None, page)
        try:
            await _serve(socket, session, viewer, no_control)
        finally:
            session.leave(viewer)

    @router.websocket("/sessions/{session_id}/events")
    async def events(socket: WebSocket, session_id: str) -> None:
        await socket.accept()
        if (reason := refusal(socket, rights, "view")) is not None:
            return await socket.close(Close.DENIED, reason)
        return await attend(socket, hub.find(session_id), "no such session: it has ended, or the address is wrong")

    @router.websocket("/events")
    async def events_of_a_key(socket: WebSocket) -> None:
        await socket.accept()
        if (reason := refusal(socket, rights, "view")) is not None:
            return await socket.close(Close.DENIED, reason)
        key = socket.query_params.get("key", "")
        if address := redirect(key, socket):
            await socket.send_json({"v": 1, "type": "moved", "events": f"{address}/events"})
            return await socket.close(Close.MOVED, "this key's session is at another port: see the message before")
        return await attend(socket, hub.by_key(key), "no stream of this key runs; ask again in a second")

    return router


async def _serve(socket: WebSocket, session: Channel, viewer: Viewer, no_control: str | None) -> None:
    """Run both directions until one ends."""
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
    await socket.close(viewer.code, shortened(viewer.reason))


async def _read(socket: WebSocket, session: Channel, viewer: Viewer, no_control: str | None) -> None:
    """Read commands until the viewer leaves. A command that cannot be read, or comes too fast, is refused; the viewer
    stays. ``no_control``: why this viewer may send none."""
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
                session.command(viewer, command)
            else:
                viewer.put(line(Refused(str(command["type"])[:40], reason)), answer=True)
