"""What aiortc and aioice are told before they serve."""

from .consent import wait_for_consent
from .decoding import decode_apart
from .jitter import mind_markers
from .rate import count_what_comes
from .steady import hold_clock
from .timestamps import mind_order


def adapt_aiortc() -> None:
    """Let aiortc and aioice work in this whole process as the modules here say. More calls change nothing."""
    hold_clock()
    wait_for_consent()
    count_what_comes()
    mind_markers()
    mind_order()
    decode_apart()
