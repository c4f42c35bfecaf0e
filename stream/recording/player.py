"""Replay of a recording: the same calls to a session in the same order, every question answered anew.

The session's events are compared with the recorded ones, record by record: questions by the hash of their inputs,
answers by their hash, notices by every digit. The first difference causes most of the later ones, so it is named with
its place; the replay still goes on to the end.

If the session asks other questions than in the recording (another bundle, another segue), the recorded order of the
answers means nothing any more: from there on each question is answered at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.errors import SearchIndexError
from features.frame import FrameFeatures
from features.spec import MOTION_FPS
from stream.core.events import Beats, End, Event, Failed, Infer, Notice, Question, Suggestions, Warned
from stream.driver.driver import Publish, SessionDriver
from stream.driver.runtime import Runtime, needs_small

from .batch_search import BatchSearch
from .calls import BadRecordError, answered, arguments_of, method_of
from .comparison import as_then, asked, difference, score_gap
from .errors import RecordingError
from .format import Reader, Record
from .header import engine_of, session_options, shares_rows, sizes_of
from .pictures import Pictures
from .recorder import complaint
from .values import event_record
from .writer import ENDED

MAX_OPEN: Final = 4096  # questions that a recording leaves unanswered; more are forgotten, oldest first
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
    segue or this bundle cannot replay, and where the music cannot be searched.
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
        self._batch_search = BatchSearch(
            runtime, batched, sizes_of(reader.path, reader.header), shares_rows(reader.header)
        )
        self._publish = publish
        self._open: dict[int, Question] = {}
        self._media_s = 0.0  # of media time, for messages
        self._end: End | None = None
        self._end_reason: str | None = None  # what the recording's last record says
        self._pictures = Pictures(needs_small(runtime.model))
        self.outcome = Outcome()

    def play(self, record: Record) -> None:
        try:
            self._play(record)
        except BadRecordError as error:
            raise self._bad(str(error)) from error
        except SearchIndexError as error:
            raise RecordingError(
                f"{self._reader.path}: replayed to {self._media_s:.0f} s ({self.outcome.lists} lists), not further: "
                f"the music cannot be searched now, and without its answers nothing can be compared. {error}"
            ) from error

    def _play(self, record: Record) -> None:
        match record.fields.get("kind"):
            case "call":
                self._call(record)
            case "heard":
                self._republish(record.fields.get("notice"))
            case "picture":
                self._pictures.measure(record)
                self.outcome.pictures += 1
            case "end":
                self._end_reason = str(record.fields.get("why"))
            case other:
                raise BadRecordError(f"a record of kind {str(other)[:40]!r}")

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
        name, method = method_of(record)
        self.outcome.calls += 1
        if name == "result":
            self._result(record)
            return
        given = arguments_of(record, name, method, self._session)
        if name == "push":
            self._check_frame(given.bound["features"], given.bound["slot"])
        elif name == "reset":
            self._pictures.reset()
        self._call_session(record, lambda: getattr(self._session, name)(*given.positional, **given.named))

    def _result(self, record: Record) -> None:
        number, digest = answered(record)
        if self.outcome.loose:
            return
        question = self._open.pop(number, None)
        if question is None:
            raise BadRecordError(f"an answer to question {number}, which was not asked")
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
            raise BadRecordError("a call without its events")
        complaint_here, events = None, []
        try:
            events = call()
        except Exception as error:  # noqa: BLE001 - the replay shows a call that fails
            complaint_here = complaint(error)
        if complaint_here != raised:
            self._differs(f"{record.fields['name']} {_ending(complaint_here)}, in the recording it {_ending(raised)}")
            if isinstance(complaint_here, str):
                raise BadRecordError(f"a call of {record.fields['name']} that fails here ({complaint_here[:200]})")
        if not self.outcome.loose:
            self._compare(recorded, events)
        self._driver.handle(events)
        self._answer_loose()

    def _compare(self, recorded: Sequence[Mapping[str, Any]], events: Sequence[Event]) -> None:
        records = [event_record(event) for event in events]
        for place, (then, now) in enumerate(zip(recorded, records, strict=False)):
            records[place] = as_then(now, then)
        lists = [event for event in records if event["say"] == "Suggestions"]
        expected = [event for event in recorded if event.get("say") == "Suggestions"]
        for then, now in zip(expected, lists, strict=False):
            self._compare_lists(then, now)
        if (words := difference(recorded, records)) is None:
            return
        self._differs(words)
        if asked(records) != asked(recorded):
            self.outcome.loose = True
            self._batch_search.give_up()

    def _compare_lists(self, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Count how far one list is from the recorded one."""
        if recorded == now:
            return
        self.outcome.different += 1
        try:
            gap = score_gap(recorded, now)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadRecordError("a list of suggestions without tracks") from error
        if gap is None:
            self.outcome.moved += 1
        else:
            self.outcome.gap = max(self.outcome.gap, gap)

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
                raise BadRecordError("an unknown notice")

    def _check_frame(self, features: FrameFeatures, slot: int) -> None:
        """Check a frame against the bundle and the recorded picture, before the session gets it."""
        self._pictures.check(features)
        self._media_s = slot / MOTION_FPS
        if not self._pictures.agree(features):
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
