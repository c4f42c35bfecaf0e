"""Who may publish, view and control: three secrets, each for one thing. An empty one asks for nothing.

A token comes as ``Authorization: Bearer TOKEN`` (RFC 6750); where a client can set no headers, as browsers' websockets
cannot, as the query's ``token``. Control counts as view.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import HTTPException, Request
from starlette.requests import HTTPConnection

Right = Literal["publish", "view", "control"]
REALM: Final = 'Bearer realm="segue"'


@dataclass(frozen=True, repr=False)
class AccessOptions:
    """The tokens. Never printed: ``repr`` tells only which are set."""

    publish: str = ""
    view: str = ""
    control: str = ""

    def __repr__(self) -> str:
        told = {name: "set" if getattr(self, name) else "open" for name in ("publish", "view", "control")}
        return f"AccessOptions({told})"

    @property
    def lack(self) -> str:
        """What is left open that its owner may think is closed; nothing otherwise."""
        if self.view and not self.control:
            return "whoever may view may send commands too: there is a view token and no control token"
        return ""

    def grants(self, right: Right, token: str) -> bool:
        """Whether ``token`` opens that right; compares in constant time."""
        wanted = {"publish": (self.publish,), "view": (self.view, self.control), "control": (self.control,)}[right]
        found = [same(secret, token) for secret in wanted if secret]  # all of them: the time tells nothing
        return not wanted[0] or any(found)


def same(secret: str, token: str) -> bool:
    return secrets.compare_digest(secret.encode(), token.encode("utf-8", "surrogatepass"))


def token_of(connection: HTTPConnection) -> str:
    """The token that a request or websocket brings, empty for none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return connection.query_params.get("token", "")


def require(access: AccessOptions, right: Right) -> Callable[[Request], None]:
    """A dependency of routes: 401 for who lacks the right."""

    def check(request: Request) -> None:
        if (reason := refusal(request, access, right)) is not None:
            raise HTTPException(401, reason, {"WWW-Authenticate": REALM})

    return check


def refusal(connection: HTTPConnection, access: AccessOptions, right: Right) -> str | None:
    """Why the request may not, or None."""
    token = token_of(connection)
    if access.grants(right, token):
        return None
    if not token:
        return f"a token is needed to {right}: send it as Authorization: Bearer TOKEN, or as ?token="
    return f"this token may not {right}"
