"""A session with a recorder: every call of a driver is passed on and kept, with its events.

The records of a recording, behind the header, in the order of the calls:

    {"kind": "call", "at_s", "name", "args", "kwargs", "events", "raised"}   one call of the session's
    {"kind": "heard", "at_s", "notice"}        what the driver itself published: a warning, a failure, a lateness
    {"kind": "picture", "t_s"}                 with --record-pictures: the next frame's canonical picture as PNG
    {"kind": "picture", "t_s", "again": true}  the one before it, within bars that were detected since
    {"kind": "end", "why", "records"}          the recording was closed

``args`` and ``kwargs`` are written as in ``values.py``; of an answer only its hash is kept (``["answer", sha256]``),
and of a question the hash of its inputs. ``at_s`` is the time since the recorder was made, by a monotonic clock.
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.catalog import Catalog
from stream.core.events import End, Event, Failed, Notice, Restocked, Suggestions, Warned
from stream.core.model import Model
from stream.core.session import Session, SessionOptions
from stream.driver.runtime import Runtime

from .errors import RecordingError
from .format import Record
from .header import RecordOptions, make_header
from .values import Packer, answer_digest, event_record
from .writer import DEFAULT_LIMIT, ENDED, Writer

SUFFIX: Final = ".seguerec"
RESULT: Final = "result"


class Recorder:
    """Records one session. ``session`` gives the session to drive, ``put`` takes its notices as a sink,
    ``keep`` takes a picture ahead of its ``push``. None of them blocks, unless ``wait`` is set: then they wait for a
    slow disk, for drivers that follow no clock.

    The recording is closed when ``End`` is published. A session without any call but its end leaves no file.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, Any],
        limit: int = DEFAULT_LIMIT,
        *,
        wait: bool = False,
        begun: "Callable[[Recorder], None] | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.writer = Writer(path, Record({**header, "started": started}), limit=limit, wait=wait)
        self.keep = self._record_picture if header["pictures"] else None
        self._options = header["session"]
        self._on_begin = begun
        self._clock = clock
        self._begun = clock()
        self._started = False

    def session(self, model: Model, options: SessionOptions) -> Session:
        """A new session that records every call; ``options`` are those in the header."""
        if asdict(options) != self._options:
            raise ValueError("the session's options are not those in the recording's header")
        return cast(Session, RecordedSession(Session(model, options), self._record_call))

    def close(self, why: str = "the program ended", wait_s: float = 0.0) -> bool:
        """Close the recording, if ``End`` has not. Returns whether the file is complete, after at most ``wait_s``
        seconds."""
        return self.writer.close(why, wait_s)

    def _record_call(
        self, name: str, args: Sequence[Any], kwargs: dict[str, Any], events: Sequence[Event], raised: str | None
    ) -> None:
        if name != "finish":
            self._begin()
        if not self._started:
            return
        at_s = self._at_s()

        def make() -> Record:
            packer = Packer()
            positional = [packer.pack(value) for value in args]
            named = {key: packer.pack(value) for key, value in kwargs.items()}
            fields: dict[str, Any] = {"kind": "call", "at_s": at_s, "name": name, "args": positional, "kwargs": named}
            fields |= {"events": [event_record(event) for event in events], "raised": raised}
            return Record(fields, packer.blob)

        def make_result() -> Record:
            question, answer = args
            fields: dict[str, Any] = {"kind": "call", "at_s": at_s, "name": name, "kwargs": {}}
            fields |= {"args": [question, ["answer", answer_digest(answer)]]}
            return Record(fields | {"events": [event_record(event) for event in events], "raised": raised})

        self.writer.put(make_result if name == RESULT else make)

    def put(self, notice: Notice) -> None:
        """Keep the driver's own notices; ``End`` closes the recording."""
        own_notice: dict[str, Any] | None = None
        if isinstance(notice, Warned | Failed):
            own_notice = {"type": type(notice).__name__, "reason": notice.reason}
        elif isinstance(notice, Suggestions) and notice.late_ms is not None:
            own_notice = {"type": "late", "pts_s": notice.pts_s, "late_ms": notice.late_ms}
        elif isinstance(notice, Restocked):
            own_notice = {"type": "Restocked", **asdict(notice)}
        if own_notice is not None and self._started:
            fields = {"kind": "heard", "at_s": self._at_s(), "notice": own_notice}
            self.writer.put(lambda: Record(fields))
        if isinstance(notice, End):
            self.writer.close(ENDED)

    def _record_picture(self, picture: NDArray[np.uint8], t_s: float, again: bool = False) -> None:
        """The canonical picture (90, 160, 3) of the frame that is pushed next, at ``t_s`` s of media time;
        ``again``: of the frame before it, within bars that were detected since."""
        self._begin()

        def make() -> Record:
            done, code = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            if not done:
                raise RecordingError("a picture could not be coded as PNG")
            return Record({"kind": "picture", "t_s": t_s, **({"again": True} if again else {})}, code.tobytes())

        self.writer.put(make)

    def _begin(self) -> None:
        if not self._started:
            self._started = True
            if self._on_begin is not None:
                self._on_begin(self)

    def _at_s(self) -> float:
        return round(self._clock() - self._begun, 4)


