"""One engine tried in a process of its own, which may hang or be killed by a driver without harm to the caller.

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
class TrialResult:
    """``reason``: why it cannot be used, empty where it can; ``clip_ms``: the median time of one clip."""

    engine: str
    clip_ms: float | None
    reason: str


def trial(name: str, bundle: Path, options: EngineOptions, limit_s: float) -> TrialResult:
    """Open, warm up and time the engine of that name; never raises for what goes wrong with it."""
    plans = None if options.plans is None else str(options.plans)
    engine = {"threads": options.threads, "device": options.device, "precision": options.precision}
    request = {"name": name, "bundle": str(bundle), "options": engine | {"triton": options.triton, "plans": plans}}
    command = [sys.executable, "-m", "stream.engine_trial", json.dumps(request)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=limit_s)
    except subprocess.TimeoutExpired:
        return TrialResult("", None, f"not ready within {limit_s:g} s; --limit S waits longer")
    except OSError as error:
        return TrialResult("", None, f"no process could be started for it: {error.strerror}")
    return read_answer(done.returncode, done.stdout, done.stderr)


def read_answer(code: int, out: str, err: str) -> TrialResult:
    """The answer of the process, or how it ended."""
    try:
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return TrialResult(str(answer["engine"]), answer["clip_ms"], str(answer["reason"]))
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    if code < 0:
        return TrialResult(
            "", None, f"its process was killed ({signal.Signals(-code).name}): the driver or the runtime broke"
        )
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    return TrialResult("", None, f"its process ended with {code}: {last[:200]}")


def main(argv: Sequence[str]) -> int:
    """The process's work: always an answer, never a traceback."""
    request = json.loads(argv[0])
    options = dict(request["options"])
    options["plans"] = None if options["plans"] is None else Path(options["plans"])
    try:
        from engines.bundle import load_bundle
        from features.spec import FEATURES

        engine = open_warm(request["name"], load_bundle(request["bundle"], FEATURES), EngineOptions(**options), OPENERS)
        answer = {"engine": engine.name, "clip_ms": clip_ms(engine, clip_inputs(engine)), "reason": ""}
        engine.close()
    except ImportError as error:
        answer = {"engine": "", "clip_ms": None, "reason": f"the package {error.name} is not installed"}
    except Exception as error:  # noqa: BLE001 - the reason is the answer
        answer = {"engine": "", "clip_ms": None, "reason": first_line(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
