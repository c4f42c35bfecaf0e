"""A recording told to a session again: the same calls in the same order, every question answered anew.

What the session says is compared with what it said then, record by record: questions by the hash of what they ask with,
answers by their hash, notices by every digit. What comes out different first is the cause of most of what differs
later, so it is named with its place; the replay goes on to the end all the same.

Where the session asks other questions than it did (another bundle, another segue), the recorded order of the answers
means nothing any more: from there on each question is answered as soon as it is asked.
"""

import inspect
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from features.errors import FeatureError
from features.frame import FrameFeatures, FrameMeter
from features.spec import MOTION_FPS, PICTURE_HEIGHT, PICTURE_WIDTH
from stream.core.events import Beats, End, Event, Failed, Infer, Notice, Question, Suggestions, Warned
from stream.core.session import Session
from stream.driver.driver import SessionDriver
from stream.driver.runtime import Runtime, needs_small

from .batch_search import BatchSearch
from .errors import RecordingError
from .format import Reader, Record
from .header import engine_of, session_options, sizes_of
from .recorder import complaint
from .values import Packer, Unpacker, said
from .writer import ENDED

MAX_OPEN: Final = 4096  # questions that a recording leaves unanswered; more are forgotten, oldest first
# What an argument of each name must be, so that a crafted file cannot make a session say what cannot be published.
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

Publish = Callable[[Notice], None]


@dataclass(slots=True)
class Outcome:
    """``first`` says where and how the replay first differed, None: nowhere. ``ending`` why the recording stops before
    its session does, None: it does not. Lists are compared by place; ``moved`` have other tracks or another order,
    ``gap`` is the largest difference of a score in the others. ``loose``: other questions were asked than then."""

    calls: int = 0
    answers: int = 0
    pictures: int = 0
    lists: int = 0
    different: int = 0
    moved: int = 0
    gap: float = 0.0
    first: str | None = None
    ending: str | None = None
    loose: bool = False


def replay(reader: Reader, runtime: Runtime, publish: Publish) -> Outcome:
    """Play the whole recording; ``publish`` is given every notice, ``End`` last.

    ``runtime`` must run requests one by one (no micro-batcher). Raises ``RecordingError`` for a recording that this
    segue or this bundle cannot be told.
    """
    player = _Player(reader, runtime, publish)
    for record in reader.records():
        player.play(record)
    return player.finish()


