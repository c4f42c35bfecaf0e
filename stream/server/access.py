"""Who may publish, view and control: three secrets, one for each right. An empty secret leaves its right open to all.
A fourth one, for actions alone, opens nothing where it is empty: it stands in addresses that keys call.

A token comes as ``Authorization: Bearer TOKEN`` (RFC 6750), or as the query's ``token`` where a client cannot set
headers, as browsers' websockets cannot. Control includes view.
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
    """The tokens. They are never printed: ``repr`` shows only which are set."""

    publish: str = ""
    view: str = ""
    control: str = ""
    action: str = ""

    def __repr__(self) -> str:
        states = {name: "set" if getattr(self, name) else "open" for name in ("publish", "view", "control")}
        return f"AccessOptions({states | {'action': 'set' if self.action else 'none'}})"

    @property
    def lack(self) -> str:
        """What is open though its owner may think that it is closed; empty if nothing is."""
        if self.view and not self.control:
            return "everybody who may view may send commands too: there is a view token and no control token"
        return ""

    def grants(self, right: Right, token: str) -> bool:
        """Whether ``token`` grants that right; compares in constant time."""
        valid = {"publish": (self.publish,), "view": (self.view, self.control), "control": (self.control,)}[right]
        matches = [same(secret, token) for secret in valid if secret]  # all of them: the time reveals nothing
        return not valid[0] or any(matches)

    def acts(self, token: str) -> bool:
        """Whether ``token`` is one that may press keys: the action token, or that for control. Never true without a
        token; compares in constant time."""
        matches = [same(secret, token) for secret in (self.action, self.control) if secret]
        return any(matches)


def same(secret: str, token: str) -> bool:
    return secrets.compare_digest(secret.encode(), token.encode("utf-8", "surrogatepass"))


def token_of(connection: HTTPConnection) -> str:
    """The token of a request or websocket, empty for none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return connection.query_params.get("token", "")


def require(access: AccessOptions, right: Right) -> Callable[[Request], None]:
    """A dependency of routes: answers 401 to a request without the right."""

    def check(request: Request) -> None:
        if (reason := refusal(request, access, right)) is not None:
            raise HTTPException(401, reason, {"WWW-Authenticate": REALM})

    return check


def refusal(connection: HTTPConnection, access: AccessOptions, right: Right) -> str | None:
    """Why the request is refused, or None."""
    token = token_of(connection)
    if access.grants(right, token):
        return None
    if not token:
        return f"a token is needed to {right}: send it as Authorization: Bearer TOKEN, or as ?token="
    return f"this token may not {right}"
