"""The body of a WHIP PATCH: more candidates for a session that exists (application/trickle-ice-sdpfrag, RFC 8840)."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

FRAGMENT: Final = "application/trickle-ice-sdpfrag"
FRAGMENT_BYTES: Final = 16 * 1024
MAX_CANDIDATES: Final = 64


class FragmentError(ValueError):
    """A body that is no fragment; the text is for its sender."""


@dataclass(frozen=True)
class Fragment:
    """``ufrag`` of the candidates' ICE session; ``candidates`` with their media; ``complete``: no more will come."""

    ufrag: str
    candidates: tuple[RTCIceCandidate, ...]
    complete: bool


def read_fragment(text: str) -> Fragment:
    """Read a fragment. Raises `FragmentError`. Candidates over TCP and with names are ignored: they cannot be reached
    from here, and the publisher's own checks reveal its address."""
    ufrag, mid, complete = "", "", False
    candidates: list[RTCIceCandidate] = []
    for line in (line.strip() for line in text.splitlines()):
        name, _, value = line.partition(":")
        match name:
            case "a=ice-ufrag":
                ufrag = ufrag or value
            case "a=mid":
                mid = value
            case "a=end-of-candidates":
                complete = True
            case "a=candidate":
                if (candidate := _candidate(value)) is not None:
                    candidate.sdpMid = mid
                    candidate.sdpMLineIndex = None if mid else 0
                    candidates.append(candidate)
            case _:
                if line and not line.startswith(("a=", "m=")):
                    raise FragmentError(f"{line[:80]!r} is no line of an SDP fragment")
    if not ufrag:
        raise FragmentError("the fragment has no a=ice-ufrag: it does not say which ICE session it is of")
    if len(candidates) > MAX_CANDIDATES:
        raise FragmentError(f"{len(candidates)} candidates at once; {MAX_CANDIDATES} are the limit")
    return Fragment(ufrag, tuple(candidates), complete)


def is_port(word: str) -> bool:
    """Whether a packet can be sent there: aiortc accepts any number, and the socket then raises OverflowError."""
    return word.isascii() and word.isdigit() and len(word) <= 5 and 0 < int(word) < 65536


def _candidate(value: str) -> RTCIceCandidate | None:
    words = value.split()
    try:
        if words[2].lower() != "udp" or not is_port(words[5]):
            return None
        ipaddress.ip_address(words[4].partition("%")[0])
    except IndexError as error:
        raise FragmentError(f"a=candidate:{value[:80]} is cut short") from error
    except ValueError:
        return None
    try:
        return candidate_from_sdp(value)
    except (ValueError, AssertionError, IndexError) as error:
        raise FragmentError(f"a=candidate:{value[:80]} cannot be read") from error
