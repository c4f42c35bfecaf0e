"""The same calls, the same events: whatever was called in whatever order; and where that fails, it is said."""

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.events import Accepted, End, Failed, Infer, Refused, Reset, Search, Suggestions, Warned
from stream.core.session import Session, SessionOptions
from stream.driver import driver
from stream.recording.errors import RecordingError
from stream.recording.format import MAGIC, Reader, Record, pack_chunk, pack_record
from stream.recording.player import replay
from stream.recording.recorder import Recorder
from stream.sinks.base import FunctionSink, Sinks

Fake = Callable[..., Any]

COMMANDS = st.sampled_from(
    [
        {"type": "skip", "track": f"{3:016x}"},
        {"type": "pin", "track": f"{5:016x}"},
        {"type": "pin", "track": None},
        {"type": "playing", "track": f"{1:016x}"},
        {"type": "filters", "min_bpm": 90, "max_bpm": 140.5, "tags": ["calm"]},
        {"type": "dance", "odd": [1, {"x": None}, "\ud83d"]},
        {"no": "type"},
    ]
)
STEPS = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 12), st.integers(0, 5)),
    st.tuples(st.just("answer"), st.integers(1, 4)),
    st.tuples(st.just("answer"), st.integers(1, 4)),
    st.tuples(st.just("lose"), st.just(1)),
    st.tuples(st.just("tick"), st.floats(0, 40)),
    st.tuples(st.just("reset"), st.text(max_size=8)),
    st.tuples(st.just("command"), COMMANDS),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=60), finished=st.booleans(), seed=st.integers(0, 9))
def test_any_order_of_calls_is_replayed(
    tmp_path_factory: Any, record: Fake, play: Fake, features: Fake, steps: list[Any], finished: bool, seed: int
) -> None:
    slot, script = -1, []
    for name, *given_ in steps:
        if name == "push":
            slot += given_[0]
            script.append(("push", features(slot, cut=given_[1] / 5), slot))
        else:
            script.append((name, *given_))
            slot = -1 if name == "reset" else slot
    path = tmp_path_factory.mktemp("r") / "recording"
    said = record(path, [*script, *([("finish", len(steps), 3)] if finished else [])], seed)
    if any(name not in ("answer", "lose", "finish") for name, *_ in script):
        outcome, again = play(path)
        assert again == said
        assert outcome.first is None and outcome.ending is None
    else:
        assert not path.exists()  # nothing was ever told


def test_what_is_compared_is_counted(tmp_path: Path, record: Fake, play: Fake, film: Fake) -> None:
    said = record(tmp_path / "r", film(6))
    outcome, again = play(tmp_path / "r")
    assert again == said and sum(isinstance(notice, Suggestions) for notice in said) == 6
    assert (outcome.lists, outcome.answers, outcome.calls) == (6, 30, 48 + 30 + 1)


class Changed:
    """A runtime whose answers to one graph are a little different."""

    def __init__(self, runtime: Any, graph: str, gap: float) -> None:
        self.model, self._runtime, self._graph, self._gap = runtime.model, runtime, graph, gap

    def answer(self, question: Infer | Search) -> Any:
        answer = self._runtime.answer(question)
        if isinstance(question, Infer) and question.graph == self._graph:
            return {name: array + np.float32(self._gap) for name, array in answer.items()}
        if isinstance(question, Search) and self._graph == "search":
            return answer[1:]
        return answer


@pytest.mark.parametrize(
    ("graph", "number", "words"),
    [
        ("video_clip", 1, "graph video_clip"),
        ("video_sequence", 2, "graph video_sequence"),
        ("mood", 3, "graph mood"),
        ("search", 4, "search in the catalogue"),
        ("matcher", 5, "graph matcher"),
    ],
)
def test_the_first_difference_is_named(
    tmp_path: Path, record: Fake, play: Fake, film: Fake, fake_runtime: Fake, graph: str, number: int, words: str
) -> None:
    said = record(tmp_path / "r", film(4))
    outcome, again = play(tmp_path / "r", Changed(fake_runtime(), graph, 1e-3))
    assert outcome.first is not None
    assert outcome.first.endswith(f": question {number} ({words}) was answered differently")
    assert len(again) == len(said) and isinstance(again[-1], End)
    assert outcome.lists == 4 and not outcome.loose
    if graph == "search":
        assert outcome.moved == 4  # the first of the candidates is gone from every list
    elif graph == "video_clip":
        assert outcome.different == 4 and (outcome.moved or 0 < outcome.gap < 0.2)


def test_a_difference_that_changes_no_suggestion_is_told_as_one(
    tmp_path: Path, record: Fake, play: Fake, film: Fake, fake_runtime: Fake
) -> None:
    class Same(Changed):
        def answer(self, question: Infer | Search) -> Any:
            answer = self._runtime.answer(question)
            return {**answer, "more": np.zeros(1)} if isinstance(question, Infer) else answer

    said = record(tmp_path / "r", film(2))
    outcome, again = play(tmp_path / "r", Same(fake_runtime(), "", 0))
    assert again == said and outcome.first is not None and outcome.different == 0


