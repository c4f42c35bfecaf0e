"""Divides pairs into training, validation and test: by music, so that no music is in two splits.

Where a list names splits, the strictest one takes the music: music of a test pair leaves training, even if that costs
many of the list's training pairs. Otherwise the earlier split counts, so that a corpus can grow and no pair changes its
split, whatever the new videos are called or share. For a new music its fingerprint decides. Validation and test keep
one pair for each music: a gallery does not hold the same piece twice.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import CorpusError
from .corpus import SPLITS

STRICT: Final = ("test", "val", "train")  # a music goes to the first of these that any of its sources is in


@dataclass(frozen=True, slots=True)
class SplitSource:
    """Of one source: its ``id``, the number of its ``music``, the ``split`` in its list or None; ``mark``: the key of
    the draw, the same for most recordings of a music (empty: its id); ``earlier``: its split since an earlier build, or
    None."""

    id: str
    music: int
    split: str | None
    mark: str = ""
    earlier: str | None = None

    @property
    def settled(self) -> str | None:
        return self.split or self.earlier


def divide(sources: Sequence[SplitSource], val: float, test: float) -> tuple[dict[str, str], dict[str, str]]:
    """(split by id, reason by id for sources left out); ``val`` and ``test`` are shares of the musics.

    Raises ``CorpusError`` for fewer than three musics, which cannot make three splits.
    """
    named = {source.split for source in sources}
    if "train" in named and "val" not in named:  # a training list without validation: it is drawn from the list
        sources = [replace(source, split=None) if source.split == "train" else source for source in sources]
        test = 0.0 if "test" in named else test
    groups: dict[int, list[SplitSource]] = {}
    for source in sorted(sources, key=lambda source: source.id):
        groups.setdefault(source.music, []).append(source)
    names = {music: min(source.mark or source.id for source in members) for music, members in groups.items()}
    settled = {music: strictest(source.split for source in members) for music, members in groups.items()}
    settled |= {
        music: strictest(source.earlier for source in members)
        for music, members in groups.items()
        if not settled[music]
    }
    if len(groups) < len(SPLITS):
        raise CorpusError(
            f"{len(groups)} different musics can be used, of which no training, validation and test can be made; "
            "give at least 3 videos with music of their own"
        )
    chosen = fill_splits(
        {music: settled[music] or draw_split(names[music], val, test) for music in groups}, settled, names
    )
    splits: dict[str, str] = {}
    left: dict[str, str] = {}
    for music, members in groups.items():
        earlier = (
            {source.earlier for source in members if source.earlier}
            if not any(source.split for source in members)
            else set()
        )
        if len(earlier) > 1:  # a new video joins several musics: they stay where they are, and it is left out
            splits |= {source.id: source.earlier for source in members if source.earlier}
            left |= {
                source.id: f"its music is in {' and '.join(sorted(earlier))}"
                for source in members
                if not source.earlier
            }
            continue
        split = chosen[music]
        eligible = [source for source in members if source.settled in (None, split)]
        first = min(eligible, key=lambda source: (source.earlier != split, source.id), default=None)
        for source in members:
            if source not in eligible:
                left[source.id] = f"its music is in {split}"
            elif split != "train" and source is not first:
                left[source.id] = f"another pair of its music is in {split}"
            else:
                splits[source.id] = split
    return splits, left


def strictest(splits: Iterable[str | None]) -> str | None:
    named = set(splits)
    return next((split for split in STRICT if split in named), None)


def position(name: str) -> float:
    """In [0, 1), uniform over names and always the same."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def draw_split(name: str, val: float, test: float) -> str:
    place = position(name)
    return "test" if place < test else "val" if place < test + val else "train"


def fill_splits(chosen: dict[int, str], settled: Mapping[int, str | None], names: Mapping[int, str]) -> dict[int, str]:
    """``chosen``, with a music moved into each split that has none: with a few dozen musics the hash may miss one."""
    free = sorted((music for music in chosen if settled[music] is None), key=lambda music: position(names[music]))
    for split in SPLITS:
        if split in chosen.values():
            continue
        counts = {name: sum(value == name for value in chosen.values()) for name in SPLITS}
        spare = [music for music in free if counts[chosen[music]] > 1]
        if not spare:
            raise CorpusError(f"no pair is left for the split {split}; name its pairs in the list, or add videos")
        chosen[spare[-1] if split == "train" else spare[0]] = split
    return chosen
