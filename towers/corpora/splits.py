"""Which pairs train, which validate, which test: by music, so that no music stands in two splits.

Where a list names splits, the strictest one takes the music: what is in a test pair leaves training, however many of
the list's training pairs that costs. Otherwise a hash of the music decides, so that a corpus may grow without pairs
changing sides. Validation and test keep one pair for each music: a gallery does not hold the same piece twice.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import CorpusError
from .corpus import SPLITS

STRICT: Final = ("test", "val", "train")  # the first that any of a music's sources is in takes it


@dataclass(frozen=True, slots=True)
class Known:
    """Of one source: its ``id``, the number of its ``music``, the split that its list gives it or None."""

    id: str
    music: int
    split: str | None


def divide(sources: Sequence[Known], val: float, test: float) -> tuple[dict[str, str], dict[str, str]]:
    """(split by id, reason by id for those left out); ``val`` and ``test`` are shares of the musics.

    Raises ``CorpusError`` for fewer than three musics, of which no three splits can be made.
    """
    named = {source.split for source in sources}
    if "train" in named and "val" not in named:  # somebody's training list without a validation: ours is drawn from it
        sources = [replace(one, split=None) if one.split == "train" else one for one in sources]
        test = 0.0 if "test" in named else test
    groups: dict[int, list[Known]] = {}
    for source in sorted(sources, key=lambda one: one.id):
        groups.setdefault(source.music, []).append(source)
    names = {music: members[0].id for music, members in groups.items()}
    told = {music: strictest(members) for music, members in groups.items()}
    if len(groups) < len(SPLITS):
        raise CorpusError(
            f"{len(groups)} different musics can be used, of which no training, validation and test can be made; "
            "give at least 3 videos with music of their own"
        )
    chosen = filled({music: told[music] or drawn(names[music], val, test) for music in groups}, told, names)
    splits: dict[str, str] = {}
    left: dict[str, str] = {}
    for music, members in groups.items():
        split = chosen[music]
        mine = [one for one in members if one.split in (None, split)]
        for one in members:
            if one not in mine:
                left[one.id] = f"its music is in {split}"
            elif split != "train" and one is not mine[0]:
                left[one.id] = f"another pair of its music is in {split}"
            else:
                splits[one.id] = split
    return splits, left


def strictest(members: Sequence[Known]) -> str | None:
    given = {one.split for one in members}
    return next((split for split in STRICT if split in given), None)


def position(name: str) -> float:
    """In [0, 1), even over names and the same for ever."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def drawn(name: str, val: float, test: float) -> str:
    place = position(name)
    return "test" if place < test else "val" if place < test + val else "train"


def filled(chosen: dict[int, str], told: Mapping[int, str | None], names: Mapping[int, str]) -> dict[int, str]:
    """``chosen``, with a music moved into each split that has none: of a few dozen the hash may spare one."""
    free = sorted((music for music in chosen if told[music] is None), key=lambda music: position(names[music]))
    for split in SPLITS:
        if split in chosen.values():
            continue
        counts = {name: sum(value == name for value in chosen.values()) for name in SPLITS}
        spare = [music for music in free if counts[chosen[music]] > 1]
        if not spare:
            raise CorpusError(f"no pair is left for the split {split}; name its pairs in the list, or add videos")
        chosen[spare[-1] if split == "train" else spare[0]] = split
    return chosen
