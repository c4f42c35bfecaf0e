"""The indexer's side of a cluster, against a client that answers as a test says: who may work, what is tried again."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog import dask_pool, dask_team
from catalog.dask_pool import on_cluster
from catalog.dask_team import Team, differing
from catalog.dask_worker import Away, Broken, NotReady, get_ready
from catalog.database import DATABASE, open_to_write
from catalog.errors import ClusterError
from catalog.worker import AnalysedFile, EngineSpec, Job, RejectedFile

pytestmark = pytest.mark.timeout(30)  # what hangs fails
OWN = {"Python": "3.11", "system": "posix", "segue": "code 1", "distributed": "2", "dask": "2", "cloudpickle": "3",
       "PyAV": "18"}  # fmt: skip
DONE = AnalysedFile(())


class KilledWorker(Exception):  # noqa: N818 - its name counts
    """Dask's."""


class Future:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.status = "cancelled" if answer is None else "pending"
        self.released = False
        self.lost = False  # its answer never comes

    def __await__(self) -> Generator[None, None, Any]:
        yield from ()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def release(self) -> None:
        self.released = True


class Client:
    """``answers``: by a file's name, one after another; the last of them from then on. A file of no answer is done."""

    def __init__(self, workers: Iterable[str] = ("a", "b"), answers: dict[str, list[Any]] | None = None) -> None:
        self.workers = dict.fromkeys(workers, 1)
        self.versions = {worker: dict(OWN) for worker in ("a", "b", *self.workers, "scheduler", "late")}
        self.ready: dict[str, Any] = {}
        self.asked: list[str] = []  # to get ready
        self.answers = {name: deque(given) for name, given in (answers or {}).items()}
        self.sent: list[tuple[str, list[str]]] = []
        self.futures: list[Future] = []
        self.cancelled: list[Future] = []
        self.most = 0
        self.deaths = 1
        self.status = "running"
        self.scheduler = SimpleNamespace(address="tcp://s:1")
        self.at: dict[str, Callable[[], None]] = {}  # what happens when a file is sent

    @property
    def loop(self) -> "Client":
        return self

    def add_callback(self, fetch: Callable[[Future], Coroutine[None, None, None]], future: Future) -> None:
        if not future.lost:
            asyncio.run(fetch(future))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None: ...

    def wait_for_workers(self, n_workers: int, timeout: float) -> None:
        if not self.workers:
            raise TimeoutError

    def nthreads(self) -> dict[str, int]:
        return dict(self.workers)

    def run_on_scheduler(self, *_: object) -> dict[str, Any]:
        return {"versions": self.versions["scheduler"], "deaths": self.deaths}

    def run(self, function: object, *_: object, workers: list[str], on_error: str) -> dict[str, Any]:
        assert on_error == "return"
        if function is get_ready:
            self.asked += workers
            return {worker: self.ready.get(worker, "") for worker in workers}
        told = {worker: self.versions[worker] for worker in workers}
        return {w: t if isinstance(t, Exception) else {"versions": t} for w, t in told.items()}

    def submit(self, function: object, job: Job, *_: object, workers: list[str], **options: Any) -> Future:
        assert options == {"pure": False, "retries": 0}
        name = job.path.name
        self.sent.append((name, sorted(workers)))
        self.at.pop(name, lambda: None)()
        given = self.answers.get(name, deque([DONE]))
        future = Future(given.popleft() if len(given) > 1 else given[0])
        self.futures.append(future)
        self.most = max(self.most, sum(not future.released for future in self.futures))
        return future

    def cancel(self, futures: list[Future]) -> None:
        self.cancelled += futures


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_pool, "LOOK_S", 0.01)
    monkeypatch.setattr("catalog.dask_probe.look", lambda: {"versions": dict(OWN)})
    monkeypatch.setattr(dask_pool, "SETTLED_S", 0.0)


