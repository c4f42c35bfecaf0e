"""``segue replay``."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from catalog.arguments import add_index
from catalog.catalog import Catalog
from engines.bundle import default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES
from stream.core.events import Notice
from stream.driver.runtime import Runtime
from stream.live_table import LiveTable
from stream.sinks.base import Sink
from stream.sinks.lines import JsonLines

from .errors import RecordingError
from .format import Reader
from .header import check_bundle, current_facts, differences, engine_differences, engine_of
from .player import Outcome, replay


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue replay",
        description="Run a recording again: every call in it, with new answers of engine and catalogue. Ends with 0 "
        "when the suggestions are the same bit for bit, with 1 when something differs, and names the first difference.",
    )
    arguments.add_argument("recording", metavar="RECORDING", type=Path, help="a file made with --record")
    arguments.add_argument("-c", "--catalog", type=Path, required=True, help="the catalogue that was recorded with")
    add_index(arguments)
    arguments.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    arguments.add_argument("--json", action="store_true", help="one JSON object a line (stream/PROTOCOL.md)")
    arguments.add_argument(
        "--anyway", action="store_true", help="replay a recording of another bundle; its suggestions will differ"
    )
    return arguments


def main(argv: Sequence[str]) -> int:
    """0 the same, 1 something differs. Raises the errors of recordings, bundles and catalogues."""
    options = parser().parse_args(argv)
    with Reader(options.recording) as reader:
        bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
        if not options.anyway:
            check_bundle(options.recording, reader.header, bundle)
        threads, _ = engine_of(options.recording, reader.header)
        with Catalog.open(options.catalog, bundle, index=options.index) as catalog:
            engine = OnnxEngine(bundle, threads=threads)
            try:
                board = None if options.json else LiveTable(str(options.recording), None)
                display: AbstractContextManager[object] = nullcontext() if board is None else board
                sink: Sink = _Lines(sys.stdout) if board is None else board
                with display:
                    outcome = replay(reader, Runtime(engine, catalog), sink.put)
                causes = [
                    *engine_differences(reader.header, engine),
                    *differences(reader.header, current_facts(catalog)),
                ]
                if outcome.restocked:
                    causes.append(f"the catalogue changed meanwhile, {outcome.restocked} times")
                causes = causes if outcome.first is not None else []
            finally:
                engine.close()
    for text in summary(outcome, causes):
        (sys.stderr if options.json else sys.stdout).write(f"segue replay: {text}\n")
    return 0 if outcome.first is None else 1


def summary(outcome: Outcome, causes: Sequence[str]) -> list[str]:
    """The outcome in words, as lines."""
    counts = f"{outcome.calls} calls, {outcome.answers} answers, {outcome.lists} lists of suggestions"
    lines = [] if outcome.ending is None else [outcome.ending]
    if outcome.first is None:
        return [*lines, f"{counts}: all the same, bit for bit"]
    lines += [f"{counts}: not the same", f"first, {outcome.first}"]
    if causes:
        lines.append(f"not as it was recorded: {'; '.join(causes)}")
    if outcome.loose:
        lines.append("the session asked other questions than in the recording; from there on lists are not compared")
    elif outcome.different:
        lines.append(
            f"{outcome.different} lists differ: {outcome.moved} in their tracks or order, the scores of the others by "
            f"at most {outcome.gap:.2g}"
        )
    else:
        lines.append("the suggestions are the same nevertheless")
    return lines


class _Lines(JsonLines):
    def put(self, notice: Notice) -> None:
        try:
            super().put(notice)
        except ValueError as error:  # numbers that are not finite: no recorder writes them
            raise RecordingError(f"the recording leads to what cannot be published ({error}); copy it again") from error