class _Player:
    def __init__(self, reader: Reader, runtime: Runtime, publish: Publish) -> None:
        self._reader = reader
        options = session_options(reader.path, reader.header)
        self._driver = SessionDriver(runtime, options, self._say, self._wait)
        self._session = self._driver.session
        _, batched = engine_of(reader.path, reader.header)
        self._asker = BatchSearch(runtime, batched, sizes_of(reader.path, reader.header))
        self._small = needs_small(runtime.model)
        self._publish = publish
        self._open: dict[int, Question] = {}
        self._second = 0.0  # of media time, for the words
        self._end: End | None = None
        self._why: str | None = None  # what the recording's last record says
        self._meter: FrameMeter | None = None
        self._again = False  # the newest picture was one that was looked at before
        self._measured: FrameFeatures | None = None
        self.outcome = Outcome()

    def play(self, record: Record) -> None:
        match record.fields.get("kind"):
            case "call":
                self._call(record)
            case "heard":
                self._heard(record.fields.get("notice"))
            case "picture":
                self._picture(record)
            case "end":
                self._why = str(record.fields.get("why"))
            case other:
                raise self._bad(f"a record of kind {str(other)[:40]!r}")

    def finish(self) -> Outcome:
        """Say the last word; ``End`` comes behind what the driver had to say."""
        if self._reader.damage is not None:
            self.outcome.ending = f"the recording is {self._reader.damage}; what is whole before it was replayed"
        elif self._why is None:
            self.outcome.ending = "the recording was not closed; what was written of it was replayed"
        elif self._why != ENDED:
            self.outcome.ending = f"the recording stopped before its session ended: {self._why}"
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
            given = [unpacker.unpack(value) for value in args]
            named = {key: unpacker.unpack(value) for key, value in kwargs.items()}
        except ValueError as error:
            raise self._bad(f"what no recorder writes ({str(error)[:80]})") from error
        try:
            bound = inspect.signature(method).bind(self._session, *given, **named).arguments
        except TypeError as error:
            raise self._bad(f"a call of {name} that its session does not take ({error})") from error
        for argument, value in bound.items():
            self._check(argument, value)
        if name == "push":
            self._look(bound["features"], bound["slot"])
        elif name == "reset":
            self._meter = self._measured = None
        self._tell(record, lambda: getattr(self._session, name)(*given, **named))

    def _result(self, record: Record, args: list[Any]) -> None:
        match args:
            case [int(number), ["answer", str(wanted)]]:
                pass
            case _:
                raise self._bad("an answer without a question or a hash")
        if self.outcome.loose:
            return
        question = self._open.pop(number, None)
        if question is None:
            raise self._bad(f"an answer to question {number}, which was not asked")
        answer, same = self._asker.ask(question, wanted)
        self.outcome.answers += 1
        if not same:
            self._differs(f"question {number} ({_stage(question)}) was answered differently")
            self._asker.give_up()
        self._tell(record, lambda: self._session.result(number, answer))

    def _tell(self, record: Record, call: Callable[[], list[Event]]) -> None:
        """Make one call, compare what comes of it, publish the notices."""
        recorded, raised = record.fields.get("events"), record.fields.get("raised")
        if not isinstance(recorded, list) or not all(isinstance(event, dict) for event in recorded):
            raise self._bad("a call without its events")
        found, events = None, []
        try:
            events = call()
        except Exception as error:  # noqa: BLE001 - a session that fails on a call is what the replay is to show
            found = complaint(error)
        if found != raised:
            self._differs(f"{record.fields['name']} {_ended(found)}, in the recording it {_ended(raised)}")
            if isinstance(found, str):
                raise self._bad(f"a call of {record.fields['name']} that fails here ({found[:200]})")
        if not self.outcome.loose:
            self._compare(recorded, events)
        self._driver.handle(events)
        self._answer_loose()

    def _compare(self, recorded: Sequence[Mapping[str, Any]], events: Sequence[Event]) -> None:
        found = [said(event) for event in events]
        lists = [event for event in found if event["say"] == "Suggestions"]
        expected = [event for event in recorded if event.get("say") == "Suggestions"]
        for one, other in zip(expected, lists, strict=False):
            self._weigh(one, other)
        if found == recorded:
            return
        for one, other in zip(recorded, found, strict=False):
            if one != other:
                self._differs(_difference(one, other))
                break
        else:
            self._differs(f"{len(found)} events came of one call, {len(recorded)} in the recording")
        if _questions(found) != _questions(recorded):
            self.outcome.loose = True
            self._asker.give_up()

    def _weigh(self, recorded: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Count how far one list is from the recorded one."""
        if recorded == found:
            return
        self.outcome.different += 1
        try:
            before = [(item["track"], float(item["score"])) for item in recorded["items"]]
        except (KeyError, TypeError, ValueError) as error:
            raise self._bad("a list of suggestions without tracks") from error
        after = [(item["track"], float(item["score"])) for item in found["items"]]
        if [track for track, _ in before] != [track for track, _ in after]:
            self.outcome.moved += 1
        else:
            gaps = [abs(one - other) for (_, one), (_, other) in zip(before, after, strict=True)]
            self.outcome.gap = max([self.outcome.gap, *gaps])

    def _wait(self, question: Question) -> None:
        """A question waits for the recorded answer."""
        self._open[question.id] = question
        while len(self._open) > MAX_OPEN:
            del self._open[next(iter(self._open))]

    def _answer_loose(self) -> None:
        """Where other questions are asked than then, each is answered at once."""
        while self.outcome.loose and self._open:
            question = self._open.pop(next(iter(self._open)))
            self._driver.answer(question, self._asker.ask(question, None)[0])

    def _say(self, notice: Notice) -> None:
        if isinstance(notice, End):
            self._end = notice
            return
        if isinstance(notice, Suggestions):
            self.outcome.lists += 1
            self._second = notice.pts_s
        self._publish(notice)

    def _heard(self, notice: object) -> None:
        """What the driver said then is said again."""
        match notice:
            case {"type": ("Warned" | "Failed") as kind, "reason": str(reason)}:
                self._publish(DRIVER[kind](reason))
            case {"type": "late"}:
                pass
            case _:
                raise self._bad("an unknown notice")

    def _picture(self, record: Record) -> None:
        """Measure the picture anew; the next frame's features are compared with that."""
        t_s = record.fields.get("t_s")
        picture = _decoded(record.blob)
        if picture is None or not isinstance(t_s, int | float):
            raise self._bad(f"a picture that is no PNG of {PICTURE_WIDTH}x{PICTURE_HEIGHT}, or is damaged")
        again = record.fields.get("again") is True
        if self._meter is None or (again and not self._again):
            self._meter = FrameMeter(small=self._small)
        self._again = again
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
        if argument == "pictures" and not all(isinstance(each, FrameFeatures) for each in value):  # type: ignore[attr-defined]
            raise self._bad("revised frames that are none")
        if number and not abs(value) < LARGEST:  # type: ignore[arg-type]
            raise self._bad(f"{argument} that is {str(value)[:40]}")

    def _look(self, features: FrameFeatures, slot: int) -> None:
        """The bundle's and the pictures' side of a frame, before the session keeps it."""
        if self._small and features.small is None:
            raise self._bad("a frame without the small colour picture that this bundle takes")
        self._second = slot / MOTION_FPS
        measured, self._measured = self._measured, None
        if measured is not None and _packed(measured) != _packed(features):
            self._differs("the picture is measured differently")

    def _differs(self, words: str) -> None:
        if self.outcome.first is None:
            self.outcome.first = f"at {self._second:.3f} s: {words}"

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


def _ended(raised: object) -> str:
    return "went well" if raised is None else f"raised {str(raised)[:200]}"


def _questions(events: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (event.get("say"), event.get("id"), event.get("graph"), event.get("track"))
        for event in events
        if event.get("say") in ("Beats", "Infer", "Search")
    ]


def _difference(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first thing in which two events differ, in words."""
    kinds = recorded.get("say"), found["say"]
    if kinds[0] != kinds[1]:
        return f"{kinds[1]} came where {str(kinds[0])[:40]} came in the recording"
    if kinds[1] == "Infer" and recorded.get("graph") == found["graph"]:
        return f"question {found['id']} (graph {found['graph']}) was asked with other inputs"
    if kinds[1] == "Search":
        return f"question {found['id']} (search in the catalogue) was asked with other inputs"
    for path, one, other in _leaves(recorded, found, str(kinds[1])):
        if one != other:
            return f"{path} is {str(other)[:80]}, in the recording {str(one)[:80]}"
    return f"{kinds[1]} differs"


def _leaves(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Both sides of two nested values, leaf by leaf."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _leaves(one.get(key), other.get(key), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _leaves(left, right, f"{path}[{place}]")
    else:
        yield path, one, other