def test_a_bundle_without_a_matcher_is_replayed_in_an_order_of_its_own(
    tmp_path: Path, record: Fake, play: Fake, film: Fake, fake_runtime: Fake
) -> None:
    record(tmp_path / "r", film(4))
    outcome, again = play(tmp_path / "r", fake_runtime(matcher=False, mood=False))
    assert outcome.loose and outcome.first is not None
    assert [notice.pts_s for notice in again if isinstance(notice, Suggestions)] == [1, 2, 3, 4]
    assert isinstance(again[-1], End)


def test_what_the_driver_said_is_said_again(
    tmp_path: Path, header: Fake, play: Fake, fake_runtime: Fake, features: Fake
) -> None:
    said: list[Any] = []
    recorder = Recorder(tmp_path / "r", header(), wait=True)
    publish = Sinks([recorder], needed=[FunctionSink(said.append)]).put
    session = recorder.session(fake_runtime().model, SessionOptions())
    for event in session.push(features(1), 0):
        publish(event)  # type: ignore[arg-type]
    publish(Failed("internal error"))
    end = session.finish(1, 0, flush=False)
    publish(Warned("cut short"))
    publish(end[0])  # type: ignore[arg-type]
    assert recorder.close(wait_s=20)
    assert play(tmp_path / "r")[1] == said == [Failed("internal error"), Warned("cut short"), End(1, 1, 0, 0)]


def test_a_call_that_failed_fails_again(
    tmp_path: Path, header: Fake, play: Fake, fake_runtime: Fake, features: Fake
) -> None:
    recorder = Recorder(tmp_path / "r", header(), wait=True)
    session = recorder.session(fake_runtime().model, SessionOptions())
    session.push(features(1), 3)
    with pytest.raises(ValueError, match="slots must increase"):
        session.push(features(1), 2)
    recorder.close(wait_s=20)
    outcome, said = play(tmp_path / "r")
    assert outcome.first is None and outcome.calls == 2
    assert said == [Warned("the recording stopped before its session ended: the program ended")]


def test_a_method_that_sessions_learn_later_is_kept_and_replayed(
    tmp_path: Path, header: Fake, play: Fake, fake_runtime: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def feel(self: Session, share: float, second: int, *, loud: bool = False) -> list[Any]:
        return [Accepted(f"{share} {second} {loud}")]

    monkeypatch.setattr(Session, "feel", feel, raising=False)
    said: list[Any] = []
    recorder = Recorder(tmp_path / "r", header(), wait=True)
    session: Any = recorder.session(fake_runtime().model, SessionOptions())
    said += session.feel(0.1, 7, loud=True)
    recorder.close(wait_s=20)
    outcome, again = play(tmp_path / "r")
    assert (outcome.first is None and again[-1] == said[0] == Accepted("0.1 7 True")) or again[0] == said[0]
    monkeypatch.undo()
    with pytest.raises(RecordingError, match="'feel', which this segue's session does not know"):
        play(tmp_path / "r")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_recording_that_is_cut_gives_what_is_whole(
    tmp_path: Path, record: Fake, play: Fake, film: Fake, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.recording.writer.CHUNK_BYTES", 20_000)
    said = record(tmp_path / "r", film(8))
    data = (tmp_path / "r").read_bytes()
    (tmp_path / "r").write_bytes(data[: int(share * len(data))])
    outcome, again = play(tmp_path / "r")
    assert outcome.first is None and outcome.ending is not None and "cut short at byte" in outcome.ending
    assert again.pop(-1 if not isinstance(again[-1], End) else -2) == Warned(outcome.ending)
    assert again == said[: len(again)] and len(again) >= (share - 0.3) * len(said)


def test_numbers_that_differ_are_named_with_their_place(tmp_path: Path, record: Fake, play: Fake, film: Fake) -> None:
    record(tmp_path / "r", film(3))

    def change(fields: dict[str, Any]) -> None:
        for event in fields.get("events", []):
            if event.get("say") == "Suggestions" and event["pts_s"] == 2.0:
                event["items"][1]["score"] += 1e-9

    rewrite(tmp_path / "r", change)
    outcome, _ = play(tmp_path / "r")
    assert outcome.first is not None and "Suggestions.items[1].score is 0." in outcome.first
    assert outcome.different == 1 and outcome.moved == 0 and outcome.gap == pytest.approx(1e-9, rel=1e-3)


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Pass every record's object through ``change`` and write the file anew, with right checksums."""
    with Reader(path) as reader:
        everything = [Record(reader.header), *reader.records()]
    for each in everything:
        change(each.fields)
    path.write_bytes(MAGIC + b"".join(pack_chunk(pack_record(each)) for each in everything))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in leaves(part, (*path, key)))]


