"""A value of a picture, measured once: the pictures of a clip come again in the next clips.

Nothing is kept longer than the picture itself, so its bound is that of whoever keeps the pictures. A picture must not
be written to once it was measured.
"""

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class PerPicture(Generic[T]):
    """``measure`` of pictures, by identity. Any number of threads may ask; two that ask for one picture at once may
    both measure it."""

    def __init__(self, measure: Callable[[NDArray[np.uint8]], T]) -> None:
        self._measure = measure
        self._values: dict[int, tuple[weakref.ref[NDArray[np.uint8]], T]] = {}  # by the picture's id

    def __call__(self, picture: NDArray[np.uint8]) -> T:
        key = id(picture)
        kept = self._values.get(key)
        if kept is not None and kept[0]() is picture:
            return kept[1]
        value = self._measure(picture)
        self._values[key] = weakref.ref(picture, self._forget(key)), value
        return value

    def __len__(self) -> int:
        return len(self._values)

    def _forget(self, key: int) -> Callable[[Any], None]:
        values = self._values

        def forget(gone: Any) -> None:
            kept = values.get(key)
            if kept is not None and kept[0] is gone:  # else another picture has taken its place
                values.pop(key, None)

        return forget
