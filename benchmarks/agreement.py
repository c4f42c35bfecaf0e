"""Do two runs on one commit agree, and is what was made slower or worse on purpose found? Not for CI: it takes long.

    python -m benchmarks.agreement FOLDER RUNS [--plant STAGE=FACTOR]... KIND [WORDS...]

runs ``segue bench KIND WORDS`` so many times, compares each run with the one before, and prints what a comparison says
of each pair; of ``RUNS`` runs there are ``RUNS - 1`` pairs. With ``--plant``, then once more for each plant: a stage of
the path that takes ``FACTOR`` times as long (really: the time is spent where the stage runs), or ``recall=SHARE``, a
search that loses the rest of what it found; compared with the last run.
"""

import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from .report.compare import Comparison, compare
from .report.reading import read

PLANTED: Final = "planted"
RECALL: Final = "recall"


def main(words: Sequence[str]) -> int:
    if words[0] == PLANTED:
        return plant(words[1], words[2:])
    folder, runs, rest = Path(words[0]), int(words[1]), list(words[2:])
    plants = []
    while rest[0] == "--plant":
        plants.append(rest[1])
        del rest[:2]
    folder.mkdir(parents=True, exist_ok=True)
    reports = [measure([sys.executable, "-m", "segue", "bench", *rest], folder / f"{n}.json") for n in range(runs)]
    agreed = [tell(f"{n + 1} and {n + 2}", compare(*pair)) for n, pair in enumerate(itertools.pairwise(reports))]
    say(f"{sum(agreed)} of {len(agreed)} pairs agree in every row")
    for text in plants:
        command = [sys.executable, "-m", "benchmarks.agreement", PLANTED, text, *rest]
        tell(f"planted {text}", compare(reports[-1], measure(command, folder / f"{text}.json")))
    return 0


def measure(command: Sequence[str], target: Path) -> dict[str, Any]:
    if not target.exists():  # of an earlier call that was stopped
        subprocess.run([*command, "--json", str(target)], check=True, stdout=subprocess.DEVNULL)
    return read(target)


def tell(name: str, comparison: Comparison) -> bool:
    """Whether no row has a verdict."""
    verdicts = [
        verdict for word in ("slower", "worse", "faster", "better", "changed") for verdict in comparison.of(word)
    ]
    perhaps = sum(verdict.perhaps for verdict in comparison.verdicts)
    say(f"{name}: {len(comparison.verdicts)} rows, {len(verdicts)} verdicts, {perhaps} perhaps")
    for verdict in verdicts:
        say(f"  {verdict.text}")
    return not verdicts


def plant(text: str, words: Sequence[str]) -> int:
    """Run a benchmark in which something is slower or worse."""
    name, _, number = text.partition("=")
    if name == RECALL:
        lose(float(number))
    else:
        slow_down(name, float(number))
    from .cli import main as bench

    return bench("bench", words)


def slow_down(stage: str, factor: float) -> None:
    from stream.driver.stopwatch import Stopwatch

    plain = Stopwatch.lap

    def lap(self: Stopwatch, name: str, begun: float) -> float:
        until = begun + factor * (self.start() - begun) if name == stage else 0.0
        while self.start() < until:
            pass
        return plain(self, name, begun)

    Stopwatch.lap = lap  # type: ignore[method-assign, assignment]


def lose(share: float) -> None:
    from . import search

    plain = search.recalls

    def recalls(rows: Any, truth: Any) -> list[float]:
        kept = np.array(rows)
        kept[:, round(share * kept.shape[1]) :] = -1
        return plain(kept, truth)

    search.recalls = recalls


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
