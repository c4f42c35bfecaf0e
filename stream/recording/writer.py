"""Records on their way to the file: a bounded queue and one thread that packs, hashes and writes.

*Bounds*: ``QUEUE_LIMIT`` records wait (about half a minute of a live session; some 20 MB, since a hop's inputs and
answers wait as arrays). At the bound the recording is closed: the waiting records are still written, the last record
says why, and every later one is counted as lost. Without a live input (``wait=True``) the caller waits for room
instead. At ``limit`` bytes, and when a write fails, the recording is closed as well.

A chunk is written once a second or every ``CHUNK_BYTES``, so a process that is killed loses its last second.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from .errors import RecordingError
from .format import MAGIC, Record, create, pack_chunk, pack_record

QUEUE_LIMIT: Final = 512
CHUNK_BYTES: Final = 256 * 1024
CHUNK_S: Final = 1.0
DEFAULT_LIMIT: Final = 1024**3
POLL_S: Final = 0.2
LAST_BYTES: Final = 4096  # kept free below the limit for the last record
ENDED: Final = "the session ended"

logger = logging.getLogger("segue.recording")

Make = Callable[[], Record]


class Writer:
    """Owns one file. ``put`` takes a function that makes the record, so that the packing too happens in the thread.

    ``written`` counts records and ``size`` bytes in the file, ``lost`` records that came after the recording stopped;
    ``why`` is what the last record says once it stopped, else None.
    """

    def __init__(
        self,
        path: Path,
        header: Record,
        *,
        limit: int = DEFAULT_LIMIT,
        wait: bool = False,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self.path = path
        self.written = self.size = self.lost = 0
        self.why: str | None = None
        self._header = header
        self._limit, self._wait = limit, wait
        self._queue: queue.Queue[Make] = queue.Queue(queue_limit)
        self._file: BinaryIO | None = None
        self._records = bytearray()
        self._failed = False
        self._count = 0  # of records in it
        self._begun = 0.0  # when the first of them came
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> bool:
        """Whether the recording stopped and all that could be written is written."""
        return self.why is not None and (self._thread is None or not self._thread.is_alive())

    def open(self) -> None:
        """Create the file and write its header; else the thread does so at the first record. Raises
        ``RecordingError``."""
        if self._file is not None:
            return
        self._file = create(self.path)
        try:
            self._append(MAGIC)
            self._append(pack_chunk(pack_record(self._header)))
        except OSError as error:
            self._file.close()
            raise RecordingError(f"{self.path}: cannot be written ({error.strerror}); name another file") from error

    def put(self, make: Make) -> None:
        """Queue a record. Blocks only for room, and only with ``wait``."""
        if self.why is None:
            self._start()
        while self.why is None:
            try:
                if self._wait:
                    self._queue.put(make, timeout=POLL_S)
                else:
                    self._queue.put_nowait(make)
            except queue.Full:
                if not self._wait:
                    self._stop(f"{self._queue.maxsize} records waited to be written, the bound: the disk is too slow")
            else:
                return
        with self._lock:
            self.lost += 1

    def close(self, why: str, wait_s: float = 0.0) -> bool:
        """No more records come. Waiting records are written; this waits at most ``wait_s`` seconds for that.

        Returns whether the file is complete by then.
        """
        self._stop(why, quiet=True)
        if self._thread is not None:
            self._thread.join(wait_s)
            return not self._thread.is_alive()
        if self._file is not None and not self._file.closed:  # opened, without any record
            self._finish(self._file)
        return True

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
                self._thread.start()

    def _stop(self, why: str, quiet: bool = False) -> None:
        with self._lock:
            if self.why is not None and (quiet or self._failed):
                return
            self.why, self._failed = why, not quiet  # a failure to write the rest replaces a normal end
        if not quiet:
            logger.warning("recording %s: stopped, %s; the session goes on", self.path, why)

    def _work(self) -> None:
        try:
            self.open()
        except RecordingError as error:
            self._stop(str(error))
            return
        assert self._file is not None
        while self._step():
            pass
        self._finish(self._file)

    def _step(self) -> bool:
        """Take one record, or write a chunk that is due. False once everything is written, or nothing more can be."""
        stopping = self.why is not None  # read before the queue: no record is put once it is set
        try:
            make = self._queue.get(timeout=POLL_S if not stopping else 0.01)
        except queue.Empty:
            if stopping:
                return False
        else:
            if not self._count:
                self._begun = time.monotonic()
            if not self._take(make):
                return False
        due = len(self._records) >= CHUNK_BYTES or time.monotonic() - self._begun >= CHUNK_S
        return self._flush() if self._count and due else True

    def _take(self, make: Make) -> bool:
        try:
            self._records += pack_record(make())
        except Exception as error:  # noqa: BLE001 - no error of a record may stop the session
            self._stop(f"a record could not be made ({type(error).__name__}: {error})")
            self.lost += 1
            return False
        self._count += 1
        return True

    def _flush(self) -> bool:
        """Write the collected records as one chunk. False once the recording is over."""
        chunk, count = pack_chunk(bytes(self._records)), self._count
        self._records.clear()
        self._count = 0
        if self.size + len(chunk) > self._limit - LAST_BYTES:
            self._stop(f"it would grow beyond {self._limit} bytes, the limit")
        else:
            try:
                self._append(chunk)
            except OSError as error:
                self._stop(f"it cannot be written ({error.strerror})")
            else:
                self.written += count
                return True
        with self._lock:
            self.lost += count
        return False

    def _finish(self, file: BinaryIO) -> None:
        """Write the rest and the last record, and close the file."""
        if self._count:
            self._flush()
        with self._lock:
            self.lost += self._queue.qsize()
        last = Record({"kind": "end", "why": self.why or "", "records": self.written})
        try:
            self._append(pack_chunk(pack_record(last)))
        except OSError as error:
            logger.warning("recording %s: its last record is missing (%s)", self.path, error.strerror)
        finally:
            file.close()

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            done = self._file.write(view)
            self.size += done
            view = view[done:]
