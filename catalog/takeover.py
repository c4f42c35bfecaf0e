"""Which tracks of a file go on with tracks whose files are gone: asked by a run of the indexer, file by file, what
``succession.py`` decides track by track."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from .absent import leads_nowhere
from .scan import Scan
from .store import Store
from .stored import Entry
from .succession import predecessor


class Takeover:
    """Of one run over ``music``, as it was ``scanned``; ``is_inside``: whether a file is of that music."""

    def __init__(self, music: Path, scanned: Scan, store: Store, is_inside: Callable[[Path], bool]) -> None:
        self._music, self._scanned, self._store, self._is_inside = music, scanned, store, is_inside

    def of(self, path: Path, entries: Sequence[Entry], known: Collection[str]) -> dict[str, str]:
        """The new tracks of the file ``path`` that go on with a track whose files are gone: its id by theirs. Those
        that are ``known`` go on with none."""
        taken: dict[str, str] = {}
        held = {entry.track.id for entry in entries}

        def is_gone(id: str) -> bool:
            if id in held or id in taken.values():
                return False
            places = self._store.sounds.places_of(id)
            return not any(place != path and self._is_there(place) for place in places)

        for entry in entries:
            outline = None if entry.analysis is None else entry.analysis.outline
            if outline is not None and entry.analysis is not None and entry.track.id not in known:
                length_s = entry.analysis.duration_s
                former = self._store.sounds.former(length_s, path)
                old = predecessor(entry.sketch, outline, length_s, former, is_gone)
                if old is not None:
                    taken[entry.track.id] = old
        return taken

    def _is_there(self, path: Path) -> bool:
        """Whether a file is there, or may be: a folder that cannot be read, or a disk that is away, tells nothing."""
        if path in self._scanned.files or any(map(path.is_relative_to, self._scanned.closed)):
            return True
        try:
            return (
                path.exists() or leads_nowhere(path, self._music) or not (self._is_inside(path) or path.parent.is_dir())
            )
        except OSError:
            return True
