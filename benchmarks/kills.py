"""An indexer that is killed at any instant: is the catalogue whole each time, and is nothing lost that was committed?

A third of the kills hit an indexer that begins a catalogue, a third one that updates it, a third an index that is made
anew (``kills_index.py``). Each round changes the folder of music (files come, go, move, are written anew), begins
``segue index`` and kills it (SIGKILL) at a random moment. Then everything is read (``catalog.verify``), and the tracks
that were committed just before the kill are looked for. Every ``WHOLE`` rounds of updating one run may end: then the
catalogue has to be what the folder is.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from catalog.layout import is_catalog
from catalog.store import Store
from catalog.verify import verify

from .errors import BenchError
from .harness import Report, Row, print_rows
from .kills_index import Rebuilt
from .report.progress import reached
from .report.run import publish, run_of

RATE_HZ: Final = 22_050
TRACK_S: Final = 12.0
FILES: Final = 24
WHOLE: Final = 5
BEGUN: Final = 3  # kills of indexers that begin one catalogue
RUN_S: Final = 300.0
BEGIN_S: Final = 15.0  # a kill of an indexer that begins comes within


def add_kills(kinds: Any) -> None:
    """Add ``kills`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("kills", help="an indexer and an index killed at random moments: what is lost")
    parser.add_argument("--count", type=int, default=50, help="kills (default 50)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and changes (default 1)")
    parser.add_argument("--quick", action="store_true", help="8 kills")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def kills(options: argparse.Namespace) -> int:
    """0 where nothing was lost, else 1."""
    count = 8 if options.quick else options.count
    if not 1 <= count <= 10_000:
        raise BenchError("--count must be from 1 to 10000")
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="segue-kills-") as folder:
        tried = Tried(Path(folder), options.seed)
        say = run_of(options).say
        tried.begin(-(-count // 3), say)
        tried.go(count - count // 3, say)
        rebuilt = Rebuilt(Path(folder) / "rebuilt", tried.random)
        rebuilt.go(count // 3, say)
    rows, wrong = tried.rows() + rows_of(rebuilt), tried.wrong + rebuilt.wrong
    print_rows(rows, Console(), f"killed {tried.killed + rebuilt.killed} times")
    for text in wrong:
        console.print(text, markup=False)
    return max(publish(options, Report("kills", rows, {"seed": options.seed, "files": FILES})), int(bool(wrong)))


def rows_of(rebuilt: Rebuilt) -> list[Row]:
    counts = {"kills": rebuilt.killed, "kills_midway": rebuilt.midway, "wrong": len(rebuilt.wrong)}
    return [Row(name, float(n), rebuilt.killed, "", {"while": "rebuilding"}) for name, n in counts.items()]


@dataclass
class Tried:
    """A folder of music, its catalogue, and what has happened to them."""

    folder: Path
    seed: int
    killed: int = 0
    begun: int = 0  # of these, kills of an indexer that had begun the catalogue
    ended: int = 0  # runs that were over before their moment came
    midway: int = 0  # kills after which some but not all was committed
    unowned: int = 0  # clip files that a killed run left behind
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.music, self.catalog = self.folder / "music", self.folder / "catalog"
        self.music.mkdir()
        self.made = 0
        for _ in range(FILES):
            self.add()

    def begin(self, count: int, say: Callable[[str], None]) -> None:
        """Kill that often, each ``BEGUN`` kills with a catalogue that begins with nothing."""
        rounds = 0
        while self.killed < count:
            rounds += 1
            if self.killed % BEGUN == 0:
                shutil.rmtree(self.catalog, ignore_errors=True)
            self.kill(-rounds, self.change(), self.random.uniform(0.0, BEGIN_S))
            if rounds % WHOLE == 0:
                say(f"{self.killed} kills, {len(self.wrong)} wrong")
        self.begun = self.killed

    def go(self, count: int, say: Callable[[str], None]) -> None:
        """Kill until it was that often."""
        rounds, longest_s = 0, 20.0
        while self.killed < count:
            reached(say, self.killed, count)
            rounds += 1
            changed = self.change()
            if rounds % WHOLE == 0:
                begun_s = time.monotonic()
                self.finish(rounds)
                longest_s = time.monotonic() - begun_s
                say(f"{self.killed} kills, {len(self.wrong)} wrong; a whole run takes {longest_s:.1f} s")
            else:
                self.kill(rounds, changed, self.random.uniform(0.0, longest_s))
        self.finish(rounds + 1)

    def kill(self, number: int, changed: set[Path], after_s: float) -> None:
        process = subprocess.Popen(self.words(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            before = self.committed(changed)
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.killed += 1
            self.check(number, before)
        else:
            self.ended += 1

    def finish(self, number: int) -> None:
        """A run that may end."""
        done = subprocess.run(self.words(), capture_output=True, text=True, timeout=RUN_S, check=False)
        if done.returncode:
            self.wrong.append(f"round {number}: the run after it ended with {done.returncode}: {done.stderr[-300:]}")
        self.check(number, set(), whole=True)

    def check(self, number: int, before: set[str], whole: bool = False) -> None:
        if not is_catalog(self.catalog):
            if before or whole:
                self.wrong.append(f"round {number}: the catalogue is gone")
            return
        found = verify(self.catalog, look_at_music=False)
        self.wrong += [f"round {number}: {fault}" for fault in found.faults]
        self.unowned += found.unowned
        with closing(Store(self.catalog, write=False)) as store:
            ids, files = store.ids(), {path for path, known in store.files().items() if not known.missing}
        if lost := before - ids:
            self.wrong.append(f"round {number}: {len(lost)} tracks that were committed are lost")
        there = set(self.music.iterdir())
        self.midway += 0 < len(files & there) < len(there)
        if whole and (files != there or found.unowned):
            self.wrong.append(f"round {number}: {len(files ^ there)} files differ, {found.unowned} clip files too many")

    def committed(self, changed: set[Path]) -> set[str]:
        """The tracks of files that nobody has touched since."""
        if not is_catalog(self.catalog):
            return set()
        with closing(Store(self.catalog, write=False)) as store:
            return {
                id for path, known in store.files().items() if path not in changed and path.exists()
                for id in known.tracks
            }  # fmt: skip

    def words(self) -> list[str]:
        words = [sys.executable, "-m", "segue", "index", str(self.music), "-c", str(self.catalog)]
        return [*words, "--jobs", str(self.random.choice((1, 2)))]

    # -- what happens to the music

    def change(self) -> set[Path]:
        """Some files come, go, move and are written anew; returns the paths that this touched."""
        before = sorted(self.music.iterdir())
        gone, moved, anew = self.random.sample(before, 3)
        gone.unlink()
        other = self.music / f"moved {self.made} {self.random.random():.6f}.wav"
        moved.rename(other)
        self.write(anew)
        return {gone, moved, other, anew, *(self.add() for _ in range(2))}

    def add(self) -> Path:
        path = self.music / f"{self.made:04}.wav"
        self.write(path)
        return path

    def write(self, path: Path) -> None:
        """Some seconds of a chord and a click, each time others."""
        self.made += 1
        rng = np.random.default_rng((self.seed, self.made))
        time_s = np.arange(int(TRACK_S * RATE_HZ)) / RATE_HZ
        tone = sum(np.sin(2 * np.pi * hz * time_s) for hz in rng.uniform(90, 900, 3))
        click = np.exp(-40 * (time_s % (60.0 / rng.uniform(70, 150)))) * np.sin(2 * np.pi * 1200 * time_s)
        samples = np.clip((0.1 * tone + 0.6 * click) * 32_000, -32_000, 32_000).astype("<i2")
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE_HZ)
            out.writeframes(samples.tobytes())

    def rows(self) -> list[Row]:
        counts = {
            "runs_that_ended": self.ended, "kills_midway": self.midway,
            "clip_files_left": self.unowned, "wrong": len(self.wrong),
        }  # fmt: skip
        labels: dict[str, str | int | float] = {"while": "indexing, updating"}
        rows = [Row(name, float(value), self.killed, "", labels) for name, value in counts.items()]
        first = [
            Row("kills", float(n), n, "", {"while": name})
            for name, n in (("indexing", self.begun), ("updating", self.killed - self.begun))
        ]
        return first + rows
