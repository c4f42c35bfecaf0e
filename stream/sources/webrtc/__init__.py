"""A publisher by WebRTC, from its offer to its decoded frames; media and encryption are aiortc's.

``offer``, ``answer`` and ``trickle`` are the signalling (WHIP, RFC 9725), ``peer`` is one connection. What this server
does otherwise than aiortc and aioice is ``direct`` for one connection and, for the whole process, ``steady``,
``consent``, ``rate``, ``jitter``, ``decoding`` and ``ports``.
"""

from .consent import wait_for_consent
from .decoding import decode_apart
from .jitter import mind_markers
from .offer import OfferError, UnusableOfferError, checked_offer
from .peer import PeerOptions, RestartError, WebRtcPeer, forgive
from .rate import count_what_comes
from .steady import hold_clock

__all__ = [
    "OfferError",
    "PeerOptions",
    "RestartError",
    "UnusableOfferError",
    "WebRtcPeer",
    "adapt_aiortc",
    "checked_offer",
    "forgive",
]


def adapt_aiortc() -> None:
    """Let aiortc and aioice work in this whole process as the modules here say. More calls change nothing."""
    hold_clock()
    wait_for_consent()
    count_what_comes()
    mind_markers()
    decode_apart()
