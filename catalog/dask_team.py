"""The workers of a Dask cluster that may work: each is asked what it has before it gets a file.

Dask itself lets workers of other releases work with no more than a warning (``get_versions(check=True)`` does not
raise), and says of one that lacks a module only that a task could not be read.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import dask_probe
from .dask_worker import Order, get_ready
from .errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

Tell = Callable[[str], None]

START_S = 30.0  # for the first worker to be there
JOIN_S = 600.0  # for one to be there again
SILENT = 3  # times that a worker may not answer before it counts as unfit
NAMED = 3  # workers that an error names
# What the scheduler, which reads the tasks but analyses nothing, must have in common with us.
SCHEDULERS = ("Python", "system", dask_probe.PROGRAM, "distributed", "dask", "cloudpickle")
# Read and executed by a Python that may know nothing of us. ``eval`` is everywhere, and takes an expression.
_SOURCE = Path(dask_probe.__file__).read_text(encoding="utf-8")
LOOK = f"(lambda space: (exec({_SOURCE!r}, space), space['look']())[1])({{}})"


class Team:
    """``fit``: the addresses of workers that are ready and were there when last looked; ``unfit``: others, and why."""

    def __init__(self, client: "Client", order: Order, tell: Tell) -> None:
        self._client, self._order, self._tell = client, order, tell
        self._own = dask_probe.look()["versions"]
        self.fit: dict[str, int] = {}  # how many threads each has
        self.unfit: dict[str, str] = {}
        self._silent: Counter[str] = Counter()
        self._missing = 0  # how many left, less those that joined
        self._last = time.monotonic()  # when a fit one was there
        self._complete = False

    @property
    def threads(self) -> int:
        return sum(self.fit.values())

    def gather(self) -> None:
        """Ask the scheduler and every worker that is there. Raises ``ClusterError`` unless all of them are fit."""
        self._ask_scheduler()
        try:
            self._client.wait_for_workers(1, timeout=START_S)
        except TimeoutError:
            raise ClusterError(
                f"{self._address()}: has no workers; start some (dask worker {self._address()} --nthreads 1), and let "
                "an adaptive cluster keep at least one"
            ) from None
        self.look_around()
        if self.unfit:
            raise ClusterError(self._complaint())
        self._complete = True

    def look_around(self) -> None:
        """Who is there now? Those who are new are asked; those who left are forgotten."""
        there = self._client.nthreads()
        for address in self.fit.keys() - there.keys():
            self._tell(f"worker {address} has left")
            self._missing += 1
        self.fit = {address: threads for address, threads in there.items() if address in self.fit}
        self.unfit = {address: reason for address, reason in self.unfit.items() if address in there}
        self._silent = Counter({address: times for address, times in self._silent.items() if address in there})
        self.ask({address: threads for address, threads in there.items() if address not in self.fit | self.unfit})
        self._hope()

    def ask(self, workers: Mapping[str, int]) -> None:
        """Get ``workers`` ready; one that cannot be is among the unfit from now on."""
        if not workers:
            return
        told = self._run(list(workers), eval, LOOK)
        reasons = {address: versions_reason(self._own, answer) for address, answer in told.items()}
        able = [address for address, reason in reasons.items() if not reason]
        if able:
            answers = self._run(able, get_ready, self._order)
            reasons |= {address: ready_reason(answer) for address, answer in answers.items()}
        for address, threads in workers.items():
            if address not in reasons:
                continue
            self._silent.pop(address, None)
            self._missing = max(0, self._missing - 1)
            if reasons[address]:
                self.dismiss(address, reasons[address])
            else:
                self.fit[address] = threads
                if self._complete:
                    self._tell(f"worker {address} has joined")

    def dismiss(self, address: str, reason: str) -> None:
        """A worker gets no more work."""
        self.fit.pop(address, None)
        if address not in self.unfit:
            self.unfit[address] = reason
            if self._complete:  # before that, all of them become one error
                self._tell(f"worker {address} gets no work: {reason}")

    def _run(self, workers: list[str], function: Callable[..., object], *arguments: object) -> dict[str, Any]:
        """What each worker answers or raises; those that left meanwhile, or may be about to, are not among them."""
        answers = self._client.run(function, *arguments, workers=workers, on_error="return")
        if silent := [address for address, answer in answers.items() if isinstance(answer, OSError)]:
            there = self._client.nthreads()
            self._silent.update(silent)
            passed = {address for address in silent if address not in there or self._silent[address] < SILENT}
            answers = {address: answer for address, answer in answers.items() if address not in passed}
        return dict(answers)

    def _hope(self) -> None:
        """Raises ``ClusterError`` where nobody is fit, and nobody will be."""
        if self.fit:
            self._last = time.monotonic()
        elif self.unfit and not self._missing and not self._silent:
            raise ClusterError(self._complaint())
        elif time.monotonic() - self._last > JOIN_S:
            raise ClusterError(
                f"{self._address()}: no worker has joined for {JOIN_S / 60:.0f} minutes; start some (dask worker "
                f"{self._address()} --nthreads 1), and run the command again: what was analysed is kept"
            )

    def _ask_scheduler(self) -> None:
        told = self._client.run_on_scheduler(eval, LOOK)
        if reason := differing(self._own, told["versions"], SCHEDULERS):
            raise ClusterError(f"scheduler {self._address()} {reason}")
        if (told["deaths"] or 0) > 1:
            self._tell(
                f"scheduler {self._address()}: a file that ends its worker is tried on {told['deaths'] + 1} of them; "
                "start it with DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=1"
            )

    def _complaint(self) -> str:
        named = [f"worker {address} {reason}" for address, reason in list(self.unfit.items())[:NAMED]]
        more = len(self.unfit) - len(named)
        return f"{self._address()}: {'; '.join(named)}{f'; and {more} more workers' if more else ''}"

    def _address(self) -> str:
        return str(self._client.scheduler.address)


def versions_reason(own: Mapping[str, str], answer: object) -> str:
    """What stands against a worker that answers so: cause and cure, or ""."""
    if isinstance(answer, BaseException):
        return f"cannot be asked ({type(answer).__name__}: {answer}); start it again"
    assert isinstance(answer, dict)
    return differing(own, answer["versions"], tuple(own))


def ready_reason(answer: object) -> str:
    if isinstance(answer, BaseException):
        return f"cannot get ready ({type(answer).__name__}: {answer}); look at its log"
    return str(answer)


def differing(own: Mapping[str, str], other: Mapping[str, str], names: Collection[str]) -> str:
    """In what two installations differ, "" where they do not."""
    found = [f"{name} {other.get(name)} (here {own[name]})" for name in names if other.get(name) != own[name]]
    if other.get(dask_probe.PROGRAM) == dask_probe.ABSENT:
        return 'lacks the program itself; install it as here (pip install ".[cpu,dask]")'
    return f"has {', '.join(found)}; install the same there, or here" if found else ""
