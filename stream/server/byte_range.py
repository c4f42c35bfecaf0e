"""Which bytes of a body of known length a request wants: one range (RFC 9110, section 14)."""

import re
from typing import Final

ONE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


class BeyondError(ValueError):
    """The range lies beyond the end."""


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last; None: the whole. Raises `BeyondError`.

    What is no range, or several, may be passed over (RFC 9110, section 14.2), and is.
    """
    found = ONE.fullmatch(header or "")
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # the last so many
        first, stop = max(0, size - int(found[2])), size
    else:
        first, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < int(found[1]):
            return None
    if first >= stop:
        raise BeyondError(f"bytes {header} of {size}")
    return first, stop
