"""Patience with a publisher whose answers take long.

An ICE agent asks the other side every few seconds whether it still wants to be sent something (RFC 7675), and gives the
connection up when six answers in a row are missing. aioice takes an answer for missing after half a second: a path of
more than that there and back, or a process that is behind, would lose every connection after half a minute while video
comes in all the time. Asked again within the same check, it takes an answer for `WAIT_S` from the first question.
A publisher that is really gone is noticed sooner by its silence (see `webrtc`).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from . import aiortc_compat

AGAIN: Final = 2  # times that one check asks again
WAIT_S: Final = aiortc_compat.RETRY_RTO_S * (2 ** (AGAIN + 1) - 1)  # each wait is twice the one before: 3.5 s


def wait_for_consent() -> None:
    """Let aioice be patient from now on, in this whole process. More calls change nothing."""
    if not hasattr(aiortc_compat.request_asked(), "patient"):
        aiortc_compat.ask_with(patient)


def patient(given: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """aioice's ``given`` way to ask, with more patience for checks of consent."""

    async def patient_request(
        self: Any, request: Any, addr: Any, integrity_key: bytes | None = None, retransmissions: int | None = None
    ) -> Any:
        """Only checks of consent ask for none."""
        tries = AGAIN if retransmissions == 0 else retransmissions
        return await given(self, request, addr, integrity_key, tries)

    patient_request.patient = True  # type: ignore[attr-defined]
    return patient_request
