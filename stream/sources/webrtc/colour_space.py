"""The colours of a publisher: the RTP header extension *color-space* of WebRTC (its source's
docs/native-code/rtp-hdrext/color-space).

Primaries, transfer, matrix (one byte each, as ITU-T H.273 numbers them), then range and chroma siting in one; for high
dynamic range more follows. Chromium sends it with the last packet of a key frame. H.264 itself holds the same facts.
"""

from typing import Any, Final

from aiortc import RTCRtpHeaderExtensionParameters

from features.decode.colours import KNOWN_MATRICES, Colours

from . import aiortc_compat

URI: Final = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
BYTES: Final = 4  # without what is for high dynamic range
RANGES: Final = {1: False, 2: True}  # limited, full; others follow from transfer and matrix, or are not given
LOCAL_ID: Final = 14  # for offers, which are never made here; an answer has the offer's


def colours_in(value: bytes) -> Colours | None:
    """The colours in an extension; None if it is too short or of no use."""
    if len(value) < BYTES or value[2] not in KNOWN_MATRICES or value[3] >> 4 not in RANGES:
        return None
    return Colours(value[2], RANGES[value[3] >> 4])


class ColourfulMap(aiortc_compat.HeaderExtensionsMap):  # type: ignore[misc]
    """aiortc's map with this extension too: ``extensions.colours`` is set for a packet that came with one."""

    _number = 0

    def configure(self, parameters: Any) -> None:
        super().configure(parameters)
        self._number = next(
            (extension.id for extension in parameters.headerExtensions if extension.uri == URI), self._number
        )

    def get(self, extension_profile: int, extension_value: bytes) -> Any:
        extensions: Any = super().get(extension_profile, extension_value)
        if self._number and len(extension_value) > BYTES and self._may_hold(extension_value):
            for number, value in aiortc_compat.unpack_header_extensions(extension_profile, extension_value):
                if number == self._number:
                    extensions.colours = colours_in(value)
        return extensions

    def _may_hold(self, value: bytes) -> bool:
        """Whether it may hold the extension. Most packets do not: they are not read twice."""
        return (self._number << 4 | BYTES - 1) in value or self._number in value


def read_colours() -> None:
    """Let connections made from now on, in this whole process, read colours. More calls change nothing."""
    aiortc_compat.read_extensions_with(ColourfulMap, RTCRtpHeaderExtensionParameters(id=LOCAL_ID, uri=URI))
