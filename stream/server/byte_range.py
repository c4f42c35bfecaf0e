"""Which bytes of a body of known length a request asks for: one range (RFC 9110, section 14)."""

import re
from typing import Final

ONE_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


class BeyondError(ValueError):
    """The range lies beyond the end."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last; None: the whole body. Raises `BeyondError`.

    An invalid range, and several ranges, are ignored, as RFC 9110, section 14.2, allows.
    """
    match = ONE_RANGE.fullmatch(header or "")
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:  # a number of bytes from the end
        first, stop = max(0, size - int(match[2])), size
    else:
        first, stop = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < int(match[1]):
            return None
    if first >= stop:
        raise BeyondError(f"bytes {header} of {size}")
    return first, stop
