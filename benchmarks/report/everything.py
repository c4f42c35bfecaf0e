"""``segue bench all``: the benchmarks that need nothing but Segue itself, one after another, and one report of them.

Each runs as a process of its own, so that none finds what another left in memory, and a time limit ends one that hangs.
One that fails is told and the others go on. Music, catalogue and video are made here where none are given.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.errors import BenchError
from benchmarks.harness import Report

from .progress import expect, reached
from .reading import ALL, part_of, read
from .run import publish_document, run_of, shown
from .show import WIDE, print_document

TRACKS: Final = 12
VIDEO_S: Final = 20
STOP_S: Final = 10.0
PREPARE_S: Final = 40.0
MISSING: Final = "the package "  # how segue's own message of a package that is not installed begins


@dataclass(frozen=True)
class Material:
    """What benchmarks are run on."""

    music: Path
    catalog: Path
    video: Path


@dataclass(frozen=True)
class Step:
    """``words`` of a benchmark; ``about_s``: how long it takes, for the time that is left; ``most_s`` ends it.
    ``quick``: also among the quick ones."""

    kind: str
    words: Callable[[Material], list[str]]
    about_s: float
    most_s: float
    quick: tuple[float, float] | None = None  # likewise, when quick


def steps() -> list[Step]:
    def on_catalog(m: Material) -> list[str]:
        return ["-c", str(m.catalog)]

    return [
        Step("latency", lambda m: [str(m.video), *on_catalog(m)], 75, 300, (25, 60)),
        Step("engines", lambda _: ["--engines", "onnx-cpu,onnx-cuda,tensorrt"], 180, 900, (35, 75)),
        Step("search", lambda _: [], 120, 900, (25, 60)),
        Step("index", lambda m: [str(m.music)], 180, 900, (45, 90)),
        Step("deblocking", lambda m: [str(m.video)], 120, 600, (10, 40)),
        Step("capacity", on_catalog, 900, 2400, (45, 80)),
        Step("live", lambda _: [], 600, 2400),
        Step("kills", lambda _: [], 600, 2400),
        Step("faults", on_catalog, 900, 2700),
        Step("soak", on_catalog, 1900, 2700),
    ]


def add_all(kinds: Any) -> None:
    """Add ``all`` to the parser of ``segue bench``."""
    known = [step.kind for step in steps()]
    parser = kinds.add_parser(
        ALL, help="latency, engines, search, index, deblocking, capacity, and more without --quick"
    )
    parser.add_argument("source", type=Path, nargs="?", metavar="SOURCE", help="a video file (default: the studio's)")
    parser.add_argument("--music", type=Path, metavar="FOLDER", help="folder of music (default: the studio's)")
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="each of the first six, quickly: below 5 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def every(options: argparse.Namespace) -> int:
    """1 if one of them failed, or a condition holds."""
    run = run_of(options)
    chosen = [step for step in steps() if (step.quick is not None or not options.quick)
              and (not options.only or step.kind in options.only)]  # fmt: skip
    if not chosen:
        raise BenchError(f"--only {', '.join(options.only)}: none of these is quick; leave out --quick")
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    found: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-")))
        run.say("making music, a catalogue and a video")
        times = [step.quick[0] if options.quick and step.quick else step.about_s for step in chosen]
        expect(run.say, PREPARE_S + sum(times))
        material = prepare(folder, options.music, options.source)
        try:
            for number, step in enumerate(chosen):
                run.say(f"{step.kind}, {number + 1} of {len(chosen)}")
                expect(run.say, sum(times[number:]))
                found.append(run_step(step, material, folder / f"{step.kind}.json", options.quick))
        except (KeyboardInterrupt, SystemExit):
            finish(options, found, "stopped")
            raise
        reached(run.say, 1, 1)
    document = finish(options, found, "")
    print_document(document, console)
    broken = [part for part in document["parts"] if part["state"] not in ("done", "skipped")]
    return max(publish_document(options, document), int(bool(broken)))


def finish(options: argparse.Namespace, found: Sequence[dict[str, Any]], failure: str) -> dict[str, Any]:
    """The joined report; where the run was stopped it is written at once."""
    run = run_of(options)
    run.end()
    run.published = True
    own = Report(ALL, [], {}).to_json(run.to_json(failure))
    own["parts"] = [document["parts"][0] for document in found]
    own["rows"] = [row for document in found for row in document["rows"]]
    own["curves"] = [{"bench": document["bench"]} | curve for document in found for curve in document["curves"]]
    if failure:
        publish_document(options, own)
    return own


def prepare(folder: Path, music: Path | None, video: Path | None) -> Material:
    """What is not given is made. Raises `BenchError` for music that cannot be indexed."""
    from benchmarks.streams import write_stream

    if music is None:
        from studio.library import demo_tracks, write_track

        music = folder / "music"
        music.mkdir()
        for track in demo_tracks(TRACKS):
            write_track(track, music)
    if video is None:
        video = write_stream(folder / "studio.mp4", VIDEO_S)
    catalog = folder / "catalog"
    command = [sys.executable, "-m", "segue", "index", str(music), "-c", str(catalog)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{music.name}: cannot be indexed ({last(done.stderr)}); name a folder with music")
    return Material(music, catalog, video)


def run_step(step: Step, material: Material, target: Path, quick: bool) -> dict[str, Any]:
    """A benchmark's report with its part's state: ``done``, ``failed``, ``out of time`` or ``skipped`` where a package
    is missing."""
    words = [step.kind, *step.words(material), *(["--quick"] if quick else []), "--json", str(target)]
    most_s = step.quick[1] if quick and step.quick else step.most_s
    began_s = time.monotonic()
    code, told = call([sys.executable, "-m", "segue", "bench", *words], most_s)
    took_s = round(time.monotonic() - began_s, 1)
    document: dict[str, Any] = {"bench": step.kind, "rows": [], "curves": []}
    with suppress(BenchError):
        document = read(target)
    part = part_of({"complete": code == 0} | document) | {"duration_s": took_s}
    if code is None:
        part |= {"state": "out of time", "failure": f"was stopped after {most_s:g} s"}
    elif code:
        missing = MISSING in last(told)
        part |= {"state": "skipped" if missing else "failed", "failure": shown(last(told))}
    document["parts"] = [part]
    return document


def call(command: Sequence[str], most_s: float) -> tuple[int | None, str]:
    """Its exit code, None where its time was over, and what it told; it ends with us."""
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        code: int | None = None
        try:
            code = process.wait(most_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_S)
                process.kill()
                process.wait()
        told.seek(0)
        return code, told.read().decode("utf-8", "replace")


def last(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it told nothing"
