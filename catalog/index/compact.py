"""The index for 20,000 to some millions of segments: on disk, compact, always searchable while it changes.

Most of it is a *generation*, files that never change (``compact_generation.py``) and are mapped. What was added since
waits in memory and is compared exactly; what was removed or replaced is marked dead. Past a share of either
(``compact_sizes.Sizes``), another process makes the next generation of both, which then takes the place of the old one.
A search uses one state from its begin to its end.

*What is found*: with few rows, or few that pass a condition, every row is compared. Otherwise about .99 of the best 32
tracks are found (``segue bench search --vectors`` measures it). Vectors and scores are rounded to 11 bits a number, by
at most 5e-4 of the norms.

*What is kept*: a generation. What waits in memory is lost when the index is closed or its process ends, and what was
dead is alive again; ``stamps`` tells what is held after opening, so that the catalogue adds and removes the rest. A
generation that is damaged is not used, which is logged, and the index begins empty.
"""

import logging
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from catalog.errors import SearchIndexError
from catalog.records import Floats

from .base import EVERYWHERE, Hit, IndexOptions, SearchState, Segments, Where
from .compact_blocks import blocks_of
from .compact_child import Child, Made
from .compact_files import INDEX, current, making, sweep
from .compact_generation import Generation, open_generation
from .compact_merge import write_waiting
from .compact_rounding import rounded
from .compact_sizes import DEFAULTS, Sizes
from .compact_state import State, empty_rows
from .rows import Rows, merge

log = logging.getLogger(__name__)

RETIRED_S = 1.0
TRIES = 5  # to open what another process replaces


@dataclass(eq=False)
class _Merge:
    """One under way: the state that it began with, and the ids of the tracks that were changed since."""

    began: State
    changed: set[str] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)


