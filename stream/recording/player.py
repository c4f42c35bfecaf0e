"""Replay of a recording: the same calls to a session in the same order, every question answered anew.

The session's events are compared with the recorded ones, record by record: questions by the hash of their inputs,
answers by their hash, notices by every digit. The first difference causes most of the later ones, so it is named with
its place; the replay still goes on to the end.

If the session asks other questions than in the recording (another bundle, another segue), the recorded order of the
answers means nothing any more: from there on each question is answered at once.
"""

import inspect
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import FunctionType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.records import Filters
from features.errors import FeatureError
from features.frame import FrameFeatures, FrameMeter
from features.spec import MOTION_FPS, PICTURE_HEIGHT, PICTURE_WIDTH
from stream.core.events import Beats, End, Event, Failed, Infer, Item, Notice, Question, Suggestions, Warned
from stream.core.session import Session
from stream.driver.driver import Publish, SessionDriver
from stream.driver.runtime import Runtime, needs_small

from .batch_search import BatchSearch
from .errors import RecordingError
from .format import Reader, Record
from .header import engine_of, session_options, sizes_of
from .recorder import complaint
from .values import Packer, Unpacker, event_record
from .writer import ENDED

CAME_LATER: Final = frozenset(
    field.name for kind in (Item, Filters) for field in fields(kind) if "later" in field.metadata
)
MAX_OPEN: Final = 4096  # questions that a recording leaves unanswered; more are forgotten, oldest first
# The type of each argument, so that a crafted file cannot make a session publish what is not valid.
ARGUMENTS: Final[dict[str, type | tuple[type, ...]]] = {
    "features": FrameFeatures,
    "pictures": list,
    "slot": int,
    "question": int,
    "share": (int, float),
    "second": int,
    "now_s": (int, float),
    "reason": str,
    "message": dict,
    "frames": int,
    "dropped": int,
    "flush": bool,
}
LARGEST: Final = 2**53  # of a number in a call: what a float holds exactly
# signature and first chunk of a canonical picture, its size included (PNG, 5.2 and 11.2.1)
PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", PICTURE_WIDTH, PICTURE_HEIGHT)
DRIVER: Final[dict[str, type[Warned] | type[Failed]]] = {"Warned": Warned, "Failed": Failed}


@dataclass(slots=True)
class Outcome:
    """``first`` says where and how the replay first differed, None: nowhere. ``ending``: why the recording stops before
    its session does, None: it does not. Lists are compared by place; ``moved`` have other tracks or another order,
    ``gap`` is the largest difference of a score in the others. ``loose``: the session asked other questions than in
    the recording."""

    calls: int = 0
    answers: int = 0
    pictures: int = 0
    lists: int = 0
    different: int = 0
    restocked: int = 0  # times that the catalogue changed while it was recorded
    moved: int = 0
    gap: float = 0.0
    first: str | None = None
    ending: str | None = None
    loose: bool = False


def replay(reader: Reader, runtime: Runtime, publish: Publish) -> Outcome:
    """Play the whole recording; ``publish`` gets every notice, ``End`` last.

    ``runtime`` must run requests one by one (no micro-batcher). Raises ``RecordingError`` for a recording that this
    segue or this bundle cannot replay.
    """
    player = _Player(reader, runtime, publish)
    try:
        for record in reader.records():
            player.play(record)
        return player.finish()
    finally:
        player.close()


