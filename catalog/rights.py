"""What a user may do with a track, as far as anybody has said, and the line that credits it.

Segue knows no law and clears nothing: ``live_ok`` and ``vod_ok`` say what somebody wrote down. A video can be muted or
claimed for music that is fully licensed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .licence import UNKNOWN, address, marks, readable


@dataclass(frozen=True, slots=True)
class Rights:
    """Of one track; empty and None: nobody has said. ``attribution`` is the credit line that was given;
    ``credit`` makes one where there is none."""

    attribution: str = ""
    live_ok: bool | None = None  # may be heard in a live stream
    vod_ok: bool | None = None  # may be heard in a recording that is published
    source: str = ""  # where it is from: an address, or a shop's or label's name
    bought: str = ""  # day of the purchase or licence, as 2026-11-30
    list_at: str = ""  # where a channel must be listed before it may use the track


NOTHING_SAID: Final = Rights()


def credit(title: str, artist: str, licence: str, rights: Rights = NOTHING_SAID) -> str:
    """The line to credit a track with: the given one, else title, author, source and licence, as Creative Commons asks
    for (https://wiki.creativecommons.org/wiki/Recommended_practices_for_attribution). Empty where neither the artist
    nor a licence nor a source is known."""
    if rights.attribution:
        return rights.attribution
    stated = "" if UNKNOWN in marks(licence) else licence
    if not (artist or stated or rights.source):
        return ""
    parts = [f'"{title}"' + (f" by {artist}" if artist else "")]
    if rights.source:
        parts.append(rights.source)
    if stated:
        where = address(stated)
        parts.append(readable(stated) + (f" ({where})" if where else ""))
    return ", ".join(parts)


def badges(marks: Sequence[str], live_ok: bool | None, vod_ok: bool | None) -> tuple[str, ...]:
    """A few short words to warn with: the ``marks`` of a licence, and what is not allowed."""
    refused = ((live_ok, "not live"), (vod_ok, "no VOD"))
    return (*marks, *(text for allowed, text in refused if allowed is False))
