"""Why a websocket closes: the codes of RFC 6455, section 7.4.1, and our own, after HTTP's. PROTOCOL.md says what each
means to a client."""

from enum import IntEnum
from typing import Final

REASON_BYTES: Final = 123  # the most that a close frame can carry (RFC 6455, section 5.5)


class Close(IntEnum):
    """To try again is of use after the codes of RFC 6455, ``SILENT`` and ``FULL``; after ``MOVED`` at another port."""

    NORMAL = 1000
    GOING_AWAY = 1001
    SERVER_ERROR = 1011
    MOVED = 4307
    BAD_MESSAGE = 4400
    DENIED = 4401
    FOREIGN_ORIGIN = 4403
    NOT_FOUND = 4404
    SILENT = 4408
    ENDED = 4410
    TOO_LARGE = 4413
    UNREADABLE = 4415
    FULL = 4503


def shortened(reason: str) -> str:
    """As much of a reason as a close frame carries."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore")
