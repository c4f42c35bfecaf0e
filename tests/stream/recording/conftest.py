"""What the recordings' tests share: a header without a bundle, recorders on it, and a driver that answers as told."""

import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stream.core.events import End, Event, Notice, Question
from stream.core.session import Session, SessionOptions
from stream.recording.format import Reader, Record
from stream.recording.player import Outcome, replay
from stream.recording.recorder import Recorder
from stream.sinks.base import FunctionSink, Sinks

Script = list[tuple[Any, ...]]


def make_header(batched: bool = False, pictures: bool = False, **more: Any) -> dict[str, Any]:
    engine = {"name": "fake", "threads": 1, "batched": batched}
    return {
        "format": 1,
        "segue": "0",
        "engine": engine,
        "session": asdict(SessionOptions()),
        "pictures": pictures,
        **more,
    }


def drive(session: Session, runtime: Any, publish: Callable[[Notice], None], script: Script, seed: int = 0) -> None:
    """Make the script's calls; ``("answer", n)`` gives n answers, in an order of its own, ``("lose", n)`` drops so many
    questions. After the script everything is answered, in order, until nothing is open."""
    order, waiting = random.Random(seed), []

    def take(events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Question):
                waiting.append(event)
            else:
                publish(event)

    def one(at: int) -> None:
        question = waiting.pop(at)
        take(session.result(question.id, runtime.answer(question)))

    for name, *given in script:
        for _ in range(given[0] if name in ("answer", "lose") else 0):
            if waiting and name == "answer":
                one(order.randrange(len(waiting)))
            elif waiting:
                waiting.pop(order.randrange(len(waiting)))
        if name not in ("answer", "lose"):
            take(getattr(session, name)(*given))
    while waiting:
        one(0)
    if not session.ended:
        take(session.finish(1, 0, flush=False))
    assert session.ended


@pytest.fixture(scope="session")
def header() -> Callable[..., dict[str, Any]]:
    return make_header


@pytest.fixture(scope="session")
def record(fake_runtime: Callable[..., Any]) -> Callable[..., list[Notice]]:
    """``record(path, script, seed=0, **options)``: play a script to a recorded session on the runtime without networks;
    returns what was published."""

    def run(path: Path, script: Script, seed: int = 0, runtime: Any = None, **options: Any) -> list[Notice]:
        runtime, said = runtime or fake_runtime(), []
        recorder = Recorder(path, make_header(), wait=True, **options)
        drive(
            recorder.session(runtime.model, SessionOptions()),
            runtime,
            Sinks([recorder], needed=[FunctionSink(said.append)]).put,
            script,
            seed,
        )
        assert isinstance(said[-1], End) and recorder.close(wait_s=20)
        return said

    return run


@pytest.fixture(scope="session")
def play(fake_runtime: Callable[..., Any]) -> Callable[..., tuple[Outcome, list[Notice]]]:
    """``play(path, runtime=None)`` -> the outcome and what was published."""

    def run(path: Path, runtime: Any = None) -> tuple[Outcome, list[Notice]]:
        said: list[Notice] = []
        with Reader(path) as reader:
            outcome = replay(reader, runtime or fake_runtime(), said.append)
        return outcome, said

    return run


@pytest.fixture(scope="session")
def records() -> Callable[[Path], list[Record]]:
    """``records(path)``: all of them, behind the header."""

    def read(path: Path) -> list[Record]:
        with Reader(path) as reader:
            found = list(reader.records())
            assert reader.damage is None
        return found

    return read


@pytest.fixture(scope="session")
def film(features: Callable[..., Any]) -> Callable[..., Script]:
    """``film(seconds)``: a script of pushes, each second's questions answered as they come."""

    def make(seconds: int) -> Script:
        script: Script = []
        for slot in range(8 * seconds):
            script.append(("push", features(slot, speed=0.1 + 0.05 * (slot % 7), cut=0.9 if slot == 21 else 0.0), slot))
            script.append(("answer", 2))
        return [*script, ("finish", 8 * seconds, 0)]

    return make
