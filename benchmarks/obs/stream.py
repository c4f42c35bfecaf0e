"""``segue bench obs-stream``: a scripted stream of hours with the real OBS (Linux, a checkout with tests).

OBS shows films in its scenes and plays the music that ``segue serve --obs --obs-play`` hands it, while a script changes
scenes, presses keys over HTTP as a Stream Deck does, and kills OBS three times. Counted are: lists that did not come,
keys that were refused, takes that are in no cue, seconds in which music should be heard in OBS and is not (and the
reverse), what comes back after a kill and when, memory, descriptors and threads of the server, and each export of the
cues at the end. Every wait is drawn from ``seed``.
"""

import argparse
import asyncio
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from benchmarks.errors import BenchError
from benchmarks.harness import Report, print_rows
from benchmarks.report.progress import expect
from benchmarks.report.run import publish, run_of
from benchmarks.served import ROOT, Served, cores, free_port, served
from benchmarks.soak import ServerProbe
from benchmarks.streams import Shape, write_stream
from catalog.clips import CLIPS
from stream.cues.export.formats import FORMATS

from .stream_rows import Seen, rows
from .stream_script import KEY, SCENES, SILENT, Script, StreamOptions

FILM: Final = Shape(640, 360, 20, 800_000)
FILM_S: Final = 60
RULES: Final = f'[obs.scenes."{SILENT}"]\nmusic = "silent"\n'


def measure(catalog: Path, options: StreamOptions, say: Callable[[str], None]) -> Report:
    """Raises `BenchError` where OBS is not here, and where server or OBS do not come up."""
    folder = ROOT / "tests" / "tools"
    if not folder.is_dir():
        raise BenchError("obs-stream runs an OBS as the tests do: it needs a checkout with tests/tools")
    sys.path.append(str(folder))
    tools = importlib.import_module("real_obs")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        films = {scene: write_stream(place / f"{scene}.mp4", FILM_S, seed, FILM) for seed, scene in enumerate(SCENES)}
        with tools.obs(place, dict.fromkeys(SCENES, 0xFF303030), films=films) as real:
            os.environ["SEGUE_OBS_PASSWORD"] = real.password
            (place / "segue.toml").write_text(RULES)
            port = free_port()
            words = ["serve", "-c", str(catalog), "--port", str(port), "--config", str(place / "segue.toml")]
            words += ["--obs", real.url, "--obs-key", KEY, "--obs-play", "--cues", str(place / "cues")]
            words += ["--grace", "120", "--log-level", "error"]
            words += [] if options.bundle is None else ["--bundle", str(options.bundle)]
            with served("segue", words, port, cores()) as server:
                probe = ServerProbe(server, catalog.resolve() / CLIPS, time.monotonic())
                seen = asyncio.run(_stream(real, server, options, say, probe))
                cues, exports = _cues(server)
            return Report("obs-stream", rows(seen, cues, exports), {"minutes": options.minutes, "seed": options.seed})


async def _stream(
    real: Any, server: Served, options: StreamOptions, say: Callable[[str], None], probe: ServerProbe
) -> Seen:
    script = Script(real, server, options, say)
    await script.run(probe)
    return script.seen


def _cues(server: Served) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The cues of every session that was kept, and the status of each export, by its format."""
    cues, statuses = [], {}
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for session in client.get("/api/cues").raise_for_status().json()["sessions"]:
            cues += client.get(f"/api/cues/{session['id']}").raise_for_status().json()["cues"]
            for each in FORMATS.values():
                statuses[each.file] = client.get(f"/api/cues/{session['id']}/{each.file}").status_code
    return cues, statuses


def add_obs_stream(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kind = kinds.add_parser("obs-stream", help="hours of a scripted stream with the real OBS: scenes, keys, kills")
    kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    kind.add_argument("--minutes", type=float, default=120.0, help="of stream (default 120)")
    kind.add_argument("--kills", type=int, default=3, help="of OBS (default 3)")
    kind.add_argument("--seed", type=int, default=1, help="of the script (default 1)")
    kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def obs_stream(options: argparse.Namespace) -> int:
    """``segue bench obs-stream``."""
    console = Console()
    asked = StreamOptions(options.minutes, options.kills, options.seed)
    expect(run_of(options).say, 60 * options.minutes)
    report = measure(options.catalog, asked, run_of(options).say)
    print_rows(report.rows, console, f"a stream of {options.minutes:g} minutes with the real OBS")
    return publish(options, report)
