"""``segue bench index``: how fast music is indexed, process start included, beside librosa's ``load``, ``beat_track``
and ``melspectrogram`` of the same files.

Both as processes of their own on one core, in turns, so that whatever else the machine does falls on both alike. Speed
is processor time against the music's length; each process's own peak of memory is the system's. Then once more with a
stopwatch around each stage (``index_stages.py``), and beside it the stage's floor: what its library alone takes.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from rich.console import Console

from catalog.identity import open_media
from catalog.scan import scan

from .engines.timing import on_one_core
from .errors import BenchError
from .harness import Report, Row, print_rows
from .report.interval import of_turns
from .report.progress import reached
from .report.run import publish, run_of

ROOT: Final = Path(__file__).parent.parent
TRACKS: Final = 8  # of the studio, where no folder is given
ROUNDS: Final = 3
RIVAL: Final = "librosa"
RIVALS_CALLS: Final = """
import sys, librosa
for path in sys.argv[1:]:
    samples, rate_hz = librosa.load(path)
    librosa.beat.beat_track(y=samples, sr=rate_hz)
    librosa.feature.melspectrogram(y=samples, sr=rate_hz)
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What a process took: seconds of processor and by the clock, megabytes at its peak."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def add_index(kinds: Any) -> None:
    """Add ``index`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("index", help="how fast music is indexed, and what each stage takes")
    parser.add_argument("music", type=Path, nargs="?", metavar="MUSIC", help="folder of music (default: the studio's)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each, in turns (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="one round, without stages")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def index(options: argparse.Namespace) -> int:
    if options.rounds < 1:
        raise BenchError("--rounds must be at least 1")
    run_now = run_of(options)
    with ExitStack() as stack:
        folder = options.music
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-")))
            make_music(folder)
        files, seconds = music_of(folder)
        core = stack.enter_context(on_one_core())
        rounds = 1 if options.quick else options.rounds
        rows = run_now.keep(measure(folder, files, seconds, rounds, not options.quick, run_now.say))
    title = f"{len(files)} files, {seconds:.0f} s of music, one core"
    print_rows(rows, Console(), title)
    pinned = "none" if core is None else core
    settings: dict[str, str | int | float] = {"files": len(files), "music_s": seconds, "pinned to core": pinned}
    return publish(options, Report("index", rows, settings))


def make_music(folder: Path) -> None:
    """Fill ``folder`` with tracks of the studio."""
    from studio.library import demo_tracks, write_track

    for track in demo_tracks(TRACKS):
        write_track(track, folder)


def music_of(folder: Path) -> tuple[list[Path], float]:
    """Its files of sound and their length in seconds. Raises ``BenchError`` where there is none."""
    lengths: dict[Path, float] = {}
    for path in scan(folder, folder / "no catalogue here").files:
        with suppress(OSError, av.error.FFmpegError), open_media(path) as container:
            if container.streams.audio and container.duration:
                lengths[path] = container.duration / av.time_base
    if not lengths:
        raise BenchError(f"{folder}: holds no music; name a folder that does")
    return list(lengths), sum(lengths.values())


def measure(
    folder: Path, files: Sequence[Path], seconds: float, rounds: int, stages: bool, say: Callable[[str], None]
) -> Iterator[Row]:
    """Speed and memory of both; how much faster than the rival, as the median over the rounds; the stages."""
    rival = importlib.util.find_spec(RIVAL) is not None
    if not rival:
        say(f'{RIVAL} is not installed, so there is nothing to compare with; pip install ".[train]" brings it')
    ours: list[Took] = []
    theirs: list[Took] = []
    if rival:
        run(rivals(files[:1]))  # it compiles for half a minute on a fresh machine
    for number in range(rounds):
        reached(say, number + 0.1, rounds + 1)
        say(f"round {number + 1} of {rounds}")
        with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
            ours.append(run([sys.executable, "segue.py", "index", str(folder), "-c", f"{scratch}/c", "--jobs", "1"]))
        if rival:
            theirs.append(run(rivals(files)))
    for name, took in (("segue", ours), (RIVAL, theirs)):
        if took:
            yield from rows_of(name, took, seconds)
    if rival:
        ratios = [their.cpu_s / our.cpu_s for our, their in zip(ours, theirs, strict=True)]
        yield Row("faster_than_rival", float(np.median(ratios)), rounds, "", {"rival": RIVAL}, of_turns(ratios))
    if stages:
        reached(say, rounds, rounds + 1)
        say("stages")
        yield from stage_rows(folder, seconds)


def rows_of(name: str, took: Sequence[Took], seconds: float) -> Iterator[Row]:
    """Speeds by the median time, and the highest peak."""
    labels = {"of": name}
    for metric, times in (("x_real_time", [t.cpu_s for t in took]), ("wall_x_real_time", [t.wall_s for t in took])):
        speeds = of_turns([seconds / time for time in times])
        yield Row(metric, seconds / float(np.median(times)), len(took), "", labels, speeds)
    yield Row("slowest_x_real_time", seconds / max(t.cpu_s for t in took), len(took), "", labels)
    yield Row("peak_mb", max(t.peak_mb for t in took), len(took), "MB", labels)


def stage_rows(folder: Path, seconds: float) -> Iterator[Row]:
    """Seconds of processor of each stage and of its floor, and what is left beside the stages."""
    command = [sys.executable, "-m", "benchmarks.index_stages", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the stages could not be measured: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    for stage, (stage_s, floor_s) in found["stages"].items():
        yield Row("stage_s", stage_s, 1, "s", {"stage": stage})
        if floor_s is not None:
            yield Row("floor_s", floor_s, 1, "s", {"stage": stage})
    yield Row("stage_s", found["whole"] - sum(own for own, _ in found["stages"].values()), 1, "s", {"stage": "other"})
    yield Row("stages_x_real_time", seconds / found["whole"], 1, "", {})


def rivals(files: Sequence[Path]) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", RIVALS_CALLS, *map(str, files)]


def run(command: Sequence[str]) -> Took:
    """Run to the end and measure. Raises ``BenchError`` where it fails."""
    import resource
    import time

    if not hasattr(os, "wait4"):
        raise BenchError("this system does not tell what a process took; measure on Linux or macOS")
    with tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()[-500:]
            raise BenchError(f"{' '.join(command[:4])} ended with {process.returncode}: {said}")
    assert isinstance(used, resource.struct_rusage)
    unit = 1 if sys.platform == "darwin" else 1024
    return Took(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss * unit / 1e6)


def environment() -> dict[str, str]:
    """One thread in every library."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return os.environ | dict.fromkeys(names, "1") | {"PYTHONPATH": str(ROOT)}
