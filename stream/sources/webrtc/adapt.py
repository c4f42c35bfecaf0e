"""What aiortc and aioice are told before they serve, unless they are left alone."""

import logging
from typing import Final

from . import aiortc_compat
from .colour_space import hear_colours
from .decoding import decode_apart
from .jitter import mind_markers
from .monotonic_clock import hold_clock
from .rate_counter import count_what_comes
from .stun_retries import wait_for_consent
from .timestamps import mind_order

log = logging.getLogger(__name__)

CHANGES: Final = (
    hold_clock,
    wait_for_consent,
    count_what_comes,
    mind_order,
    hear_colours,
    mind_markers,
    decode_apart,
)
AS_ASKED: Final = "asked for"


def adapt_aiortc(plain: bool = False) -> None:
    """Let aiortc and aioice work in this whole process as the modules here say; more calls change nothing. With
    ``plain``, or where an installed release is not as it is known, they are left alone, which the log tells."""
    reason = AS_ASKED if plain else aiortc_compat.difference()
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
    """For ``/healthz``, which asks nobody who they are: which path video by WebRTC takes, without releases."""
    return "plain" if aiortc_compat.alone() else "short"


def degraded() -> str:
    """What ``/readyz`` says where video takes the plain path though nobody asked for it; nothing else."""
    return "WebRTC goes the plain path" if aiortc_compat.alone() not in ("", AS_ASKED) else ""
