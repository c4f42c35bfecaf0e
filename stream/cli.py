"""The commands for live streams. The modules of a command are imported when it runs."""

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from catalog.arguments import add_index, add_loudness, add_search_device
from catalog.errors import CatalogError
from engines.arguments import add_engine_arguments, engine_notice, engine_options
from engines.errors import EngineError
from features.errors import FeatureError

from .errors import StreamError
from .obs.address import ENVIRONMENT, is_obs, parse_address, password_of
from .recording.arguments import add_record_arguments

USER_ERRORS = (StreamError, CatalogError, EngineError, FeatureError)
RECORD_WAIT_S: Final = 30.0  # at the end, for a slow disk
# modules that offer main(argv) -> int
ELSEWHERE: Final = {
    "replay": "stream.recording.command",
    "serve": "stream.server.command",
    "demo": "stream.demo",
    "doctor": "stream.doctor",
    "bank": "stream.bank",
    "cues": "stream.cues.command",
}


def main(command: str, argv: Sequence[str]) -> int:
    """Run one command; returns the exit code. Raises ``USER_ERRORS``."""
    if command == "watch":
        return watch(argv)
    return int(importlib.import_module(ELSEWHERE[command]).main(argv))


def watch_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segue watch",
        description="Suggest music for a video: a file, a camera (/dev/video0), an rtmp, rtsp, srt or http(s) URL, "
        "or what OBS has on air (obs://127.0.0.1:4455).",
    )
    parser.add_argument("source", metavar="SOURCE", help="file, camera or URL")
    parser.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    parser.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    parser.add_argument("--fast", action="store_true", help="as fast as possible instead of in real time")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (stream/PROTOCOL.md)")
    parser.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="decoder and engine threads (default: all cores to decode, 1 to run)",
    )
    parser.add_argument("--obs-password-file", type=Path, metavar="FILE", help=f"for obs:// (or {ENVIRONMENT})")
    parser.add_argument("--record", type=Path, metavar="FILE", help="record the session's input, for segue replay")
    add_record_arguments(parser)
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a page of what was proposed, at the end")
    add_engine_arguments(parser)
    add_search_device(parser)
    add_index(parser)
    add_loudness(parser)
    return parser


def watch(argv: Sequence[str]) -> int:
    """0 at the normal end, also of a file that was cut short (a warning says so)."""
    arguments = watch_parser().parse_args(argv)
    from catalog.catalog import Catalog
    from engines.bundle import default_bundle, load_bundle
    from engines.choose import choose, with_reserve
    from features.spec import FEATURES
    from stream.driver.runtime import Runtime
    from stream.sources.pull.pull import Pull

    from .core.session import SessionOptions
    from .cues.watched import WatchReport
    from .live_table import LiveTable
    from .recording.header import RecordOptions, make_header
    from .recording.recorder import Recorder
    from .sinks.base import Sink, Sinks
    from .sinks.lines import JsonLines
    from .watch import watch_fast, watch_paced
    from .watch_obs import watch_obs

    engines = engine_options(arguments, arguments.threads or 1)
    obs = None
    if is_obs(arguments.source):
        obs = parse_address(arguments.source, password_of(arguments.obs_password_file))
        if arguments.fast:
            raise StreamError(f"{obs}: OBS has no faster time than its own; leave out --fast")

    with Pull(arguments.source, arguments.threads or 0) if obs is None else nullcontext() as pull:
        bundle = load_bundle(arguments.bundle or default_bundle(), FEATURES)
        how = arguments.search_device, arguments.loudness, arguments.index
        with Catalog.open(arguments.catalog, bundle, *how) as catalog:
            if len(catalog) == 0:
                raise CatalogError(
                    f"{arguments.catalog}: holds no track; fill it with segue index MUSIC_DIR -c {arguments.catalog}"
                )
            recorder: Recorder | None = None
            choice = choose(bundle, arguments.engine, engines)
            if text := engine_notice(choice):
                sys.stderr.write(f"segue watch: {text}\n")
            engine = with_reserve(choice, bundle, engines)
            try:
                duration_s = None if pull is None else pull.duration_s
                board = None if arguments.json else LiveTable(str(obs or arguments.source), duration_s)
                shown: AbstractContextManager[object] = nullcontext() if board is None else board
                sink: Sink = JsonLines(sys.stdout) if board is None else board
                runtime = Runtime(engine, catalog)
                options = SessionOptions()
                if arguments.html is not None:
                    report = WatchReport(arguments.html, arguments.source, catalog)
                    sink, shown = Sinks([report], needed=[sink]), report.around(shown)
                if arguments.record is not None:
                    record = RecordOptions(
                        arguments.record_pictures, arguments.record_limit * 1024**2, arguments.threads or 1
                    )
                    header = make_header(runtime, catalog, options, record)
                    recorder = Recorder(arguments.record, header, record.limit, wait=arguments.fast)
                    recorder.writer.open()
                with shown:
                    if obs is not None:
                        asyncio.run(watch_obs(obs, runtime, options, sink, recorder))
                    elif pull is None:
                        raise AssertionError("no source")
                    elif arguments.fast:
                        watch_fast(pull, runtime, options, sink, recorder=recorder)
                    else:
                        asyncio.run(watch_paced(pull, arguments.source, runtime, options, sink, recorder=recorder))
            finally:
                if recorder is not None:
                    recorder.close(wait_s=RECORD_WAIT_S)
                engine.close()
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