class _Player:
    def __init__(self, reader: Reader, runtime: Runtime, publish: Publish) -> None:
        self._reader = reader
        options = session_options(reader.path, reader.header)
        self._driver = SessionDriver(runtime, options, self._count_and_publish, self._keep_open)
        self._session = self._driver.session
        _, batched = engine_of(reader.path, reader.header)
        self._batch_search = BatchSearch(runtime, batched, sizes_of(reader.path, reader.header))
        self._small = needs_small(runtime.model)
        self._publish = publish
        self._open: dict[int, Question] = {}
        self._media_s = 0.0  # of media time, for messages
        self._end: End | None = None
        self._end_reason: str | None = None  # what the recording's last record says
        self._meter: FrameMeter | None = None
        self._remeasured = False  # the newest picture was measured before
        self._measured: FrameFeatures | None = None
        self.outcome = Outcome()

    def play(self, record: Record) -> None:
        match record.fields.get("kind"):
            case "call":
                self._call(record)
            case "heard":
                self._republish(record.fields.get("notice"))
            case "picture":
                self._picture(record)
            case "end":
                self._end_reason = str(record.fields.get("why"))
            case other:
                raise self._bad(f"a record of kind {str(other)[:40]!r}")

    def close(self) -> None:
        """Let go of the session."""
        self._driver.close()

    def finish(self) -> Outcome:
        """Publish the last notices; ``End`` comes after those of the driver."""
        if self._reader.damage is not None:
            self.outcome.ending = f"the recording is {self._reader.damage}; what is whole before it was replayed"
        elif self._end_reason is None:
            self.outcome.ending = "the recording was not closed; what was written of it was replayed"
        elif self._end_reason != ENDED:
            self.outcome.ending = f"the recording stopped before its session ended: {self._end_reason}"
        if self.outcome.ending is not None:
            self._publish(Warned(self.outcome.ending))
        if self._end is not None:
            self._publish(self._end)
        return self.outcome

    def _call(self, record: Record) -> None:
        name, args, kwargs = (record.fields.get(key) for key in ("name", "args", "kwargs"))
        if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
            raise self._bad("a call without a name or arguments")
        method = vars(Session).get(name)
        if name.startswith("_") or not isinstance(method, FunctionType):
            raise self._bad(f"a call of {name[:40]!r}, which this segue's session does not know")
        self.outcome.calls += 1
        if name == "result":
            self._result(record, args)
            return
        unpacker = Unpacker(record.blob)
        try:
            positional = [unpacker.unpack(value) for value in args]
            named = {key: unpacker.unpack(value) for key, value in kwargs.items()}
        except ValueError as error:
            raise self._bad(f"what no recorder writes ({str(error)[:80]})") from error
        try:
            bound = inspect.signature(method).bind(self._session, *positional, **named).arguments
        except TypeError as error:
            raise self._bad(f"a call of {name} that its session does not take ({error})") from error
        for argument, value in bound.items():
            self._check(argument, value)
        if name == "push":
            self._check_frame(bound["features"], bound["slot"])
        elif name == "reset":
            self._meter = self._measured = None
        self._call_session(record, lambda: getattr(self._session, name)(*positional, **named))

    def _result(self, record: Record, args: list[Any]) -> None:
        match args:
            case [int(number), ["answer", str(digest)]]:
                pass
            case _:
                raise self._bad("an answer without a question or a hash")
        if self.outcome.loose:
            return
        question = self._open.pop(number, None)
        if question is None:
            raise self._bad(f"an answer to question {number}, which was not asked")
        answer, same = self._batch_search.answer(question, digest)
        self.outcome.answers += 1
        if not same:
            self._differs(f"question {number} ({_stage(question)}) was answered differently")
            self._batch_search.give_up()
        self._call_session(record, lambda: self._session.result(number, answer))

    def _call_session(self, record: Record, call: Callable[[], list[Event]]) -> None:
        """Make one call, compare its events, publish the notices."""
        recorded, raised = record.fields.get("events"), record.fields.get("raised")
        if not isinstance(recorded, list) or not all(isinstance(event, dict) for event in recorded):
            raise self._bad("a call without its events")
        complaint_here, events = None, []
        try:
            events = call()
        except Exception as error:  # noqa: BLE001 - the replay shows a call that fails
            complaint_here = complaint(error)
        if complaint_here != raised:
            self._differs(f"{record.fields['name']} {_ending(complaint_here)}, in the recording it {_ending(raised)}")
            if isinstance(complaint_here, str):
                raise self._bad(f"a call of {record.fields['name']} that fails here ({complaint_here[:200]})")
        if not self.outcome.loose:
            self._compare(recorded, events)
        self._driver.handle(events)
        self._answer_loose()

    def _compare(self, recorded: Sequence[Mapping[str, Any]], events: Sequence[Event]) -> None:
        records = [event_record(event) for event in events]
        for place, (then, now) in enumerate(zip(recorded, records, strict=False)):
            records[place] = _as_then(now, then)
        lists = [event for event in records if event["say"] == "Suggestions"]
        expected = [event for event in recorded if event.get("say") == "Suggestions"]
        for then, now in zip(expected, lists, strict=False):
            self._compare_lists(then, now)
        if records == recorded:
            return
        for then, now in zip(recorded, records, strict=False):
            if then != now:
                self._differs(_difference(then, now))
                break
        else:
            self._differs(f"{len(records)} events came of one call, {len(recorded)} in the recording")
        if _questions(records) != _questions(recorded):
            self.outcome.loose = True
            self._batch_search.give_up()

    def _compare_lists(self, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Count how far one list is from the recorded one."""
        if recorded == now:
            return
        self.outcome.different += 1
        try:
            before = [(item["track"], float(item["score"])) for item in recorded["items"]]
        except (KeyError, TypeError, ValueError) as error:
            raise self._bad("a list of suggestions without tracks") from error
        after = [(item["track"], float(item["score"])) for item in now["items"]]
        if [track for track, _ in before] != [track for track, _ in after]:
            self.outcome.moved += 1
        else:
            gaps = [abs(then - current) for (_, then), (_, current) in zip(before, after, strict=True)]
            self.outcome.gap = max([self.outcome.gap, *gaps])

    def _keep_open(self, question: Question) -> None:
        """A question waits for the recorded answer."""
        self._open[question.id] = question
        while len(self._open) > MAX_OPEN:
            del self._open[next(iter(self._open))]

    def _answer_loose(self) -> None:
        """Answer each question at once after the questions differed."""
        while self.outcome.loose and self._open:
            question = self._open.pop(next(iter(self._open)))
            self._driver.answer(question, self._batch_search.answer(question, None)[0])

    def _count_and_publish(self, notice: Notice) -> None:
        if isinstance(notice, End):
            self._end = notice
            return
        if isinstance(notice, Suggestions):
            self.outcome.lists += 1
            self._media_s = notice.pts_s
        self._publish(notice)

    def _republish(self, notice: object) -> None:
        """Publish a recorded notice of the driver again."""
        match notice:
            case {"type": ("Warned" | "Failed") as kind, "reason": str(reason)}:
                self._publish(DRIVER[kind](reason))
            case {"type": "late"}:
                pass
            case {"type": "Restocked"}:
                self.outcome.restocked += 1
            case _:
                raise self._bad("an unknown notice")

    def _picture(self, record: Record) -> None:
        """Measure the picture anew, to compare the next frame's features with that."""
        t_s = record.fields.get("t_s")
        picture = _decoded(record.blob)
        if picture is None or not isinstance(t_s, int | float):
            raise self._bad(f"a picture that is no PNG of {PICTURE_WIDTH}x{PICTURE_HEIGHT}, or is damaged")
        again = record.fields.get("again") is True
        if self._meter is None or (again and not self._remeasured):
            self._meter = FrameMeter(small=self._small)
        self._remeasured = again
        self.outcome.pictures += 1
        try:
            measured = self._meter.push(picture, float(t_s))
            self._measured = self._measured if again else measured
        except FeatureError as error:
            raise self._bad(f"a picture that cannot be measured ({error})") from error

    def _check(self, argument: str, value: object) -> None:
        kind = ARGUMENTS.get(argument, object)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not isinstance(value, kind) or (kind is not bool and kind is not object and isinstance(value, bool)):
            raise self._bad(f"{argument} that is {type(value).__name__}")
        if argument == "pictures" and not all(isinstance(picture, FrameFeatures) for picture in value):  # type: ignore[attr-defined]
            raise self._bad("revised frames that are none")
        if number and not abs(value) < LARGEST:  # type: ignore[arg-type]
            raise self._bad(f"{argument} that is {str(value)[:40]}")

    def _check_frame(self, features: FrameFeatures, slot: int) -> None:
        """Check a frame against the bundle and the recorded picture, before the session gets it."""
        if self._small and features.small is None:
            raise self._bad("a frame without the small colour picture that this bundle takes")
        self._media_s = slot / MOTION_FPS
        measured, self._measured = self._measured, None
        if measured is not None and _packed(measured) != _packed(features):
            self._differs("the picture is measured differently")

    def _differs(self, words: str) -> None:
        if self.outcome.first is None:
            self.outcome.first = f"at {self._media_s:.3f} s: {words}"

    def _bad(self, words: str) -> RecordingError:
        cause = "" if self.outcome.first is None else f"; before that, {self.outcome.first}"
        maker = str(self._reader.header.get("segue"))[:40]
        return RecordingError(
            f"{self._reader.path}: call {self.outcome.calls} holds {words}{cause}; replay it with the segue that made "
            f"it ({maker}) and the bundle that it names"
        )


def _packed(features: FrameFeatures) -> tuple[str, bytes]:
    packer = Packer()
    return json.dumps(packer.pack(features)), packer.blob


def _decoded(blob: bytes) -> NDArray[np.uint8] | None:
    """The (90, 160, 3) uint8 RGB picture of a PNG; None for another size, which would cost memory, and for damage."""
    if not blob.startswith(PNG_HEAD):
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _stage(question: Question) -> str:
    match question:
        case Infer():
            return f"graph {question.graph}"
        case Beats():
            return f"beats of track {question.track}"
        case _:
            return "search in the catalogue"


def _ending(raised: object) -> str:
    return "went well" if raised is None else f"raised {str(raised)[:200]}"


def _questions(events: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (event.get("say"), event.get("id"), event.get("graph"), event.get("track"))
        for event in events
        if event.get("say") in ("Beats", "Infer", "Search")
    ]


def _as_then(now: Any, then: Any) -> Any:
    """What an event says now, without fields that the recording's events do not have: they came later."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {
            key: _as_then(value, then.get(key)) for key, value in now.items() if key in then or key not in CAME_LATER
        }
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [_as_then(*pair) for pair in zip(now, then, strict=True)]
    return now


def _difference(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first difference of two events, in words."""
    kinds = recorded.get("say"), now["say"]
    if kinds[0] != kinds[1]:
        return f"{kinds[1]} came where {str(kinds[0])[:40]} came in the recording"
    if kinds[1] == "Infer" and recorded.get("graph") == now["graph"]:
        return f"question {now['id']} (graph {now['graph']}) was asked with other inputs"
    if kinds[1] == "Search":
        return f"question {now['id']} (search in the catalogue) was asked with other inputs"
    for path, then, current in _leaves(recorded, now, str(kinds[1])):
        if then != current:
            return f"{path} is {str(current)[:80]}, in the recording {str(then)[:80]}"
    return f"{kinds[1]} differs"


def _leaves(then: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Both sides of two nested values, leaf by leaf."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            yield from _leaves(then.get(key), now.get(key), f"{path}.{key}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (left, right) in enumerate(zip(then, now, strict=True)):
            yield from _leaves(left, right, f"{path}[{place}]")
    else:
        yield path, then, now
