"""The inputs of a session: the publisher whose frames are used, and the one that may take its place.

A publisher takes over with its first frame, not before: so one that never gets through does no harm. *Bound*: one
feeds the session and one is coming; of those that come, the newest wins.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import av

from stream.core.events import Warned
from stream.core.quality_level import QualityLevel
from stream.sources.arrival import Arrival
from stream.sources.ended import Ended


class Publisher(Protocol):
    """Feeds a session. ``connected``: frames may come. ``close`` may be called any number of times, and ``on_end`` is
    not called after it."""

    @property
    def connected(self) -> bool: ...
    def follow(self, level: QualityLevel) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class NotePublisher(Protocol):
    """A publisher with notes for the viewers: what was lost of the stream that it fetches."""

    def hear_notes(self, on_note: Callable[[str], None]) -> None: ...


class ReleasedPublisher:
    """Replaces a released publisher. Else whatever refers to its input would keep it, with its decoders, until the
    garbage collector runs."""

    connected = False

    def follow(self, level: QualityLevel) -> None:
        pass

    async def close(self) -> None:
        pass


OnFrame = Callable[[Arrival], None]
OnSound = Callable[[av.AudioFrame], None]
OnEnd = Callable[[Ended], None]
Connect = Callable[[OnFrame, OnSound, OnEnd], Publisher]


class InputSession(Protocol):
    """The part of a session that its inputs know."""

    id: str
    level: QualityLevel
    inputs: "Inputs"

    def frame_arrived(self, source: "Input") -> None:
        """A frame of an input arrived."""

    def publish(self, notice: Warned) -> None: ...
    @property
    def live(self) -> "Listener": ...


class Listener(Protocol):
    """Takes pictures and sound: the part of a ``LiveDriver`` that an input knows."""

    def offer(self, arrival: Arrival) -> None: ...
    def listen(self, frame: av.AudioFrame) -> None: ...


class Input:
    """One publisher's way into a session. Only the publisher knows ``secret``; ``number`` counts a session's inputs."""

    def __init__(self, session: InputSession, number: int, connect: Connect, on_end: "Callable[[Input, Ended], None]"):
        self.secret = secrets.token_urlsafe(24)
        self.session, self.number = session, number
        self._detached = False
        self.publisher: Publisher = connect(
            self._frame, self._sound, lambda ended: None if self._detached else on_end(self, ended)
        )
        self.publisher.follow(session.level)
        if isinstance(self.publisher, NotePublisher):
            self.publisher.hear_notes(self._note)

    @property
    def id(self) -> str:
        """The session's, for viewers."""
        return self.session.id

    def detach(self) -> asyncio.Task[None]:
        """Ignore the publisher from now on and close it; the task ends when it is closed."""
        self._detached = True
        publisher, self.publisher = self.publisher, ReleasedPublisher()
        return asyncio.get_running_loop().create_task(publisher.close())

    def _frame(self, arrival: Arrival) -> None:
        if not self._detached:
            self.session.frame_arrived(self)
            self.session.live.offer(arrival)

    def _note(self, text: str) -> None:
        if not self._detached:
            self.session.publish(Warned(text))

    def _sound(self, sound: av.AudioFrame) -> None:
        if not self._detached and self.session.inputs.now is self:
            self.session.live.listen(sound)


class Inputs:
    """The inputs of one session. ``now`` feeds it; ``coming`` has sent no frame yet."""

    def __init__(self) -> None:
        self.now: Input | None = None
        self.coming: Input | None = None
        self.closing: set[asyncio.Task[None]] = set()
        self.count = 0

    @property
    def all(self) -> list[Input]:
        return [source for source in (self.now, self.coming) if source is not None]

    @property
    def connected(self) -> bool:
        return any(source.publisher.connected for source in self.all)

    def add(self, session: InputSession, connect: Connect, on_end: Callable[[Input, Ended], None]) -> Input:
        """Add a publisher as the one that is coming; releases the previous one of these."""
        if self.coming is not None:
            self.release(self.coming)
        self.count += 1
        self.coming = Input(session, self.count, connect, on_end)
        return self.coming

    def promote(self) -> None:
        """The input that was coming sent its first frame: it feeds the session from now on, and the previous one is
        released."""
        if self.now is not None:
            self.release(self.now)
        self.now, self.coming = self.coming, None

    def release(self, source: Input) -> None:
        """Close an input; frames that it still sends are ignored."""
        if source is self.now:
            self.now = None
        elif source is self.coming:
            self.coming = None
        task = source.detach()
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)
