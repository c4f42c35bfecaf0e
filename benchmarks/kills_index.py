"""A compact index whose process is killed while it makes its next generation: does a whole one count each time, and is
nothing lost that one held? The process that makes it is killed with the one that asked for it, at a random moment."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from catalog.errors import SearchIndexError
from catalog.index.base import IndexOptions
from catalog.index.compact import CompactIndex
from catalog.index.compact_files import INDEX, current, read_manifest

from .kills_merging import DIM, OPENED, SIZES, ids, least

LATEST_S: Final = 4.0  # after the index was opened
GROUPS: Final = hasattr(os, "killpg")


@dataclass
class Rebuilt:
    """An index in ``folder``, and what has happened to it."""

    folder: Path
    random: random.Random
    killed: int = 0
    midway: int = 0  # kills while a generation was under way
    round: int = -1  # the last that a generation is known to hold
    wrong: list[str] = field(default_factory=list)

    def go(self, count: int, say: Callable[[str], None]) -> None:
        """Kill that often."""
        while self.killed < count:
            self.kill(self.random.uniform(0.0, LATEST_S))
            if self.killed % 5 == 0:
                say(f"{self.killed} kills of rebuilding, {len(self.wrong)} wrong; round {self.round}")

    def kill(self, after_s: float) -> None:
        before = self.making()
        command = [sys.executable, "-m", "benchmarks.kills_merging", str(self.folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            self.midway += bool(self.making() - before)
            if GROUPS:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        rounds = [int(word) for word in process.communicate()[0].split()]
        self.killed += 1
        if said != OPENED or process.returncode != -signal.SIGKILL:
            self.wrong.append(f"kill {self.killed}: it ended by itself with {process.returncode}")
        self.round = max([self.round, *rounds])
        self.check()

    def making(self) -> set[Path]:
        """The folders of generations under way, and of those that a kill left so."""
        return set((self.folder / INDEX).glob("making-*"))

    def check(self) -> None:
        """That a whole generation counts, with every track at least of the round that is known to be held."""
        try:
            folder = current(self.folder / INDEX)
            if folder is not None:
                read_manifest(folder, thorough=True)
        except (SearchIndexError, FileNotFoundError) as error:
            self.wrong.append(f"kill {self.killed}: {error}")
            return
        index = CompactIndex(IndexOptions(self.folder, DIM), SIZES)
        try:
            stamps = index.stamps()
            wanted = [] if self.round < 0 else ids(None)
            late = [id for id in wanted if int(stamps.get(id, "-1")) < least(id, self.round)]
            mixed = [
                id
                for id, vectors in zip(stamps, index.vectors(list(stamps)), strict=True)
                if not len(vectors) or (vectors[:, 0] != int(stamps[id])).any()
            ]
        finally:
            index.close()
        if late:
            self.wrong.append(f"kill {self.killed}: {len(late)} tracks that were held are lost or of an earlier round")
        if mixed:
            self.wrong.append(f"kill {self.killed}: {len(mixed)} tracks whose vectors are not those of their stamp")
