"""Name and password for HTTP: Basic (RFC 7617) and Digest (RFC 7616), and where they may go.

They go to the scheme, host and port of their URL, and by TLS to that host; nowhere else, also after redirects. Many
network cameras need Digest.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from stream.sources.sandbox.addresses import Target

HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
}
Place = tuple[str, str, int]


@dataclass
class Challenge:
    """The challenge of a server."""

    realm: str
    nonce: str
    algorithm: str
    opaque: str | None
    counted: bool  # whether requests are numbered (qop=auth)
    requests: int = 0


class Credentials:
    """The names and passwords that the URLs of a source held, by place."""

    def __init__(self) -> None:
        self._known: dict[Place, tuple[str, str]] = {}
        self._challenges: dict[Place, Challenge] = {}

    def header(self, target: Target, path: str) -> dict[str, str]:
        """The header for a request to ``target``, if any."""
        pair = self._pair(target)
        if pair is None:
            return {}
        name, password = pair
        challenge = self._challenges.get(_place(target))
        if challenge is not None:
            return {"Authorization": _digest(challenge, name, password, path)}
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}

    def learn(self, target: Target, challenges: Sequence[str] | None) -> bool:
        """Take the challenges of a 401. Returns whether a second request may succeed."""
        if self._pair(target) is None:
            return False
        before = self._challenges.get(_place(target))
        for text in challenges or ():
            challenge = _challenge(text)
            if challenge is not None and (before is None or challenge.nonce != before.nonce):
                self._challenges[_place(target)] = challenge
                return True
        return False

    def _pair(self, target: Target) -> tuple[str, str] | None:
        """An URL's own name and password, else those known for its place."""
        if target.parts.username is not None:
            pair = unquote(target.parts.username), unquote(target.parts.password or "")
            self._known[_place(target)] = pair
            return pair
        if _place(target) in self._known:
            return self._known[_place(target)]
        if target.scheme == "https":
            known = (pair for (scheme, host, _), pair in self._known.items() if (scheme, host) == ("http", target.host))
            return next(known, None)
        return None


def _place(target: Target) -> Place:
    return target.scheme, target.host, target.port


def _challenge(text: str) -> Challenge | None:
    """A Digest challenge that can be met."""
    kind, _, rest = text.strip().partition(" ")
    if kind.lower() != "digest":
        return None
    fields = {
        name.lower(): (quoted or bare).replace("\\", "")
        for name, quoted, bare in re.findall(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', rest)
    }
    algorithm = fields.get("algorithm", "MD5").upper()
    kinds = [kind.strip().lower() for kind in fields.get("qop", "").split(",") if kind.strip()]
    if "nonce" not in fields or algorithm not in HASHES or (kinds and "auth" not in kinds):
        return None
    return Challenge(fields.get("realm", ""), fields["nonce"], algorithm, fields.get("opaque"), bool(kinds))


def _digest(challenge: Challenge, name: str, password: str, path: str) -> str:
    """RFC 7616, section 3.4."""

    def join_hash(*parts: str) -> str:
        return HASHES[challenge.algorithm](":".join(parts).encode()).hexdigest()

    user_hash, request_hash = join_hash(name, challenge.realm, password), join_hash("GET", path)
    fields = {"username": name, "realm": challenge.realm, "nonce": challenge.nonce, "uri": path}
    plain = {"algorithm": challenge.algorithm}
    if challenge.counted:
        challenge.requests += 1
        count, own = f"{challenge.requests:08x}", secrets.token_hex(8)
        fields |= {"response": join_hash(user_hash, challenge.nonce, count, own, "auth", request_hash), "cnonce": own}
        plain |= {"qop": "auth", "nc": count}
    else:
        fields["response"] = join_hash(user_hash, challenge.nonce, request_hash)
    if challenge.opaque is not None:
        fields["opaque"] = challenge.opaque
    quoted = [f'{key}="{value}"' for key, value in fields.items()]
    return "Digest " + ", ".join([*quoted, *(f"{key}={value}" for key, value in plain.items())])
