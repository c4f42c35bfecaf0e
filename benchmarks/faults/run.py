"""The scripts by name, each within its time."""

import asyncio
import importlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.harness import Report, Row
from benchmarks.report.progress import counted
from benchmarks.streams import write_stream

from .outcome import Outcome, SkippedError
from .target import Scene

Script = Callable[[Scene, Outcome], Awaitable[None]]
SCRIPT_S: Final = 240.0
STREAM_S: Final = 10


def measure(catalog: Path, names: Sequence[str], seed: int, say: Callable[[str], None]) -> tuple[Report, list[str]]:
    """The rows of these scripts, and the promises that were not kept.

    A script that this machine cannot run gives the row ``skipped``; one that takes longer than `SCRIPT_S` is stopped
    and counts as a broken promise.
    """
    rows: list[Row] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="segue-faults-") as folder:
        stream = write_stream(Path(folder) / "stream.mp4", STREAM_S)
        for name in counted(names, say):
            own = Path(folder) / name
            own.mkdir()
            begun_s = time.monotonic()
            outcome = asyncio.run(bounded(name, Scene(catalog, stream, own, seed, say), SCRIPT_S))
            outcome.count("took_s", time.monotonic() - begun_s, 1, "s")
            rows += outcome.rows
            broken += outcome.broken
            say(f"{name}: {len(outcome.rows)} figures, {len(outcome.broken)} promises broken")
    return Report("faults", rows, {"seed": seed}), broken


async def bounded(name: str, scene: Scene, seconds: float) -> Outcome:
    """What one script found, as far as it came."""
    script: Script = getattr(importlib.import_module(f".{name}", __package__), name)
    outcome = Outcome(name)
    try:
        async with asyncio.timeout(seconds):
            await script(scene, outcome)
    except SkippedError as error:
        scene.say(f"{name}: skipped, {error}")
        outcome.count("skipped", 1, 1, "", reason=str(error))
    except TimeoutError:
        outcome.expect(False, f"it took longer than {seconds:g} s, or waited for something in vain")
    except Exception as error:  # noqa: BLE001 - the other scripts are still to run
        outcome.expect(False, f"it could not go on: {type(error).__name__}: {error}")
    return outcome
