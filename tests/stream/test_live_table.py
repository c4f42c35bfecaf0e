"""The table of ``segue watch``."""

import io

from rich.console import Console

from stream.core.events import End
from stream.live_table import LiveTable


def test_what_is_written_to_a_file_ends_its_last_line() -> None:
    written = io.StringIO()
    with LiveTable("a.mp4", None, Console(file=written, width=80)) as table:
        table.put(End(frames=3, sampled=1, dropped=0, suggestions=0))
    assert written.getvalue().endswith("0 lists of suggestions\n")
