"""The offer of a publisher, checked before aiortc gets it."""

import ipaddress
from typing import Final

from aiortc.sdp import SessionDescription

from .trickle import MAX_CANDIDATES, is_port

MAX_MEDIA: Final = 8
# aiortc's parser raises these for text that is no SDP
PARSE_ERRORS: Final = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
    ArithmeticError,
)


class OfferError(ValueError):
    """An offer that is not SDP, or lacks what WebRTC needs."""


class UnusableOfferError(OfferError):
    """A well-formed offer of something that cannot be received here."""


def checked_offer(text: str) -> str:
    """The offer in a readable form; raises `OfferError` with the reason if it has none. `negotiation` decides which
    parts can be received.

    Candidates that are names (browsers hide addresses behind ``.local`` ones) and the end-of-candidates mark are
    removed: resolving needs multicast and a second, and the publisher's own checks reveal its address anyway.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0].strip() != "v=0":
        raise OfferError("the body is not SDP: it does not start with v=0")
    usable = [line for line in lines if not _is_unusable_candidate(line)]
    if sum(line.startswith("a=candidate:") for line in usable) > MAX_CANDIDATES:
        raise UnusableOfferError(f"the offer has more than {MAX_CANDIDATES} ICE candidates")
    offer = "\r\n".join(usable) + "\r\n"
    try:
        session = SessionDescription.parse(offer)
    except PARSE_ERRORS as error:
        raise OfferError(f"the SDP cannot be parsed at the line {_culprit(usable)!r}") from error
    media = session.media
    if not media:
        raise OfferError("the SDP has no media section")
    if len(media) > MAX_MEDIA:
        raise UnusableOfferError(f"the offer has {len(media)} media sections; {MAX_MEDIA} is the limit")
    _check_mids(session)
    return offer


def _check_mids(session: SessionDescription) -> None:
    """Sections are identified and bundled by their names; aiortc loses the transport of sections with wrong ones."""
    mids = [section.rtp.muxId for section in session.media if section.rtp.muxId]
    if duplicates := [mid for mid in mids if mids.count(mid) > 1]:
        raise OfferError(f"two sections are called a=mid:{duplicates[0][:40]}")
    bundled = [mid for group in session.group if group.semantic == "BUNDLE" for mid in group.items]
    if unknown := [mid for mid in bundled if mid not in mids]:
        raise OfferError(f"a=group:BUNDLE names {str(unknown[0])[:40]!r}, and no section is called so (a=mid)")


def _culprit(lines: list[str]) -> str:
    """The first line with which the offer stops being readable, cut to fit a message; by bisection."""
    good, bad = 0, len(lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            SessionDescription.parse("\r\n".join(lines[:middle]) + "\r\n")
            good = middle
        except PARSE_ERRORS:
            bad = middle
    return lines[bad - 1].strip()[:80]


def _is_unusable_candidate(line: str) -> bool:
    if line.startswith("a=end-of-candidates"):
        return True
    words = line.split()
    if not line.startswith("a=candidate:") or len(words) < 6:
        return False
    try:
        ipaddress.ip_address(words[4].partition("%")[0])
    except ValueError:
        return True
    return words[2].lower() != "udp" or not is_port(words[5])