@pytest.fixture
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    (tmp_path / "catalogue").mkdir()
    open_to_write(tmp_path / "catalogue" / DATABASE).close()
    (tmp_path / "bundle").mkdir()

    def run(client: Client, names: Iterable[str] = "012345", told: list[str] | None = None) -> dict[str, Any]:
        monkeypatch.setattr("distributed.Client", lambda *_, **__: client)
        for name in names:
            (tmp_path / name).write_text("sound")
        analyse = on_cluster("tcp://s:1", ([] if told is None else told).append)
        work = iter([Job(tmp_path / name) for name in names])
        return {
            path.name: outcome
            for path, outcome in analyse(work, EngineSpec(str(tmp_path / "bundle")), tmp_path / "catalogue")
        }

    return run


def test_every_file_once_and_few_at_a_time(outcomes: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    names = [f"{i:03}" for i in range(100)]
    assert outcomes(client, names) == dict.fromkeys(names, DONE)
    assert client.most <= 4 and all(future.released for future in client.futures)
    assert client.asked == ["a", "b"] and client.cancelled == []
    assert all(workers == ["a", "b"] for _, workers in client.sent)


def test_nothing_to_do_needs_no_cluster(tmp_path: Path) -> None:
    assert list(on_cluster("tcp://nowhere:1", print)(iter([]), EngineSpec(""), tmp_path)) == []


def test_killed_tasks_are_tried_alone_at_the_end(outcomes: Callable[..., dict[str, Any]]) -> None:
    told: list[str] = []
    client = Client(answers={"1": [KilledWorker("1"), DONE], "3": [KilledWorker("3")]})
    alone: list[int] = []
    submit = client.submit

    def watch(*words: Any, **options: Any) -> Future:
        future = submit(*words, **options)
        if len(client.sent) > 6:
            alone.append(sum(not future.released for future in client.futures))
        return future

    client.submit = watch  # type: ignore[method-assign]
    found = outcomes(client, told=told)
    assert [name for name, _ in client.sent][6:] == ["1", "3"] and alone == [1, 1]
    assert isinstance(found.pop("3"), RejectedFile) and set(found.values()) == {DONE} and len(found) == 5
    assert len(told) == 2 and all("tried again at the end, alone" in text for text in told)


def test_a_worker_that_joined_is_asked_before_it_works(outcomes: Callable[..., dict[str, Any]]) -> None:
    told: list[str] = []
    client = Client(answers={"2": [NotReady("late"), DONE]})
    client.at["2"] = lambda: client.workers.update(late=2)
    assert set(outcomes(client, told=told).values()) == {DONE}
    assert client.asked == ["a", "b", "late"] and told == ["worker late has joined"]


def test_a_worker_that_comes_back_under_its_old_address_is_asked_again(outcomes: Callable[..., dict[str, Any]]) -> None:
    client = Client(answers={"2": [NotReady("a"), DONE]})
    assert set(outcomes(client).values()) == {DONE} and client.asked == ["a", "b", "a"]
    # a file that ends it each time is found out
    found = outcomes(Client(answers={"2": [NotReady("a")]}))
    assert isinstance(found.pop("2"), RejectedFile) and set(found.values()) == {DONE}


def test_a_worker_that_joined_and_is_unfit_is_passed_over(outcomes: Callable[..., dict[str, Any]]) -> None:
    told: list[str] = []
    client = Client(answers={"2": [NotReady("late"), DONE]})
    client.versions["late"]["PyAV"] = "17"
    client.at["2"] = lambda: client.workers.update(late=2)
    assert set(outcomes(client, told=told).values()) == {DONE}
    assert told == ["worker late gets no work: has PyAV 17 (here 18); install the same there, or here"]
    assert client.asked == ["a", "b"]
    assert client.sent[-1][1] == ["a", "b"]


def test_a_worker_whose_folder_goes_is_passed_over(outcomes: Callable[..., dict[str, Any]]) -> None:
    told: list[str] = []
    client = Client(answers={"1": [Away("a", "cannot read it"), DONE]})
    assert set(outcomes(client, told=told).values()) == {DONE}
    assert told == ["worker a gets no work: cannot read it; mount the folder of music there as it is here"]
    assert client.sent[-1][1] == ["b"]


def test_the_last_worker_that_goes_so_ends_the_index(outcomes: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ClusterError, match="worker a cannot read it; mount"):
        outcomes(Client(["a"], {"1": [Away("a", "cannot read it")]}))


def test_a_file_that_changes_is_no_worker_s_fault(
    outcomes: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_pool, "SETTLED_S", 100.0)
    told: list[str] = []
    found = outcomes(Client(answers={"1": [Away("a", "has 4 bytes")]}), told=told)
    assert "changes while it is read" in found["1"].reason and told == []


def test_a_file_that_vanished_is_told_as_here(outcomes: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    client = Client()
    client.at["0"] = (tmp_path / "3").unlink
    assert outcomes(client)["3"] == RejectedFile("cannot be read: No such file or directory")


@pytest.mark.parametrize("fails", [1, 2])
def test_workers_that_leave(outcomes: Callable[..., dict[str, Any]], fails: int) -> None:
    """A task that only they may run may have ended them: it is tried alone, and a second time is one too many."""
    told, lost = list[str](), list[Future]()
    client = Client(["a"])
    submit = client.submit

    def loses(function: object, job: Job, *words: Any, **options: Any) -> Future:
        future = submit(function, job, *words, **options)
        if job.path.name == "1" and len(lost) < fails:
            lost.append(future)
            client.workers = {("b", "late")[len(lost) - 1]: 1}  # another one, as a nanny starts it
            future.lost = True
        return future

    client.submit = loses  # type: ignore[method-assign]
    found = outcomes(client, told=told)
    assert client.cancelled[: len(lost)] == lost and len(lost) == fails
    assert isinstance(found.pop("1"), AnalysedFile if fails == 1 else RejectedFile)
    assert set(found.values()) == {DONE} and "worker a has left" in told and "worker b has joined" in told


def test_no_worker_joins_again(outcomes: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_team, "JOIN_S", 0.05)
    client = Client(["a"], answers={"2": [KilledWorker("2")]})
    client.at["2"] = client.workers.clear
    with pytest.raises(ClusterError, match=r"no worker has joined for .* start some .* what was analysed is kept"):
        outcomes(client)


def test_those_that_are_started_again_are_waited_for(outcomes: Callable[..., dict[str, Any]]) -> None:
    """Though all that are there now are unfit."""
    told: list[str] = []
    client = Client(["a", "b"], answers={"1": [Away("a", "cannot read it"), DONE], "2": [KilledWorker("2"), DONE]})
    client.at["2"] = lambda: client.workers.pop("b")
    looks, nthreads = [], client.nthreads

    def later() -> dict[str, int]:
        looks.append(1)
        if len(looks) == 5:
            client.workers["late"] = 1
        return nthreads()

    client.nthreads = later  # type: ignore[method-assign]
    assert set(outcomes(client, told=told).values()) == {DONE}
    assert "worker b has left" in told and "worker late has joined" in told
    assert any("no worker is left; waiting" in text for text in told)


def test_one_that_does_not_answer_is_asked_again(outcomes: Callable[..., dict[str, Any]]) -> None:
    """It may have ended just now, or be started again."""
    client = Client(["a"])
    client.versions["a"] = OSError("closed")  # type: ignore[assignment]
    asked, run = [], client.run

    def answers(*words: Any, **options: Any) -> dict[str, Any]:
        asked.append(1)
        if len(asked) == 3:
            client.versions["a"] = OWN
        return run(*words, **options)

    client.run = answers  # type: ignore[method-assign]
    assert set(outcomes(client).values()) == {DONE} and client.asked == ["a"]
    client = Client(["a"])
    client.versions["a"] = OSError("closed")  # type: ignore[assignment]
    with pytest.raises(ClusterError, match=r"worker a cannot be asked \(OSError: closed\)"):
        outcomes(client)


def test_no_worker_is_left_for_a_while(outcomes: Callable[..., dict[str, Any]]) -> None:
    told: list[str] = []
    client = Client(["a"])
    nthreads, looks = client.nthreads, []

    def later() -> dict[str, int]:
        looks.append(1)
        return {} if 2 <= len(looks) <= 4 else nthreads()

    client.nthreads = later  # type: ignore[method-assign]
    client.answers["0"] = deque([NotReady("a"), NotReady("a"), DONE])
    assert set(outcomes(client, told=told).values()) == {DONE}
    assert told.count("tcp://s:1: no worker is left; waiting for one to join") == 1


@pytest.mark.parametrize("answer", [Broken("a", "RecursionError: deep"), ModuleNotFoundError("no catalog")])
def test_a_cluster_that_fails_twice(outcomes: Callable[..., dict[str, Any]], answer: object) -> None:
    assert set(outcomes(Client(answers={"1": [answer, DONE]})).values()) == {DONE}
    with pytest.raises(ClusterError, match=r"cannot analyse .*/1 .*(deep|no catalog).*goes on from there"):
        outcomes(Client(answers={"1": [answer]}))


def test_a_scheduler_that_is_gone(outcomes: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ClusterError, match="the scheduler is gone"):
        outcomes(Client(answers={"1": [None]}))
    client = Client(answers={"1": [NotReady("a")]})

    def gone() -> dict[str, int]:
        raise OSError("closed")

    client.at["1"] = lambda: setattr(client, "nthreads", gone)
    with pytest.raises(ClusterError, match=r"the scheduler is gone \(closed\)"):
        outcomes(client)


def test_who_stops_early_cancels_the_rest(tmp_path: Path, outcomes: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    outcomes(client)  # makes the files
    analyse = on_cluster("tcp://s:1", print)
    work = analyse(iter([Job(tmp_path / name) for name in "012345"]), EngineSpec(str(tmp_path)), tmp_path / "catalogue")
    next(work)
    work.close()
    assert len(client.cancelled) == 3


def test_every_unfit_worker_is_told_before_work_begins(outcomes: Callable[..., dict[str, Any]]) -> None:
    client = Client("abcdef")
    client.versions["a"] |= {"PyAV": "17", "Python": "3.12"}
    client.versions["b"] = RuntimeError("no")  # type: ignore[assignment]
    client.versions["c"]["segue"] = "none"
    client.ready = {"d": "has no nanny; start it", "e": ValueError("odd")}
    with pytest.raises(ClusterError) as caught:
        outcomes(client)
    text = str(caught.value)
    assert text.startswith("tcp://s:1: worker a has Python 3.12 (here 3.11), PyAV 17 (here 18); install the same")
    assert "worker b cannot be asked (RuntimeError: no)" in text
    assert "worker c lacks the program itself; install" in text and "and 2 more workers" in text
    assert client.sent == [] and client.asked == ["d", "e", "f"]


def test_the_scheduler_is_asked_too(outcomes: Callable[..., dict[str, Any]]) -> None:
    client = Client()
    client.versions["scheduler"]["PyAV"] = "none"  # it needs none
    client.deaths = 3
    told: list[str] = []
    assert len(outcomes(client, told=told)) == 6
    assert len(told) == 1 and "tried on 4 of them" in told[0] and "ALLOWED_FAILURES=1" in told[0]
    client.versions["scheduler"]["distributed"] = "1"
    with pytest.raises(ClusterError, match=r"scheduler tcp://s:1 has distributed 1 \(here 2\)"):
        outcomes(client)


def test_no_workers(outcomes: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ClusterError, match="has no workers; start some"):
        outcomes(Client([]))


def test_one_that_leaves_while_it_is_asked_stands_against_nothing() -> None:
    client = Client("ab")
    client.versions["b"] = OSError("closed")  # type: ignore[assignment]
    team = Team(client, None, [].append)  # type: ignore[arg-type]
    first = client.nthreads()
    del client.workers["b"]
    team.ask(first)
    assert team.fit == {"a": 1} and team.unfit == {}


def test_differences() -> None:
    assert differing(OWN, OWN, tuple(OWN)) == ""
    assert differing(OWN, OWN | {"PyAV": "17"}, ("Python",)) == ""
    assert "PyAV None (here 18)" in differing(OWN, {k: v for k, v in OWN.items() if k != "PyAV"}, tuple(OWN))
    assert dask_team.LOOK.startswith("(lambda")
