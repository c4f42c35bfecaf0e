"""What every script is given: the catalogue, a stream to publish, a folder of its own, and where to say things."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.served import cores

from .target import Target, target


@dataclass(frozen=True)
class Scene:
    """``stream``: H.264 in MP4; ``folder``: for logs and media, gone at the end; ``seed`` of whatever is drawn."""

    catalog: Path
    stream: Path
    folder: Path
    seed: int
    say: Callable[[str], None]

    @contextlib.contextmanager
    def server(
        self, words: Sequence[str] = (), before: Sequence[str] = (), url: str = "", orders: Path | None = None
    ) -> Iterator[Target]:
        """A server of this catalogue; see `target`."""
        with target(self.catalog, self.folder, words, before, url, orders) as running:
            yield running

    @property
    def cores(self) -> list[int]:
        """For the load's processes: all of them; nothing here measures cost."""
        return cores()
