"""Filters as an expression that a server understands: two numbers of a track, and words that it has.

A word is the hash of something that is so or not: a tag, a mood, a playlist, a licence, "may be in a live stream". A
filter is ranges of the numbers, and groups of words of each of which a track has one at least. Two words of one
hash would let too much through, never too little: what comes back from a server is asked again whether it passes.
"""

import hashlib
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from catalog.licence import matches
from catalog.records import Filters, Track, is_vocal

from .base import Condition

MOST: Final = 1024  # words of a track; one with more has ``TOO_MANY``, which every group lets through
FARTHEST: Final = 1e300  # stands for what is not finite


@dataclass(frozen=True, slots=True)
class Fields:
    """Of a track. ``words`` rising, at most ``MOST``."""

    tempo_bpm: float
    duration_s: float
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Needed:
    """What passes: ``low_bpm <= tempo_bpm <= high_bpm`` (None: no limit) and not 0 where either is given, ``duration_s
    >= least_s``, and a word of each group."""

    low_bpm: float | None = None
    high_bpm: float | None = None
    least_s: float | None = None
    groups: tuple[tuple[int, ...], ...] = ()


def word(kind: str, text: str = "") -> int:
    """63 bits, so that it is no negative number."""
    digest = hashlib.blake2b(f"{kind}\0{text}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


_ANY: Final = Filters()
_EXPRESSED: Final[dict[str, Any]] = {  # the filters that have an expression, and jingles, which says nothing of a track
    name: getattr(_ANY, name)
    for name in (
        "min_bpm", "max_bpm", "min_duration_s", "licences", "tags", "moods", "playlists", "live_ok", "vod_ok",
        "instrumental", "jingles"
    )
}  # fmt: skip
TOO_MANY: Final = word("too many")
LIVE, VOD, INSTRUMENTAL = word("live"), word("vod"), word("instrumental")


def fields_of(track: Track) -> Fields:
    """Costs some microseconds and some for each tag."""
    found = {word("licence", track.licence)}
    found |= {LIVE} if track.rights.live_ok else set()
    found |= {VOD} if track.rights.vod_ok else set()
    found |= set() if is_vocal(track) else {INSTRUMENTAL}
    found |= _words("tag", track.tags) | _words("mood", track.moods) | _words("playlist", track.playlists)
    words = sorted(found) if len(found) <= MOST else [TOO_MANY]
    return Fields(_finite(track.tempo_bpm, -1.0), _finite(track.duration_s, FARTHEST), tuple(words))


def needed_by(condition: Condition | None, licences: Iterable[str]) -> Needed | None:
    """The expression of a condition; None for one that has none. ``licences``: all that tracks have."""
    if condition is None:
        return Needed()
    if not isinstance(condition, Filters) or replace(condition, **_EXPRESSED) != _ANY:
        return None
    groups = [
        _words(kind, some)
        for kind, some in (("tag", condition.tags), ("mood", condition.moods), ("playlist", condition.playlists))
        if some
    ]
    if condition.licences:
        passing = {own for own in licences if any(matches(asked, own) for asked in condition.licences)}
        groups.append({word("licence", own) for own in passing})
    groups += [{each} for each, asked in ((LIVE, condition.live_ok), (VOD, condition.vod_ok)) if asked]
    groups += [{INSTRUMENTAL}] if condition.instrumental else []
    return Needed(
        _limit(condition.min_bpm),
        _limit(condition.max_bpm),
        _limit(condition.min_duration_s) if condition.min_duration_s > 0 else None,
        tuple(tuple(sorted(group | {TOO_MANY})) for group in groups),
    )


def _words(kind: str, texts: Collection[str]) -> set[int]:
    return {word(kind, text.casefold()) for text in texts}


def _finite(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else max(-FARTHEST, min(FARTHEST, value))


def _limit(value: float | None) -> float | None:
    return None if value is None else _finite(value, FARTHEST)
