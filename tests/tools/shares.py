"""Which tests go to one process together, where several share them (`pytest -n 3 --dist loadfile`)."""

from typing import Final

from xdist.scheduler import LoadFileScheduling

BROWSERS: Final = ("tests/stream/web/", "tests/stream/clients/test_browser", "tests/benchmarks/test_starts.py")


class Shares(LoadFileScheduling):
    """A file's tests stay together, and browsers come one after another: each draws and encodes with all cores, and
    beside two more none would keep the pace that its test asks for."""

    def _split_scope(self, nodeid: str) -> str:
        return "browsers" if nodeid.startswith(BROWSERS) else str(super()._split_scope(nodeid))
