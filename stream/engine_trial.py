"""One engine tried in a process of its own, which may hang or be killed by a driver without harm to who asked.

``trial`` starts ``python -m stream.engine_trial`` and reads its answer, one JSON object on standard output.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.choose import OPENERS, EngineOptions, clip_inputs, clip_ms, first_line, open_warm


@dataclass(frozen=True, slots=True)
class Tried:
    """``reason``: why it cannot be used, empty where it can; ``clip_ms``: the median time of one clip."""

    engine: str
    clip_ms: float | None
    reason: str


def trial(name: str, bundle: Path, options: EngineOptions, limit_s: float) -> Tried:
    """Open, warm up and time the engine of that name; never raises for what goes wrong with it."""
    plans = None if options.plans is None else str(options.plans)
    told = {"threads": options.threads, "device": options.device, "precision": options.precision}
    asked = {"name": name, "bundle": str(bundle), "options": told | {"triton": options.triton, "plans": plans}}
    command = [sys.executable, "-m", "stream.engine_trial", json.dumps(asked)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=limit_s)
    except subprocess.TimeoutExpired:
        return Tried("", None, f"not ready within {limit_s:g} s; --limit S waits longer")
    except OSError as error:
        return Tried("", None, f"no process could be started for it: {error.strerror}")
    return read(done.returncode, done.stdout, done.stderr)


def read(code: int, out: str, err: str) -> Tried:
    """What the process said, or how it ended."""
    try:
        told: dict[str, Any] = json.loads(out.splitlines()[-1])
        return Tried(str(told["engine"]), told["clip_ms"], str(told["reason"]))
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    if code < 0:
        return Tried(
            "", None, f"its process was killed ({signal.Signals(-code).name}): the driver or the runtime broke"
        )
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    return Tried("", None, f"its process ended with {code}: {last[:200]}")


def main(argv: Sequence[str]) -> int:
    """The process's work: always an answer, never a traceback."""
    asked = json.loads(argv[0])
    given = dict(asked["options"])
    given["plans"] = None if given["plans"] is None else Path(given["plans"])
    try:
        from engines.bundle import load_bundle
        from features.spec import FEATURES

        engine = open_warm(asked["name"], load_bundle(asked["bundle"], FEATURES), EngineOptions(**given), OPENERS)
        tried = {"engine": engine.name, "clip_ms": clip_ms(engine, clip_inputs(engine)), "reason": ""}
        engine.close()
    except ImportError as error:
        tried = {"engine": "", "clip_ms": None, "reason": f"the package {error.name} is not installed"}
    except Exception as error:  # noqa: BLE001 - the reason is the answer
        tried = {"engine": "", "clip_ms": None, "reason": first_line(error)}
    sys.stdout.write("\n" + json.dumps(tried) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
