"""What the queue promises to owners, for any sequence of requests and batches."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engines.fair_queue import FairQueue

MAX_ROWS = 8


@dataclass(frozen=True, eq=False)
class Request:
    graph: str
    rows: int
    owner: str
    arrived_s: float
    deadline_s: float | None = None
    wanted: list[bool] = field(default_factory=lambda: [True])


# owner, graph and rows of a request that comes; or None: a batch is taken
STEPS = st.lists(
    st.none() | st.tuples(st.sampled_from("abcdef"), st.sampled_from(["clip", "mood"]), st.integers(1, 2 * MAX_ROWS)),
    max_size=120,
)


def claim(request: Request) -> bool:
    return request.wanted[0]


def play(steps: list[Any]) -> tuple[list[Request], list[list[Request]]]:
    """What came and what was taken, batch by batch, until nothing is left."""
    queue: FairQueue[Request] = FairQueue()
    came: list[Request] = []
    batches: list[list[Request]] = []

    for step in steps:
        if step is None:
            batches.append(queue.take(MAX_ROWS, claim))
        else:
            owner, graph, rows = step
            came.append(Request(graph, rows, owner, float(len(came))))
            queue.push(came[-1])
    while len(queue):
        batches.append(queue.take(MAX_ROWS, claim))
    assert queue.leader() is None and queue.owners == () and queue.oldest_s() == float("inf")
    return came, [batch for batch in batches if batch]


@given(STEPS)
def test_every_request_is_taken_once_in_batches_of_one_graph_that_fit(steps: list[Any]) -> None:
    came, batches = play(steps)
    taken = [request for batch in batches for request in batch]
    assert sorted(map(id, taken)) == sorted(map(id, came))
    for batch in batches:
        assert len({request.graph for request in batch}) == 1
        assert sum(request.rows for request in batch) <= MAX_ROWS or len(batch) == 1


@given(STEPS)
def test_an_owners_requests_for_a_graph_keep_their_order(steps: list[Any]) -> None:
    came, batches = play(steps)
    taken = [request for batch in batches for request in batch]
    for key in {(request.owner, request.graph) for request in came}:
        assert [r.arrived_s for r in taken if (r.owner, r.graph) == key] == [
            r.arrived_s for r in came if (r.owner, r.graph) == key
        ]


@given(STEPS)
def test_an_owner_is_served_by_the_batch_after_those_of_the_owners_before_it(steps: list[Any]) -> None:
    """The bound: n owners before it in turn, served by the (n + 1)th batch, whatever comes meanwhile."""
    due: dict[Any, int] = {}  # owner that waits -> the number of the batch by which it must have been served
    queue: FairQueue[Request] = FairQueue()
    number = 0
    for at, step in enumerate([*steps, *[None] * len(steps)]):
        if step is not None:
            queue.push(Request(step[1], step[2], step[0], float(at)))
            continue
        for place, owner in enumerate(queue.owners):
            due[owner] = min(due.get(owner, number + place), number + place)
        for owner in {request.owner for request in queue.take(MAX_ROWS, claim)}:
            assert number <= due.pop(owner)
        number += 1
        assert all(last >= number for last in due.values())
    assert not due and not len(queue)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60))
def test_the_rows_of_a_batch_are_shared_evenly(owners: list[str]) -> None:
    """Of requests of one row: who has some left got at most one less than who got most."""
    queue: FairQueue[Request] = FairQueue()
    for at, owner in enumerate(owners):
        queue.push(Request("clip", 1, owner, float(at)))
    left = Counter(owners)
    while len(queue):
        got = Counter(request.owner for request in queue.take(MAX_ROWS, claim))
        assert got.total() == min(MAX_ROWS, left.total())
        left -= got
        for owner in left:
            assert got[owner] >= max(got.values()) - 1


def test_a_flood_waits_for_the_others() -> None:
    queue: FairQueue[Request] = FairQueue()
    for at in range(100):
        queue.push(Request("clip", MAX_ROWS, "flood", float(at)))
    queue.push(Request("mood", 1, "quiet", 100.0))
    assert [request.owner for request in queue.take(MAX_ROWS, claim)] == ["flood"]
    assert [request.owner for request in queue.take(MAX_ROWS, claim)] == ["quiet"]


def test_a_large_request_is_not_overtaken_by_a_smaller_one_of_its_owner() -> None:
    queue: FairQueue[Request] = FairQueue()
    for at, (owner, rows) in enumerate([("a", 6), ("b", 5), ("b", 1), ("c", 2)]):
        queue.push(Request("clip", rows, owner, float(at)))
    assert [(r.owner, r.rows) for r in queue.take(MAX_ROWS, claim)] == [("a", 6), ("c", 2)]
    assert [(r.owner, r.rows) for r in queue.take(MAX_ROWS, claim)] == [("b", 5), ("b", 1)]


def test_what_is_not_claimed_is_gone_and_makes_room() -> None:
    queue: FairQueue[Request] = FairQueue()
    first, second = Request("clip", MAX_ROWS, "a", 0.0), Request("clip", MAX_ROWS, "a", 1.0)
    first.wanted[0] = False
    queue.push(first)
    queue.push(second)
    assert queue.take(MAX_ROWS, claim) == [second] and not len(queue)


@given(STEPS, st.sets(st.integers(0, 119)))
def test_dropping_takes_out_just_what_is_unwanted(steps: list[Any], unwanted: set[int]) -> None:
    queue: FairQueue[Request] = FairQueue()
    came = [Request(step[1], step[2], step[0], float(at)) for at, step in enumerate(steps) if step is not None]
    for request in came:
        queue.push(request)
    before = queue.owners
    gone = queue.drop(lambda request: request.arrived_s in unwanted)
    assert {r.arrived_s for r in gone} == {r.arrived_s for r in came} & set(map(float, unwanted))
    kept = {r.owner for r in came if r.arrived_s not in unwanted}
    assert queue.owners == tuple(owner for owner in before if owner in kept)
    assert queue.rows("clip") == sum(r.rows for r in came if r.graph == "clip" and r.arrived_s not in unwanted)
    assert sorted(map(id, queue.clear())) == sorted(id(r) for r in came if r.arrived_s not in unwanted)
