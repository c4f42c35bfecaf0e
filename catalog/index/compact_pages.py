"""Pages of mapped files: Linux maps each when it is first read, which takes a search thrice as long as all else."""

import ctypes
import mmap
import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

POPULATE_READ: Final = 22  # MADV_POPULATE_READ of Linux 5.14 and later, madvise(2); others refuse it


def map_pages(memory: NDArray[np.uint8]) -> bool:
    """Let the system map all of ``memory``, a view of a mapped file, reading it from the disk where it has to; blocks,
    without holding other threads. False where the system cannot do that, or not now: it maps single pages then."""
    if sys.platform != "linux" or not memory.nbytes:
        return False
    first = memory.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
    size = memory.ctypes.data + memory.nbytes - first
    return bool(ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(size), POPULATE_READ) == 0)
