"""The vectors of tracks that were used last, of an index that has to ask a server for them."""

import threading
from collections import OrderedDict
from typing import Final

from catalog.records import Floats

from .directory import Entry

BYTES: Final = 64 << 20  # 120,000 segments of 133 numbers


class KeptVectors:
    """Of each track one version. Safe for any number of threads."""

    def __init__(self, most_bytes: int = BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, tuple[int, Floats]] = OrderedDict()

    def get(self, entry: Entry) -> Floats | None:
        """(count, D); None where they are not kept."""
        with self._lock:
            version, vectors = self._vectors.get(entry.id, (0, None))
            if vectors is None or version != entry.version:
                return None
            self._vectors.move_to_end(entry.id)
            return vectors

    def put(self, entry: Entry, vectors: Floats) -> None:
        with self._lock:
            _, old = self._vectors.pop(entry.id, (0, None))
            self._vectors[entry.id] = (entry.version, vectors)
            self._held += vectors.nbytes - (0 if old is None else old.nbytes)
            while self._held > self._most:
                _, (_, last) = self._vectors.popitem(last=False)
                self._held -= last.nbytes
