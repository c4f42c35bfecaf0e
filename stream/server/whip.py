"""WHIP (RFC 9725): a publisher posts an SDP offer and gets the answer; its resource is deleted to stop.

The answer's ``Segue-Events`` header names the websocket on which the suggestions come. (A ``Link`` header would be the
natural place, but publishers read each one as an ICE server.)
"""

from typing import Final
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from stream.sources.webrtc import OfferError, UnusableOfferError

from .address import resolved
from .errors import BusyError
from .hub import Hub
from .security import EVENTS, WHIP_METHODS, cors_headers

SDP: Final = "application/sdp"
OFFER_BYTES: Final = 64 * 1024
RETRY_AFTER_S: Final = 5


def whip_routes(hub: Hub, base_url: str = "") -> APIRouter:
    """The routes under ``/whip``; ``base_url`` (see `address.resolved`) stands before the addresses of a session."""
    router = APIRouter()

    def say(request: Request, status: int, text: str = "", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return PlainTextResponse(text, status, {**cors_headers(request.headers.get("origin")), **named})

    @router.post("/whip")
    async def publish(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != SDP:
            return say(
                request, 415, f"the body's type is {kind or 'missing'}; post an SDP offer as {SDP}", Accept_Post=SDP
            )
        body = await _limited_body(request)
        if body is None:
            return say(request, 413, f"an offer of more than {OFFER_BYTES} bytes is not read")
        try:
            offer = body.decode("utf-8")
        except UnicodeDecodeError:
            return say(request, 400, "the body is not SDP: it is not text in UTF-8")
        try:
            session, answer = await hub.open(offer, unquote(request.query_params.get("label", "WHIP")))
        except BusyError as error:
            return say(request, 503, str(error), Retry_After=str(RETRY_AFTER_S))
        except UnusableOfferError as error:
            return say(request, 422, str(error))
        except OfferError as error:
            return say(request, 400, str(error))
        base = resolved(base_url, request)
        return Response(
            answer,
            201,
            {
                **cors_headers(request.headers.get("origin")),
                "Location": f"{base}/whip/{session.secret}",
                EVENTS: f"{base}/sessions/{session.id}/events",
                "ETag": f'"{session.id}"',
            },
            media_type=SDP,
        )

    @router.delete("/whip/{secret}")
    async def stop(secret: str, request: Request) -> Response:
        session = hub.by_secret(secret)
        if session is None:
            return say(request, 404, "no such session: it has ended, or the address is wrong")
        await hub.end(session, "the publisher stopped")
        return say(request, 200, "stopped")

    @router.patch("/whip/{secret}")
    async def trickle(secret: str, request: Request) -> Response:
        return say(
            request, 405, "candidates are not trickled here: put them all into the offer", Allow="DELETE, OPTIONS"
        )

    @router.options("/whip")
    @router.options("/whip/{secret}")
    async def allowed(request: Request, secret: str = "") -> Response:
        return say(request, 204, Accept_Post=SDP, Allow=WHIP_METHODS)

    return router


async def _limited_body(request: Request) -> bytes | None:
    """The body, or None as soon as it is known to be too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > OFFER_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)
