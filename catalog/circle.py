"""Which keys mix, by the circle of fifths."""

from collections.abc import Collection
from functools import lru_cache

from .libraries.keys import KEYS, MAJOR

_RELATIVE = 9  # semitones from a major key up to its relative minor
_FIFTH = 7


def mixes(key: str, wanted: Collection[str], near: bool) -> bool:
    """Whether ``key`` is one of ``wanted``, or with ``near`` next to one; an empty key never is. All as in ``KEYS``."""
    return bool(key) and (key in wanted or (near and not neighbours(key).isdisjoint(wanted)))


@lru_cache(len(KEYS))
def neighbours(key: str) -> frozenset[str]:
    """The keys that mix with ``key`` beside itself: its relative one, a fifth up and a fifth down."""
    number = KEYS.index(key)
    minor, tonic = divmod(number, len(MAJOR))
    other = (tonic - _RELATIVE) % 12 if minor else (tonic + _RELATIVE) % 12 + 12
    return frozenset(KEYS[at] for at in (other, *(minor * 12 + (tonic + step) % 12 for step in (_FIFTH, -_FIFTH))))


def camelot(key: str) -> str:
    """The key on Camelot's wheel, as 8A for A minor; empty for none."""
    if not key:
        return ""
    minor, tonic = divmod(KEYS.index(key), len(MAJOR))
    major = (tonic - _RELATIVE) % 12 if minor else tonic  # the relative major has the same hour
    return f"{(major * _FIFTH + 7) % 12 + 1}{'AB'[not minor]}"
