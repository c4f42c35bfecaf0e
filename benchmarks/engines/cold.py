"""Cold starts: fresh processes, the engines in turns, medians. Only disk caches are warm."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Row

from .contenders import Contender
from .timing import OwnLabels, median_row

REPEATS: Final = 5
START_S: Final = 300.0  # a plan may take minutes to build
STEPS: Final = ("process", "import", "open", "first", "steady")
ROOT: Final = Path(__file__).resolve().parent.parent.parent


def cold_rows(
    field: Sequence[Contender],
    run: Path | None,
    repeats: int,
    say: Callable[[str], None] = lambda line: None,
    plans: Path | None = None,
) -> list[Row]:
    """``cold_STEP_ms`` of each engine, medians over ``repeats`` processes; those that run torch need ``run``. TensorRT
    loads its ``plans``, None for the user's own: building takes minutes, and servers never do it."""
    import time

    samples: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    failed: dict[tuple[str, str], str] = {}
    for repeat in range(repeats):
        for contender in field:
            if (
                (contender.torch and run is None)
                or (contender.name, contender.precision) in failed
                or contender.name == "triton"
            ):
                continue
            say(f"cold start {repeat + 1} of {repeats}: {contender.title}")
            plan_state = "cached" if contender.name.startswith("tensorrt") else ""
            began = time.perf_counter()
            steps, reason = start(
                {
                    "bundle": str(contender.ready.bundle.path),
                    "engine": contender.name,
                    "precision": contender.precision,
                    "run": str(run),
                    "plans": str(plans or ""),
                }
            )
            if reason:
                failed[contender.name, contender.precision] = reason
                continue
            steps["process"] = (time.perf_counter() - began) * 1e3
            for step, value in steps.items():
                samples[contender.name, contender.precision, plan_state, step].append(value)
    rows = []
    for (name, precision, plan_state, step), values in samples.items():
        labels: OwnLabels = {"engine": name, "precision": precision}
        rows.append(median_row(f"cold_{step}_ms", values, labels | ({"plans": plan_state} if plan_state else {})))
    for (name, precision), reason in failed.items():
        rows.append(Row("cold_failed", 1.0, 1, "", {"engine": name, "precision": precision, "reason": reason}))
    return rows


def start(options: dict[str, Any]) -> tuple[dict[str, float], str]:
    """(milliseconds of each step, "") of a fresh process, or ({}, the reason why it failed)."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "benchmarks.engines.cold_start", json.dumps(options)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, env=env, check=False)
    except subprocess.TimeoutExpired:
        return {}, f"did not start within {START_S:.0f} s"
    if done.returncode != 0:
        return {}, (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    steps: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return steps, ""