@pytest.fixture(scope="module")
def crafted(tmp_path_factory: pytest.TempPathFactory, record: Fake, film: Fake) -> Path:
    path = tmp_path_factory.mktemp("crafted") / "r"
    command = ("command", {"type": "filters", "min_bpm": 90, "tags": ["calm"]})
    record(path, [command, *film(2)[:-1], ("tick", 2.5), ("reset", "jumped"), *film(1)])
    return path


def with_picture(path: Path, crafted: Path, picture: bytes) -> Path:
    """The recording with a picture before its first call."""
    with Reader(crafted) as reader:
        everything = [Record(reader.header), Record({"kind": "picture", "t_s": 0.0}, picture), *reader.records()]
    path.write_bytes(MAGIC + b"".join(pack_chunk(pack_record(each)) for each in everything))
    return path


@pytest.mark.parametrize(
    ("extension", "width", "height"), [(".png", 320, 180), (".png", 90, 160), (".png", 161, 90), (".jpg", 160, 90)]
)
def test_a_picture_of_another_size_is_not_decoded(
    tmp_path: Path, crafted: Path, play: Fake, monkeypatch: pytest.MonkeyPatch, extension: str, width: int, height: int
) -> None:
    """A few bytes can promise a picture of gigabytes."""
    done, data = cv2.imencode(extension, np.zeros((height, width, 3), np.uint8))
    assert done
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(RecordingError, match="no PNG of 160x90"):
        play(with_picture(tmp_path / "r", crafted, data.tobytes()))


def test_a_picture_of_the_right_size_is_decoded_or_told_to_be_damaged(
    tmp_path: Path, crafted: Path, play: Fake
) -> None:
    data = cv2.imencode(".png", np.zeros((90, 160, 3), np.uint8))[1].tobytes()
    outcome, _ = play(with_picture(tmp_path / "r", crafted, data))
    assert outcome.pictures == 1
    for damaged in (data[:40], data[:24], data[:10], b""):
        with pytest.raises(RecordingError, match="or is damaged"):
            play(with_picture(tmp_path / "r", crafted, damaged))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from([10**400, -(2**63), 2**53]),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(
        [[], {}, ["list", []], ["map", {"type": "pin"}], ["array", "uint8", [2**40]], ["array", "object", []]]
    ),
    st.sampled_from(["__init__", "_end", "result", "push", "sampled", "finish", "array", "frame", "float32", "bool"]),
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_crafted_recording_is_an_error_or_a_difference(
    tmp_path_factory: Any, crafted: Path, play: Fake, data: st.DataObject
) -> None:
    with Reader(crafted) as reader:
        everything = [Record(reader.header), *reader.records()]
    place = data.draw(st.integers(0, len(everything) - 1), "record")
    fields = json.loads(json.dumps(everything[place].fields))
    *path, last = data.draw(st.sampled_from([leaf for leaf in leaves(fields) if leaf]), "place")
    inner = fields
    for key in path:
        inner = inner[key]
    inner[last] = data.draw(ODD, "value")
    everything[place] = Record(fields, everything[place].blob)
    changed = tmp_path_factory.mktemp("c") / "r"
    changed.write_bytes(MAGIC + b"".join(pack_chunk(pack_record(each)) for each in everything))
    try:
        outcome, said = play(changed)
    except RecordingError as error:
        assert str(changed) in str(error)
    else:
        assert outcome.calls and said


def test_kinds_of_notices(tmp_path: Path, record: Fake, play: Fake, film: Fake) -> None:
    script = [("command", {"type": "dance"}), *film(1)[:-1], ("reset", "why"), *film(1)]
    said = record(tmp_path / "r", script)
    assert {Refused, Suggestions, Reset, End} <= {type(notice) for notice in said}
    assert play(tmp_path / "r")[1] == said


def test_a_hop_that_was_given_up_is_given_up_again(
    tmp_path: Path, record: Callable[..., Any], play: Callable[..., Any], features: Callable[..., Any]
) -> None:
    script: list[tuple[Any, ...]] = [("push", features(slot), slot) for slot in range(16)]
    script += [("lose", 1), ("give_up", 1), ("answer", 9), ("answer", 9), ("answer", 9), ("finish", 16, 0)]
    said = record(tmp_path / "r", script)
    outcome, again = play(tmp_path / "r")
    assert outcome.first is None and again == said and said[-1].skipped_hops == 1
    assert [notice.pts_s for notice in said[:-1]] == [2.0]


def test_a_replay_lets_go_of_its_session(
    tmp_path: Path, record: Fake, film: Fake, fake_runtime: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the collector of cycles: a session holds its window of pictures."""
    record(tmp_path / "r", film(3))
    sessions: list[weakref.ref[Session]] = []

    class Noted(Session):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            sessions.append(weakref.ref(self))

    monkeypatch.setattr(driver, "Session", Noted)
    gc.collect()
    gc.disable()
    try:
        with Reader(tmp_path / "r") as reader:
            replay(reader, fake_runtime(), lambda notice: None)
        assert [session() for session in sessions] == [None]
    finally:
        gc.enable()
