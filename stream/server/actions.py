"""Actions by plain HTTP, for keys that can do no more than call an address: Stream Deck, Companion, hotkeys, curl.

POST needs the right to control. A browser sends it from no foreign page without its ``Origin``, which the guard judges;
a GET it does send, from any image of any page. So GET always needs a token in the address, also on a server that asks
for none, and whatever says that another page has caused it is refused.

*Bound*: 20 requests at once and 10 a second after that of each address; more are answered 429. What is refused does not
count, so that no page can use up the limit of its user's keys.
"""

import logging
import time
import weakref
from collections.abc import Callable
from math import ceil
from typing import Final

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from stream.core.commands import CommandError

from .access import REALM, AccessOptions, Right, refusal, token_of
from .channel import Channel
from .hands import ACTIONS, ActionError, Hands
from .kits import Kit, KitError, NoKitError
from .limits import RateLimit
from .now import Shelf, moved, now_of
from .pick import Pick

log = logging.getLogger(__name__)

BURST, PER_S = 20, 10.0
KIT: Final = "kit"
NAMES: Final = (*ACTIONS, KIT)
OWN: Final = ("none", "same-origin")  # Sec-Fetch-Site: typed or opened by the user, or by the server's own page
NO_TOKEN: Final = "this server has no action token; give it one with --action-token, or send POST"
FOREIGN: Final = "another page may not press keys here; open the address itself, or let a program call it"
EARLY: Final = "a browser fetched this address before anybody asked for it; nothing was done"
NO_SESSION: Final = "no stream of this key runs; start it, or leave the key out for the newest one"
NO_SESSIONS: Final = "no stream runs; start one first"


def action_routes(
    pick: Pick,
    shelf: Shelf,
    kit: Callable[[str], Kit],
    access: AccessOptions | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> APIRouter:
    """``POST`` and ``GET /actions/ACTION?key=KEY``. ``kit`` finds a kit by its name and blocks for a small file."""
    router, rights, rate = APIRouter(), access or AccessOptions(), RateLimit(BURST, PER_S)
    hands: weakref.WeakKeyDictionary[Channel, Hands] = weakref.WeakKeyDictionary()

    def hands_of(session: Channel) -> Hands:
        if session not in hands:
            hands[session] = Hands(weakref.proxy(session), clock)
        return hands[session]

    async def act(request: Request, action: str) -> Response:
        if (refused := refuse(request, rights)) is not None:
            return refused  # and takes nothing from the limit of who may
        address = "" if request.client is None else request.client.host
        if (wait_s := rate.wait_s(address, clock())) > 0:
            text = f"too many actions: {PER_S:g} a second are taken, {BURST} at once"
            return answer(429, text, {"retry-after": str(ceil(wait_s))})
        if action not in NAMES:
            return answer(404, f"there is no such action; there are {', '.join(NAMES)}")
        options = {name: value for name, value in request.query_params.items() if name not in ("key", "token")}
        key = request.query_params.get("key", "")
        if elsewhere := pick.elsewhere(key, request):
            return moved(elsewhere, request)
        try:
            found = await anyio.to_thread.run_sync(kit, options.get("name", "")) if action == KIT else {}
            if (session := pick.session(key)) is None:
                return answer(404, NO_SESSION if key else NO_SESSIONS)
            keys = hands_of(session)
            changed = keys.apply(found) if action == KIT else keys.do(action, options)
        except ActionError as error:
            return answer(400, str(error))
        except NoKitError as error:
            return answer(404, str(error))
        except (CommandError, KitError) as error:
            return answer(409, str(error))
        log.info("action %s: %s", action, "done" if changed else "nothing to change")
        said = {"v": 1, "action": action, "changed": changed, "now": now_of(session, shelf)}
        return JSONResponse(said, headers={"cache-control": "no-store"})

    @router.post("/actions/{action}")
    async def post(request: Request, action: str) -> Response:
        return await act(request, action)

    @router.get("/actions/{action}")
    async def get(request: Request, action: str) -> Response:
        return await act(request, action)

    return router


def refuse(request: Request, access: AccessOptions) -> Response | None:
    """The answer to a request that may not act, None for one that may."""
    token = token_of(request)
    if request.method == "POST":
        rights: tuple[Right, ...] = ("view", "control")  # a server may ask for a token to view alone
        refusals = (refusal(request, access, right) for right in rights)
        reason = None if access.acts(token) else next(filter(None, refusals), None)
        return None if reason is None else answer(401, reason, {"www-authenticate": REALM})
    if request.headers.get("sec-fetch-site", OWN[0]).lower() not in OWN:
        return answer(403, FOREIGN)
    if any("prefetch" in request.headers.get(name, "").lower() for name in ("sec-purpose", "purpose", "x-moz")):
        return answer(403, EARLY)
    if access.acts(token):
        return None
    if not access.action and not access.control:
        return answer(403, NO_TOKEN)
    reason = "this token may not act" if token else "a token is needed to act by GET: add token=TOKEN to the address"
    return answer(401, reason, {"www-authenticate": REALM})


def answer(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"v": 1, "error": text}, status, {"cache-control": "no-store", **(headers or {})})
