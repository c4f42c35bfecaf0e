"""The process that makes a generation: ``python -m catalog.index.compact_child JOB``.

Searches go on meanwhile, in the process that asked for it, and it may be killed at any instant: a generation counts
from the moment ``current`` names it, when it is on the disk already.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from .compact_build import build
from .compact_sizes import Sizes

JOB: Final = "job.json"
NICE: Final = 10
Made = Callable[[Path, Path, Path | None, int, Sizes], Path]


class Child:
    """Makes generations, each in a process of its own; ``stop`` ends one under way."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False

    def make(self, index: Path, waiting: Path, base: Path | None, dim: int, sizes: Sizes) -> Path:
        """As ``compact_build.build``; ``RuntimeError`` where the process ends otherwise."""
        job = {"index": str(index), "base": None if base is None else str(base), "dim": dim, "sizes": asdict(sizes)}
        (waiting / JOB).write_text(json.dumps(job), encoding="ascii")
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._running = subprocess.Popen(
            [sys.executable, "-m", "catalog.index.compact_child", str(waiting)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        if self._stopped:
            self._running.kill()
        said, complaint = self._running.communicate()
        if self._running.returncode:
            last = (complaint.strip() or f"it ended with {self._running.returncode}").splitlines()[-1]
            raise RuntimeError(last[:300])
        return Path(json.loads(said))

    def stop(self) -> None:
        self._stopped = True
        if self._running is not None and self._running.poll() is None:
            self._running.kill()


def main(waiting: Path) -> int:
    if hasattr(os, "nice"):
        os.nice(NICE)
    job = json.loads((waiting / JOB).read_text(encoding="ascii"))
    base = None if job["base"] is None else Path(job["base"])
    try:
        named = build(Path(job["index"]), waiting, base, job["dim"], Sizes(**job["sizes"]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(str(named)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
