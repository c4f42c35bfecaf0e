"""WHIP (RFC 9725): a publisher posts an SDP offer and gets the answer; its resource takes more candidates (PATCH) and
is deleted to stop.

The answer's ``Segue-Events`` header names the websocket with the suggestions. (A ``Link`` header would be the natural
place, but publishers read each one as an ICE server.) A stream key, ``?key=``, names the stream: a publisher that posts
again with the same key takes over its session, and the viewers' wishes stay in effect.
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

from stream.sources.ended import STOPPED
from stream.sources.webrtc.offer import OfferError, UnusableOfferError
from stream.sources.webrtc.peer import RestartError, WebRtcPeer
from stream.sources.webrtc.trickle import FRAGMENT, FRAGMENT_BYTES, FragmentError, read_fragment

from .access import REALM, AccessOptions, Right, refusal
from .address import resolved
from .channel import KEY_CHARACTERS
from .errors import RETRY_AFTER_S, BusyError
from .hub import Hub
from .inputs import Input
from .key_redirect import Redirect, no_redirect
from .limits import RateLimit
from .security import EVENTS, WHIP_METHODS, cors_headers, is_loopback

log = logging.getLogger(__name__)

SDP: Final = "application/sdp"
OFFER_BYTES: Final = 64 * 1024
BODY_S: Final = 10.0  # for a whole body, however slowly it drips


@dataclass(frozen=True)
class WhipOptions:
    """``ice_servers``: sent to publishers (``stun:host:port``, ``turn:...``). ``burst`` offers at once from an address,
    then ``per_s`` a second; 0: no limit. This machine's own addresses have no limit."""

    ice_servers: tuple[str, ...] = ()
    burst: int = 20
    per_s: float = 1.0


