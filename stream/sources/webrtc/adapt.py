"""What aiortc and aioice are told before they serve, as far as the installed releases have the insides for it."""

import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import aioice
import aiortc
from aioice import ice
from aiortc import clock, codecs, jitterbuffer, rate, rtcrtpreceiver, rtcrtpsender, rtp

from .colour_space import hear_colours
from .consent import wait_for_consent
from .decoding import decode_apart
from .jitter import mind_markers
from .rate import count_what_comes
from .steady import hold_clock
from .timestamps import mind_order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Needed:
    """What stands at the dotted ``path`` in ``module``, to be called with these ``parameters`` (None: with any);
    ``fields`` are attributes that a class gives its objects."""

    module: Any
    path: str
    parameters: str | None = None
    fields: str = ""

    def missing(self) -> str:
        """What is otherwise, in words; empty where it is as it is known."""
        called = f"{self.module.__name__}.{self.path}"
        found: Any = self.module
        for name in self.path.split("."):
            found = getattr(found, name, None)
        if found is None:
            return f"{called} is missing"
        if self.parameters is not None:
            takes = " ".join(inspect.signature(found).parameters) if callable(found) else "nothing"
            if takes != self.parameters:
                return f"{called} takes {takes or 'nothing'}, not {self.parameters or 'nothing'}"
        kept = found.__init__.__code__.co_names if self.fields else ()
        return next((f"{called} has no {name}" for name in self.fields.split() if name not in kept), "")


@dataclass(frozen=True)
class _Change:
    """``make`` changes what ``needed`` names; ``without``: what is otherwise where it is left out."""

    without: str
    make: Callable[[], None]
    needed: tuple[_Needed, ...]

    def missing(self) -> str:
        return next((reason for one in self.needed if (reason := one.missing())), "")


def _way_of_frames() -> None:
    """From packets to pictures: the decoder knows what the buffer hands on."""
    mind_markers()
    decode_apart()


# A change that was made already finds its own work in the place of aiortc's, which takes the same.
CHANGES: Final = (
    _Change(
        "a clock that is set holds up every session",
        hold_clock,
        (
            _Needed(rtcrtpreceiver, "time"),
            _Needed(rtcrtpsender, "time"),
            _Needed(clock, "current_datetime", ""),
            _Needed(clock, "current_ms", ""),
        ),
    ),
    _Change(
        "publishers behind a slow path are given up",
        wait_for_consent,
        (_Needed(ice, "StunProtocol.request", "self request addr integrity_key retransmissions"),),
    ),
    _Change(
        "counting what comes costs more",
        count_what_comes,
        (
            _Needed(rate, "RateCounter", "window_size scale"),
            _Needed(rate, "RateCounter.add", "self value now_ms"),
            _Needed(rate, "RateCounter.rate", "self now_ms"),
            _Needed(rate, "RateCounter.reset", "self"),
        ),
    ),
    _Change(
        "each picture waits for the next one, and for a thread of aiortc's, without a bound; padding may end it",
        _way_of_frames,
        (
            _Needed(rtcrtpreceiver, "decoder_worker", "loop input_q output_q decode_error"),
            _Needed(rtcrtpreceiver, "get_decoder", "codec"),
            _Needed(rtcrtpreceiver, "RTCRtpReceiver._send_rtcp_pli", "self media_ssrc"),
            _Needed(rtcrtpreceiver, "depayload", "codec payload"),
            _Needed(rtcrtpreceiver, "JitterBuffer", "capacity prefetch is_video"),
            _Needed(
                jitterbuffer,
                "JitterBuffer",
                "capacity prefetch is_video",
                "_origin _packets _capacity _prefetch _is_video",
            ),
            _Needed(jitterbuffer, "JitterBuffer.add", "self packet"),
            _Needed(jitterbuffer, "JitterBuffer.remove", "self count"),
            _Needed(jitterbuffer, "JitterBuffer._remove_frame", "self sequence_number"),
        ),
    ),
    _Change(
        "the colours of VP8 are those of BT.601, whatever the publisher says",
        hear_colours,
        (
            _Needed(rtp, "HeaderExtensionsMap.configure", "self parameters"),
            _Needed(rtp, "HeaderExtensionsMap.get", "self extension_profile extension_value"),
            _Needed(rtp, "unpack_header_extensions", "extension_profile extension_value"),
            _Needed(codecs, "HEADER_EXTENSIONS"),
        ),
    ),
    _Change(
        "B-frames break the time of a stream",
        mind_order,
        (
            _Needed(rtcrtpreceiver, "TimestampMapper", ""),
            _Needed(rtcrtpreceiver, "TimestampMapper.map", "self timestamp"),
        ),
    ),
)


def adapt_aiortc(changes: Iterable[_Change] = CHANGES) -> None:
    """Let aiortc and aioice work in this whole process as the modules here say. More calls change nothing. What the
    installed releases have no place for is left as it is, with a warning in the log."""
    for change in changes:
        if reason := change.missing():
            releases = f"aiortc {aiortc.__version__} and aioice {aioice.__version__}"
            log.warning("%s: %s are not those that are known here (%s)", change.without, releases, reason)
        else:
            change.make()
