"""The answer's candidates in an order that suits publishers: announced addresses, then the one that the publisher
reached, then the others. Some publishers try only the first."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "a=candidate:"
HOST_PRIORITY: Final = 126


@dataclass(frozen=True)
class _Candidate:
    """A line's words: foundation, component, transport, priority, address, port, "typ", type, ..."""

    words: tuple[str, ...]

    @property
    def address(self) -> str:
        return self.words[4]

    def at(self, address: str, priority: int) -> "_Candidate":
        return _Candidate((*self.words[:3], str(priority), address, *self.words[5:]))

    def line(self) -> str:
        return PREFIX + " ".join(self.words)


def arrange_candidates(sdp: str, reached: str = "", announced: Sequence[str] = ()) -> str:
    """The SDP with its candidates in order: ``announced`` addresses, the one that was ``reached``, IPv4, IPv6.

    An announced address (1:1 NAT, a container's host) is added for every host candidate of its family, with the port
    unchanged. Priorities fall in that order, so that checks begin with the addresses that work.
    """
    lines = sdp.split("\r\n")
    out: list[str] = []
    at = 0
    while at < len(lines):
        if not lines[at].startswith(PREFIX):
            out.append(lines[at])
            at += 1
            continue
        run: list[_Candidate] = []
        while at < len(lines) and lines[at].startswith(PREFIX):
            run.append(_Candidate(tuple(lines[at].removeprefix(PREFIX).split())))
            at += 1
        out += [candidate.line() for candidate in _sort_candidates(run, reached, announced)]
    return "\r\n".join(out)


def _sort_candidates(run: Sequence[_Candidate], reached: str, announced: Sequence[str]) -> list[_Candidate]:
    preferred = list(dict.fromkeys([*announced, reached]))

    def place(candidate: _Candidate) -> tuple[int, int]:
        known = preferred.index(candidate.address) if candidate.address in preferred else len(preferred)
        return known, _version(candidate.address)

    candidates = list(run)
    for address in announced:
        hosts = [
            candidate
            for candidate in run
            if candidate.words[7] == "host" and _version(candidate.address) == _version(address)
        ]
        candidates += [
            candidate.at(address, int(candidate.words[3])) for candidate in hosts if candidate.address != address
        ]
    ordered = sorted(candidates, key=place)  # stable: keeps the order within a place
    return [
        candidate.at(candidate.address, priority(count, candidate.words[1]))
        if candidate.words[7] == "host"
        else candidate
        for count, candidate in enumerate(ordered)
    ]


def priority(place: int, component: str) -> int:
    """RFC 8445, section 5.1.2.1: type preference, local preference, component."""
    return (HOST_PRIORITY << 24) + ((65535 - place) << 8) + 256 - int(component)


def _version(address: str) -> int:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).version
    except ValueError:
        return 6
