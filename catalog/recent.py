"""The few values used last, for any number of threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The ``limit`` values used last; they are made under one lock, so that two threads never make the same value
    twice."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        with self._lock:
            try:
                self._values.move_to_end(key)
            except KeyError:
                self._values[key] = make()
                if len(self._values) > self._limit:
                    self._values.popitem(last=False)
            return self._values[key]

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[K]:
        with self._lock:
            return list(self._values)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