class RecordedSession:
    """Stands in for a ``Session``: passes on and records every public method, also those that are added to ``Session``
    later."""

    def __init__(
        self,
        session: Session,
        record_call: Callable[[str, Sequence[Any], dict[str, Any], Sequence[Event], str | None], None],
    ) -> None:
        self._session = session
        self._record_call = record_call

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._session, name)
        if name.startswith("_") or not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                events = value(*args, **kwargs)
            except Exception as error:
                self._record_call(name, args, kwargs, (), complaint(error))
                raise
            self._record_call(name, args, kwargs, events, None)
            return events

        return call


class Recordings:
    """A folder with one recording a session: ``YEARMONTHDAYTHHMMSSZ-XXXXXXXX.seguerec``.

    Raises ``RecordingError`` at once for a folder that cannot be made or written.
    """

    def __init__(
        self, folder: Path, runtime: Runtime, catalog: Catalog, session: SessionOptions, record: RecordOptions
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{secrets.token_hex(8)}"
            probe.touch(exist_ok=False)
            probe.unlink()
        except OSError as error:
            raise RecordingError(
                f"{folder}: recordings cannot be written there ({error.strerror}); name another folder"
            ) from error
        self.folder = folder
        self._header = make_header(runtime, catalog, session, record)
        self._limit = record.limit
        self._open: list[Recorder] = []
        self._stopped = self._lost = self._ended = 0

    def start(self) -> Recorder:
        """The recorder of one session."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}{SUFFIX}"
        return Recorder(self.folder / name, self._header, self._limit, begun=self._add)

    def _add(self, recorder: Recorder) -> None:
        self._sweep()
        self._open.append(recorder)

    def close(self, wait_s: float) -> None:
        """Close every recording; about ``wait_s`` seconds are spent waiting for the disk."""
        for recorder in self._open:
            recorder.close()
        until = time.monotonic() + wait_s
        for recorder in self._open:
            if not recorder.close(wait_s=max(0.0, until - time.monotonic())):
                logging.getLogger("segue.recording").warning(
                    "recording %s: its end was not written in time", recorder.writer.path
                )

    def counts(self) -> dict[str, int]:
        """Recordings that are open, that ended with their session, that stopped before it; and lost records."""
        self._sweep()
        lost = self._lost + sum(recorder.writer.lost for recorder in self._open)
        return {"open": len(self._open), "ended": self._ended, "stopped": self._stopped, "lost_records": lost}

    def _sweep(self) -> None:
        """Count the recordings that are closed and written, and forget them."""
        for recorder in [recorder for recorder in self._open if recorder.writer.done]:
            self._open.remove(recorder)
            self._ended += recorder.writer.why == ENDED
            self._stopped += recorder.writer.why != ENDED
            self._lost += recorder.writer.lost


def complaint(error: BaseException) -> str:
    """The text of an exception, as it is kept and compared."""
    return f"{type(error).__name__}: {error}"
