"""Patience with a publisher whose answers take long.

An ICE agent checks every few seconds whether the other side still agrees to receive data (RFC 7675), and gives the
connection up when six answers in a row are missing. For aioice an answer is missing after half a second: with a longer
round trip, or a process that is behind, every connection would be lost after half a minute while video still comes in.
With retries within the same check, it accepts an answer until `WAIT_S` after the first request. A publisher that is
really gone is noticed sooner by its silence (see `peer`).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from . import aiortc_compat

AGAIN: Final = 2  # retries of one check
WAIT_S: Final = aiortc_compat.RETRY_RTO_S * (2 ** (AGAIN + 1) - 1)  # each wait is twice the one before: 3.5 s


def wait_for_consent() -> None:
    """Let aioice be patient from now on, in this whole process. More calls change nothing."""
    if not hasattr(aiortc_compat.current_request(), "patient"):
        aiortc_compat.request_with(patient)


def patient(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """aioice's ``original`` function for requests, with retries for checks of consent."""

    async def patient_request(
        self: Any, request: Any, addr: Any, integrity_key: bytes | None = None, retransmissions: int | None = None
    ) -> Any:
        """Only checks of consent come with 0 retransmissions."""
        tries = AGAIN if retransmissions == 0 else retransmissions
        return await original(self, request, addr, integrity_key, tries)

    patient_request.patient = True  # type: ignore[attr-defined]
    return patient_request
