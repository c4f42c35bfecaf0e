"""Adapts aiortc and aioice before they serve, unless they are left alone."""

import logging
from typing import Final

from . import aiortc_compat
from .colour_space import read_colours
from .decoding import decode_apart
from .jitter import use_markers
from .monotonic_clock import hold_clock
from .rate_counter import count_what_comes
from .stun_retries import wait_for_consent
from .timestamps import map_nearest

log = logging.getLogger(__name__)

CHANGES: Final = (
    hold_clock,
    wait_for_consent,
    count_what_comes,
    map_nearest,
    read_colours,
    use_markers,
    decode_apart,
)
REQUESTED: Final = "requested"


def adapt_aiortc(plain: bool = False) -> None:
    """Adapt aiortc and aioice in this whole process by the modules here; more calls change nothing. With ``plain``, or
    where an installed release is not as expected, they are left alone, with a line in the log."""
    reason = REQUESTED if plain else aiortc_compat.difference()
    aiortc_compat.leave_alone(reason)
    if not reason:
        for change in CHANGES:
            change()
    elif plain:
        log.info("WebRTC goes the plain path, as asked: %s", aiortc_compat.PLAIN)
    else:
        releases = aiortc_compat.releases()
        log.warning(
            "WebRTC goes the plain path: %s are not as they are known (%s); %s", releases, reason, aiortc_compat.PLAIN
        )


def standing() -> str:
    """Which path video by WebRTC takes, without releases: for ``/healthz``, which is open to all."""
    return "plain" if aiortc_compat.alone() else "short"


def degraded() -> str:
    """The text for ``/readyz`` if video takes the plain path without a request for it; else empty."""
    return "WebRTC goes the plain path" if aiortc_compat.alone() not in ("", REQUESTED) else ""
