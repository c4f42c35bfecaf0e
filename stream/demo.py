"""``segue demo``: the first run. Composes a small library, indexes it, serves the page and opens it.

Everything it makes is kept in one folder of the user's cache and used again the next time. Each track and each index
entry is saved as soon as it is done, so an interrupted run goes on where it stopped.
"""

import argparse
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from catalog.indexer import index_folder
from catalog.layout import FORMAT
from catalog.sidecar import CSV
from catalog.worker import leave_with_parent
from engines.bundle import Bundle, default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from studio.library import DemoTrack, demo_tracks, write_track

from .server.address import bind
from .server.command import add_server_arguments, positive, say, serve_options, until_interrupted
from .server.errors import ServeError

TRACKS: Final = 48
SEED: Final = 0
# Made here and given away: so its badges, filters and credits can be seen at work.
RIGHTS: Final = "file,licence,live_ok,vod_ok,source\n*,CC0-1.0,yes,yes,segue demo\n"
Step = Callable[[int, int, str], None]  # done, of how many, what


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue demo", description="Make a demo catalogue (once), serve it, open the page in the browser."
    )
    arguments.add_argument("--folder", type=Path, help="where to keep the demo's music (default: the user's cache)")
    arguments.add_argument("--tracks", type=positive, default=TRACKS, metavar="N", help="tracks to make (%(default)s)")
    arguments.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes")
    arguments.add_argument("--no-browser", action="store_true", help="do not open a browser")
    add_server_arguments(arguments)
    return arguments


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    options = serve_options(arguments, Path())  # reports mistakes before the work begins
    folder = arguments.folder or cache_folder(os.environ, sys.platform, Path.home()) / "demo"
    bind(options.host, options.port).close()  # and a port in use
    bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
    with show_progress() as step:
        catalog = prepare(folder, bundle, arguments.tracks, arguments.jobs, step)

    def ready(url: str) -> None:
        say(f"segue demo: open {url} and allow the camera, or drop a video; Ctrl-C stops")
        if not arguments.no_browser:
            # some browsers block the caller until they are closed
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    return until_interrupted(replace(options, catalog=catalog), ready)


def cache_folder(environment: Mapping[str, str], platform: str, home: Path) -> Path:
    """The folder of this user's caches for Segue: in XDG_CACHE_HOME where it is set, else in the platform's place."""
    if chosen := environment.get("XDG_CACHE_HOME"):
        return Path(chosen) / "segue"
    if platform == "darwin":
        return home / "Library" / "Caches" / "segue"
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "segue" / "cache"
    return home / ".cache" / "segue"


def prepare(folder: Path, bundle: Bundle, tracks: int, jobs: int, step: Step) -> Path:
    """Make or complete the catalogue of ``tracks`` demo tracks in ``folder``; returns the catalogue's folder.

    Raises `ServeError` when the folder cannot be written or a track cannot be made.
    """
    music = folder / f"music-{tracks}"
    catalog = folder / f"catalog{FORMAT}-{tracks}-{bundle.identity[:12]}"  # a catalogue of an older format stays
    try:
        compose(demo_tracks(tracks, SEED), music, jobs, step)
        if not (rights := music / CSV).exists():
            rights.write_text(RIGHTS, encoding="utf-8")
    except OSError as error:
        raise ServeError(f"{folder}: cannot be written ({error}); choose another place with --folder") from error
    engine = OnnxEngine(bundle)
    try:
        report = index_folder(music, catalog, engine, jobs, lambda n, of, text: step(n, of, "Listening to them"))
    finally:
        engine.close()
    if report.failed:
        raise ServeError(f"{report.failed[0].line()}; delete {folder} and start again")
    return catalog


def compose(tracks: Sequence[DemoTrack], folder: Path, jobs: int, step: Step) -> None:
    """Write the missing tracks, ``jobs`` at a time; 1 works in this process."""
    for leftover in folder.glob(".*.part"):  # of a killed run
        leftover.unlink()
    missing = [track for track in tracks if not (folder / track.file_name).exists()]
    present = len(tracks) - len(missing)
    text = f"Composing {len(tracks)} tracks"
    step(present, len(tracks), text)
    for done, _ in enumerate(_write_tracks(missing, folder, min(jobs, len(missing))), start=present + 1):
        step(done, len(tracks), text)


def _write_tracks(tracks: Sequence[DemoTrack], folder: Path, jobs: int) -> Iterator[Path]:
    if jobs <= 1:
        yield from (write_track(track, folder) for track in tracks)
        return
    # spawn: the caller may have threads, and a fork would leave their locks in an undefined state
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)
    try:
        for future in as_completed([pool.submit(write_track, track, folder) for track in tracks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise ServeError(
            "a composing process was killed, perhaps for lack of memory; try again with --jobs 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Set up a process: Ctrl-C ends it without a traceback, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=leave_with_parent, daemon=True).start()


@contextlib.contextmanager
def show_progress() -> Iterator[Step]:
    """A bar for each kind of work where standard error is a terminal, else a line for each quarter of the work."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain
        return
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def step(done: int, total: int, text: str) -> None:
            if text not in tasks:
                tasks[text] = bars.add_task(text)
            bars.update(tasks[text], completed=done, total=total)

        yield step


def _plain(done: int, total: int, text: str) -> None:
    if total and (done == total or 4 * done // total != 4 * (done - 1) // total):
        sys.stderr.write(f"{text}: {done} of {total}\n")
        sys.stderr.flush()
