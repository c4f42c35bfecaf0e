"""Which tests go to one process together, where several share them (`pytest -n 3 --dist loadfile`), and which come
first.

Browsers draw and encode with all cores, and their tests ask for the pace of a browser: so they come one after another,
in the first process, and whatever runs beside them gives way.
"""

import os
from typing import Any, Final

from xdist.scheduler import LoadFileScheduling

BROWSERS: Final = ("tests/stream/web/", "tests/stream/clients/test_browser", "tests/benchmarks/test_starts.py")


LAST: Final = 19  # niceness
TOGETHER: Final = "browsers"


class Shares(LoadFileScheduling):
    """A file's tests stay together, those of browsers too, which are given out first."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(BROWSERS) else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: Any) -> None:
        if TOGETHER in self.workqueue:
            self.workqueue.move_to_end(TOGETHER, last=False)
        super()._assign_work_unit(node)


def give_way(nodeid: str) -> None:
    """Let this process run behind those with a browser, once it comes to a test without one."""
    if not nodeid.startswith(BROWSERS) and hasattr(os, "nice"):
        os.nice(LAST - os.nice(0))