class CompactIndex:
    """A ``VectorIndex``. ``make``: what makes a generation instead of a process of its own; for tests."""

    exact: ClassVar[bool] = False

    def __init__(self, options: IndexOptions, sizes: Sizes = DEFAULTS, make: Made | None = None) -> None:
        self._options, self._sizes = options, sizes
        self._index = options.folder / INDEX
        self._child = Child()
        self._make = self._child.make if make is None else make
        self._writing = threading.Lock()
        self._merge: _Merge | None = None
        self._failed_at = 0  # rows that waited when a merge failed; the next try is when there are more
        self._closed = False
        base = self._open()
        if base is not None:
            threading.Thread(target=base.touch, name="index-touch", daemon=True).start()
        dead = np.zeros(0 if base is None else len(base.table), np.bool_)
        self._state = State(base, dead, empty_rows(options.dim), sizes)

    def keeps(self, segments: int) -> bool:
        return segments >= self._sizes.kept

    def __len__(self) -> int:
        return len(self._state)

    @property
    def state(self) -> SearchState:
        asked = self._options.device != "cpu"
        return SearchState("cpu", "the compact index searches on the CPU" if asked else "")

    @property
    def generation(self) -> Path | None:
        """The folder of the generation that is searched; None where all is in memory."""
        base = self._state.base
        return None if base is None else base.folder

    def search(self, query: Floats, n: int, where: Where = EVERYWHERE) -> list[Hit]:
        return self._state.search(query, n, where)

    def vectors(self, tracks: Sequence[str]) -> list[Floats]:
        state = self._state
        return [state.of(id) for id in tracks]

    def stamps(self) -> dict[str, str]:
        return self._state.stamps()

    def blocks(self, where: Where = EVERYWHERE) -> Iterator[Segments]:
        return blocks_of(self._state, where)

    def upsert(self, segments: Segments) -> None:
        segments.check(self._options.dim)
        kept = Segments(segments.tracks, segments.counts, rounded(segments.vectors), segments.stamps)
        with self._writing:
            self._change(kept, {track.id for track in kept.tracks})

    def remove(self, tracks: Iterable[str]) -> None:
        nothing = Segments([], np.zeros(0, np.int64), np.zeros((0, self._options.dim), np.float32))
        with self._writing:
            self._change(nothing, set(tracks))

    def settle(self) -> None:
        """Wait until no generation is under way; for tests and measurements."""
        while (under_way := self._merge) is not None:
            under_way.done.wait()

    def close(self) -> None:
        """Ends a merge under way. May be called twice."""
        self._closed = True
        self._child.stop()
        self.settle()

    def _open(self) -> Generation | None:
        problem: Exception | None = None
        for _ in range(TRIES):
            folder: Path | None = None
            try:
                folder = current(self._index)
                return None if folder is None else open_generation(folder, self._options.dim)
            except (SearchIndexError, FileNotFoundError) as error:
                problem = error
                if folder is None or not self._replaced(folder):
                    break
        log.warning("the index is not used: %s", problem)
        return None

    def _replaced(self, folder: Path) -> bool:
        """Whether another process has let another generation count since."""
        try:
            return current(self._index) != folder
        except SearchIndexError:
            return False

    def _change(self, new: Segments, ids: set[str]) -> None:
        """Replace the tracks ``ids`` by ``new``; holds the lock."""
        state = self._state
        if self._merge is not None:
            self._merge.changed |= ids
        dead = state.dead
        if numbers := [number for number in map(state.number, ids) if number is not None]:
            dead = dead.copy()
            dead[numbers] = True
        self._state = State(state.base, dead, Rows(merge(state.delta, new, ids)), self._sizes)
        if self._merge is None and self._due(self._state):
            self._begin(wait=state.base is None or len(new.vectors) > len(state.base) // 2)

    def _due(self, state: State) -> bool:
        rows = 0 if state.base is None else len(state.base)
        if self._closed or len(state) < self._sizes.kept or len(state.delta) + state.dead_rows <= self._failed_at:
            return False
        return (
            len(state.delta) > self._sizes.waiting(rows)
            or state.dead_rows > self._sizes.dead * rows
            or state.base is None
        )

    def _begin(self, wait: bool) -> None:
        """Make a generation of the present state; ``wait`` where there is little else to search."""
        merging = self._merge = _Merge(self._state)
        if wait:
            self._finish(merging, self._made(merging.began))
            return

        def run() -> None:
            base = self._made(merging.began)
            with self._writing:
                self._finish(merging, base)
            del base
            time.sleep(RETIRED_S)  # then no search has the old generation any more, and none has to take it apart

        threading.Thread(target=run, name="index-merge", daemon=True).start()

    def _made(self, state: State) -> Generation | None:
        """A new generation of ``state``; None where that fails, which is logged."""
        waiting: Path | None = None
        try:
            waiting = making(self._index)
            base = None if state.base is None else state.base.folder
            if base is not None and not base.is_dir():  # another process has replaced it
                state, base = _in_memory(state), None
            write_waiting(waiting, state.delta, state.dead)
            named = self._make(self._index, waiting, base, self._options.dim, self._sizes)
            made = open_generation(named, self._options.dim)
            if state.base is None:
                made.touch()
            else:
                made.warm(state.base)
            return made
        except (OSError, SearchIndexError, RuntimeError, ValueError) as error:
            if not self._closed:
                log.warning(
                    "%s: no new generation could be made (%s); what was added stays in memory, and searches go on",
                    self._index,
                    error,
                )
            return None
        finally:
            if waiting is not None:
                shutil.rmtree(waiting, ignore_errors=True)

    def _finish(self, merging: _Merge, made: Generation | None) -> None:
        """Let ``made`` take its place, with what was changed since; holds the lock."""
        state = self._state
        if made is None:
            self._failed_at = 2 * (len(state.delta) + state.dead_rows)
        else:
            self._failed_at = 0
            numbers = made.table.numbers
            dead = np.zeros(len(made.table), np.bool_)
            dead[[numbers[id] for id in merging.changed if id in numbers]] = True
            gone = [id for id in state.delta.ids if id not in merging.changed]
            nothing = Segments([], np.zeros(0, np.int64), state.delta.vectors[:0])
            self._state = State(made, dead, Rows(merge(state.delta, nothing, gone)), self._sizes)
            replaced = None if state.base is None else state.base.folder
            sweep(self._index, replaced if replaced != made.folder else None)
        self._merge = None
        merging.done.set()


def _in_memory(state: State) -> State:
    """The same, with all of it waiting."""
    rows = state.delta
    for block in blocks_of(State(state.base, state.dead, empty_rows(rows.vectors.shape[1]), state.sizes), EVERYWHERE):
        rows = Rows(merge(rows, block))
    return State(None, np.zeros(0, np.bool_), rows, state.sizes)
