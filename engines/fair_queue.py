"""Requests that wait for an engine, and which of them are next: owners take turns, so that none starves another.

Every owner that waits has a place in the turn. The first owner in turn leads the batch: its oldest request decides the
graph. The other places go round the owners in turn, one request of that graph each, and round again while there is
room. An owner that was served goes to the end of the turn; a new owner starts behind all others.

*Fairness*: an owner with n owners before it in turn is served by the (n + 1)th batch at the latest, however many
requests the others send meanwhile, and however large. Within a batch no owner gets two requests more than another that
still has one that would fit.

*Order*: requests of one owner for one graph are taken in the order in which they came; a later one never overtakes,
even where only it would fit. Of different graphs, the owner's oldest leads.

It has no clock, no thread and no bound of its own: its holder has them.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What may stand in the queue. Times are seconds of the holder's clock; ``deadline_s`` None: useful for ever."""

    @property
    def graph(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def owner(self) -> Hashable: ...
    @property
    def arrived_s(self) -> float: ...
    @property
    def deadline_s(self) -> float | None: ...


W = TypeVar("W", bound=Waiting)


class FairQueue(Generic[W]):
    """Lines of owners, in the order of their turn. An owner without a request has no line."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, deque[W]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def owners(self) -> tuple[Hashable, ...]:
        """The owners that wait, in turn."""
        return tuple(self._lines)

    def push(self, request: W) -> None:
        """Add a request behind the others of its owner; a new owner goes behind all owners."""
        self._lines.setdefault(request.owner, deque()).append(request)

    def leader(self) -> W | None:
        """The request that leads the next batch; None when nothing waits."""
        return next(iter(self._lines.values()))[0] if self._lines else None

    def rows(self, graph: str) -> int:
        """How many rows of a graph wait, of all owners."""
        return sum(request.rows for line in self._lines.values() for request in line if request.graph == graph)

    def oldest_s(self) -> float:
        """When the oldest request of all arrived; infinity when nothing waits."""
        return min((line[0].arrived_s for line in self._lines.values()), default=float("inf"))

    def drop(self, unwanted: Callable[[W], bool]) -> list[W]:
        """Remove and return the requests that are not wanted any more. Owners keep their turn."""
        gone = [request for line in self._lines.values() for request in line if unwanted(request)]
        self._remove(gone)
        return gone

    def take(self, max_rows: int, claim: Callable[[W], bool]) -> list[W]:
        """The next batch: requests of one graph with ``max_rows`` rows at most, or one larger request alone.

        ``claim`` decides on each request last; one that it refuses is removed and not in the batch, which is empty if
        it refuses all.
        """
        leader = self.leader()
        if leader is None:
            return []
        waiting = {
            owner: deque(request for request in line if request.graph == leader.graph)
            for owner, line in self._lines.items()
        }
        batch: list[W] = []
        removed: list[W] = []
        rows = 0
        while waiting:
            for owner in tuple(waiting):
                line = waiting[owner]
                while line and (not batch or rows + line[0].rows <= max_rows):
                    request = line.popleft()
                    removed.append(request)
                    if claim(request):
                        batch.append(request)
                        rows += request.rows
                        break
                else:  # nothing left, or nothing that fits: a smaller one behind it must not overtake
                    del waiting[owner]
        self._remove(removed)
        for owner in dict.fromkeys(request.owner for request in batch):
            if owner in self._lines:
                self._lines.move_to_end(owner)
        return batch

    def clear(self) -> list[W]:
        """Remove and return everything."""
        gone = [request for line in self._lines.values() for request in line]
        self._lines.clear()
        return gone

    def _remove(self, gone: list[W]) -> None:
        removed = set(map(id, gone))
        for owner in {request.owner: None for request in gone}:
            line = deque(request for request in self._lines[owner] if id(request) not in removed)
            if line:
                self._lines[owner] = line
            else:
                del self._lines[owner]
