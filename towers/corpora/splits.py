"""Which pairs train, which validate, which test: by music, so that no music stands in two splits.

Where a list names splits, the strictest one takes the music: what is in a test pair leaves training, however many of
the list's training pairs that costs. Otherwise what was drawn before counts, so that a corpus grows without a pair
changing sides, whatever its new videos are called and share; and for a new music its fingerprint decides. Validation
and test keep one pair for each music: a gallery does not hold the same piece twice.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import CorpusError
from .corpus import SPLITS

STRICT: Final = ("test", "val", "train")  # the first that any of a music's sources is in takes it


@dataclass(frozen=True, slots=True)
class Known:
    """Of one source: its ``id``, the number of its ``music``, the split that its list gives it or None; ``mark``: what
    is drawn by, the same for all recordings of a music as far as that goes (empty: its id); ``kept``: the split that
    it is in since an earlier build, or None."""

    id: str
    music: int
    split: str | None
    mark: str = ""
    kept: str | None = None

    @property
    def given(self) -> str | None:
        return self.split or self.kept


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
    names = {music: min(one.mark or one.id for one in members) for music, members in groups.items()}
    told = {music: strictest(one.split for one in members) for music, members in groups.items()}
    told |= {music: strictest(one.kept for one in members) for music, members in groups.items() if not told[music]}
    if len(groups) < len(SPLITS):
        raise CorpusError(
            f"{len(groups)} different musics can be used, of which no training, validation and test can be made; "
            "give at least 3 videos with music of their own"
        )
    chosen = filled({music: told[music] or drawn(names[music], val, test) for music in groups}, told, names)
    splits: dict[str, str] = {}
    left: dict[str, str] = {}
    for music, members in groups.items():
        held = {one.kept for one in members if one.kept} if not any(one.split for one in members) else set()
        if len(held) > 1:  # a new video has the music of several: they stay where they are, and it stays out
            splits |= {one.id: one.kept for one in members if one.kept}
            left |= {one.id: f"its music is in {' and '.join(sorted(held))}" for one in members if not one.kept}
            continue
        split = chosen[music]
        mine = [one for one in members if one.given in (None, split)]
        first = min(mine, key=lambda one: (one.kept != split, one.id), default=None)
        for one in members:
            if one not in mine:
                left[one.id] = f"its music is in {split}"
            elif split != "train" and one is not first:
                left[one.id] = f"another pair of its music is in {split}"
            else:
                splits[one.id] = split
    return splits, left


def strictest(splits: Iterable[str | None]) -> str | None:
    given = set(splits)
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
