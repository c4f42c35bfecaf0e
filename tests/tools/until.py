"""Waiting for what is so outside of a page, while the page runs."""

import time
from collections.abc import Callable
from typing import Any, Final

LONG_S: Final = 60.0  # generous: the machine may be busy


def until(page: Any, holds: Callable[[], object], seconds: float = LONG_S) -> None:
    """Let the page run until ``holds()``: the driver's messages come only meanwhile. Raises AssertionError if that does
    not come to be."""
    over_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over_s, "it never became so"
        page.wait_for_timeout(50)
