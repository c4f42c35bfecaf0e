"""Everything that a state of the compact index holds, whole tracks at a time."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from catalog.records import Track

from .base import Segments, Where
from .compact_state import State

BLOCK: Final = 65_536  # rows


def blocks_of(state: State, where: Where) -> Iterator[Segments]:
    """As ``VectorIndex.blocks``."""
    chosen: list[tuple[str, Track, str]] = []
    rows = 0
    for id, stamp in sorted(state.stamps().items()):
        if id in where.exclude or (where.only is not None and id not in where.only):
            continue
        number = state.number(id)
        if number is None or state.base is None:
            count, track = len(state.delta.of(id)), state.delta.track(id)
        else:
            count, track = int(state.base.table.counts[number]), state.base.table.track(number)
        if not count or (where.condition is not None and not where.condition.passes(track)):
            continue
        chosen.append((id, track, stamp))
        rows += count
        if rows >= BLOCK:
            yield _block(state, chosen)
            chosen, rows = [], 0
    if chosen:
        yield _block(state, chosen)


def _block(state: State, chosen: list[tuple[str, Track, str]]) -> Segments:
    vectors = [state.of(id) for id, *_ in chosen]
    counts = np.array([len(own) for own in vectors], np.int64)
    return Segments([track for _, track, _ in chosen], counts, np.concatenate(vectors), [stamp for *_, stamp in chosen])
