"""The answer's candidates, as publishers can use them: the address that they reached us by first, and those that a
router announces for us. Some publishers try the first alone."""

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


def arranged(sdp: str, reached: str = "", announced: Sequence[str] = ()) -> str:
    """The SDP with its candidates in order: ``announced`` addresses, the one that was ``reached``, IPv4, IPv6.

    An announced address (1:1 NAT, a container's host) stands beside every host candidate of its family, with the port
    unchanged. Priorities fall in that order, so that checks begin with what works.
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
        out += [candidate.line() for candidate in _in_order(run, reached, announced)]
    return "\r\n".join(out)


def _in_order(run: Sequence[_Candidate], reached: str, announced: Sequence[str]) -> list[_Candidate]:
    wanted = list(dict.fromkeys([*announced, reached]))

    def place(candidate: _Candidate) -> tuple[int, int]:
        known = wanted.index(candidate.address) if candidate.address in wanted else len(wanted)
        return known, _version(candidate.address)

    every = list(run)
    for address in announced:
        hosts = [one for one in run if one.words[7] == "host" and _version(one.address) == _version(address)]
        every += [one.at(address, int(one.words[3])) for one in hosts if one.address != address]
    ordered = sorted(every, key=place)  # stable: as they were within a place
    return [
        one.at(one.address, priority(count, one.words[1])) if one.words[7] == "host" else one
        for count, one in enumerate(ordered)
    ]


def priority(place: int, component: str) -> int:
    """RFC 8445, section 5.1.2.1: type preference, local preference, component."""
    return (HOST_PRIORITY << 24) + ((65535 - place) << 8) + 256 - int(component)


def _version(address: str) -> int:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).version
    except ValueError:
        return 6
