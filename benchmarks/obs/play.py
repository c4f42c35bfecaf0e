"""``segue bench obs-play``: what a running OBS makes of the music that Segue plays in it, by what it records.

OBS records while tracks are started, changed and lowered; its recording is then compared with the tracks themselves, in
which every place differs from every other (`benchmarks.starts.signal`). It works on an OBS of this machine that neither
streams nor records, and takes out again what it puts in. Lossless sound in the recording gives the best figures.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.errors import BenchError
from benchmarks.harness import Report, print_rows
from benchmarks.report.run import publish, run_of
from stream.obs.address import parse_address, password_of
from stream.obs.errors import ObsError

from .play_acts import ObsBenchOptions, play
from .play_rows import changes, ducks, starts
from .play_tracks import tracks
from .recorded import finder, read


def measure(options: ObsBenchOptions, say: Callable[[str], None]) -> Report:
    """Raises `BenchError` where OBS or ffmpeg is not there."""
    if shutil.which("ffmpeg") is None:
        raise BenchError("ffmpeg is not on PATH; it encodes the tracks, so install it")
    with tempfile.TemporaryDirectory() as name:
        shelf = tracks(Path(name), options.kinds, options.seconds)
        try:
            recording, log = asyncio.run(play(options, shelf, say))
        except ObsError as error:
            raise BenchError(str(error)) from error
        rate_hz, sound = read(recording)
        say(f"{len(sound) / rate_hz:.0f} s of sound recorded at {rate_hz} Hz; now it is compared")
        find = finder(log.begun_s, sound, rate_hz)
        rows = [row for rows_of in (starts, changes, ducks) for row in rows_of(log, sound, rate_hz, find)]
    return Report("obs-play", rows, {"seconds": options.seconds})


def add_obs_play(kinds: Any) -> None:
    parser = kinds.add_parser("obs-play", help="what a running OBS makes of the music that Segue plays in it")
    parser.add_argument("--obs", required=True, metavar="URL", help="OBS's websocket, as in ws://127.0.0.1:4455")
    parser.add_argument("--obs-password-file", type=Path, metavar="FILE", help="file with its password")
    parser.add_argument("--obs-cuts", type=Path, metavar="FOLDER", help="folder for sound, which OBS can read")
    parser.add_argument("--quick", action="store_true", help="each thing once or twice, a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def obs_play(options: argparse.Namespace) -> int:
    try:
        address = parse_address(options.obs, password_of(options.obs_password_file, os.environ))
    except ObsError as error:
        raise BenchError(str(error)) from error
    settings = ObsBenchOptions(address, cuts=options.obs_cuts)
    if options.quick:
        settings = ObsBenchOptions(address, starts=1, changes=2, steps=1, ducks=1, seconds=120.0, cuts=options.obs_cuts)
    report = measure(settings, run_of(options).say)
    print_rows(report.rows, Console(), "OBS's own recording against what was asked")
    return publish(options, report)