def whip_routes(
    hub: Hub,
    access: AccessOptions | None = None,
    options: WhipOptions | None = None,
    base_url: str = "",
    redirect: Redirect = no_redirect,
) -> APIRouter:
    """The routes under ``/whip``. ``base_url`` goes before the paths in answers: empty, or the address of the one
    process that has the session (see `address.resolved`); ``redirect`` gives the address of a key's session, if another
    process has it (see `key_redirect`)."""
    router = APIRouter()
    access, options = access or AccessOptions(), options or WhipOptions()
    offers = RateLimit(options.burst, options.per_s)

    def respond(request: Request, status: int, text: str = "", **headers: str) -> Response:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return PlainTextResponse(text, status, {**cors_headers(request.headers.get("origin")), **extra})

    def refuse(request: Request, right: Right) -> Response | None:
        reason = refusal(request, access, right)
        return None if reason is None else respond(request, 401, reason, WWW_Authenticate=REALM)

    def links() -> dict[str, str]:
        value = ", ".join(f'<{server}>; rel="ice-server"' for server in options.ice_servers)
        return {"Link": value} if value else {}

    @router.post("/whip")
    async def publish(request: Request) -> Response:
        if (answer := refuse(request, "publish")) is not None:
            return answer
        key = request.query_params.get("key", "")
        if target := redirect(key, request):  # RFC 9725 has clients follow, and 307 keeps a POST a POST
            return respond(
                request, 307, "this key's session is at another port", Location=f"{target}{path_of(request)}"
            )
        address = request.client.host if request.client else ""
        wait_s = 0.0 if is_loopback(address) else offers.wait_s(address, time.monotonic())
        if wait_s > 0:
            return respond(request, 429, "too many offers from this address", Retry_After=str(math.ceil(wait_s)))
        if (kind := content_type(request)) != SDP:
            return respond(
                request, 415, f"the body's type is {kind or 'missing'}; post an SDP offer as {SDP}", Accept_Post=SDP
            )
        body = await limited_body(request, OFFER_BYTES)
        if body is None:
            return respond(request, 413, f"the offer is longer than {OFFER_BYTES} bytes; post a shorter one")
        if len(key) > KEY_CHARACTERS:
            return respond(request, 400, f"the key has {len(key)} characters; use at most {KEY_CHARACTERS}")
        label = unquote(request.query_params.get("label", "WHIP"))
        try:
            offer = body.decode("utf-8")
        except UnicodeDecodeError:
            return respond(request, 400, "the body is not SDP: it is not text in UTF-8")
        try:
            source, sdp = await hub.open(offer, label, key, reached_by(request))
        except BusyError as error:
            return respond(request, 503, str(error), Retry_After=str(RETRY_AFTER_S))
        except OfferError as error:
            log.info("an offer was refused: %s", " ".join(str(error).split()))
            return respond(request, 422 if isinstance(error, UnusableOfferError) else 400, str(error))
        base = resolved(base_url, request)
        headers = {
            **cors_headers(request.headers.get("origin")),
            **links(),
            "Location": f"{base}/whip/{source.secret}",
            EVENTS: f"{base}/sessions/{source.id}/events",
            "ETag": etag(source),
        }
        return Response(sdp, 201, headers, media_type=SDP)

    @router.delete("/whip/{secret}")
    async def stop(secret: str, request: Request) -> Response:
        source = hub.by_secret(secret)
        if source is None:
            return respond(request, 404, "no such session: it has ended, or the address is wrong")
        await hub.stop(source, STOPPED)
        return respond(request, 200, "stopped")

    @router.patch("/whip/{secret}")
    async def trickle(secret: str, request: Request) -> Response:
        source = hub.by_secret(secret)
        if source is None:
            return respond(request, 404, "no such session: it has ended, or the address is wrong")
        if (kind := content_type(request)) != FRAGMENT:
            return respond(
                request, 415, f"the body's type is {kind or 'missing'}; send {FRAGMENT}", Accept_Patch=FRAGMENT
            )
        if_match = request.headers.get("if-match")
        if if_match is None:
            return respond(request, 428, "If-Match is missing: send the ETag that came with the answer")
        if if_match.strip() == "*":
            return respond(
                request, 422, "ICE cannot be restarted here: post a new offer, with ?key= the session goes on"
            )
        if etag(source) not in [tag.strip() for tag in if_match.split(",")]:
            return respond(request, 412, "If-Match names another ICE session")
        body = await limited_body(request, FRAGMENT_BYTES)
        if body is None:
            return respond(request, 413, f"the fragment is longer than {FRAGMENT_BYTES} bytes; send a shorter one")
        try:
            fragment = read_fragment(body.decode("utf-8"))
            if isinstance(source.publisher, WebRtcPeer):
                await source.publisher.trickle(fragment)
        except (FragmentError, UnicodeDecodeError) as error:
            return respond(request, 400, str(error))
        except RestartError as error:
            return respond(request, 422, str(error))
        return Response(status_code=204, headers=cors_headers(request.headers.get("origin")))

    @router.api_route("/whip", methods=["GET", "HEAD"])
    async def nothing(request: Request) -> Response:
        """A GET has no content and no effect."""
        return Response(status_code=204, headers={**cors_headers(request.headers.get("origin")), "Accept-Post": SDP})

    @router.api_route("/whip/{secret}", methods=["GET", "HEAD"])
    async def nothing_of_a_session(secret: str, request: Request) -> Response:
        if hub.by_secret(secret) is None:
            return respond(request, 404, "no such session: it has ended, or the address is wrong")
        return Response(status_code=204, headers=cors_headers(request.headers.get("origin")))

    @router.options("/whip")
    @router.options("/whip/{secret}")
    async def allowed(request: Request, secret: str = "") -> Response:
        headers = {**cors_headers(request.headers.get("origin")), **links()}
        headers |= {"Accept-Post": SDP, "Accept-Patch": FRAGMENT, "Allow": WHIP_METHODS}
        return Response(status_code=204, headers=headers)

    return router


def etag(source: Input) -> str:
    """The tag of the publisher's ICE session; it reveals nothing of the secret."""
    return f'"{source.id}-{source.number}"'


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def path_of(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def reached_by(request: Request) -> str:
    """The server's address at which the request arrived."""
    server: Sequence[object] | None = request.scope.get("server")
    return str(server[0]) if server else ""


async def limited_body(request: Request, most: int) -> bytes | None:
    """The body, or None as soon as it is known to be too large.

    Raises HTTPException (408) for a body that takes longer than `BODY_S`, and for a client that leaves before its end,
    which does not get the answer.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    return None
                parts.append(part)
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {BODY_S:g} s", {"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise HTTPException(408, "the client left before the end of the body") from error
    return b"".join(parts)
