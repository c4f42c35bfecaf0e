"""The likes and skips of a session that stand, and those that were taken back.

A command says which track it was about, not what an undo has undone: that is told by the next list, which has the
wishes of all viewers as they stand. *Bound*: the newest ``REMEMBERED``; only ``preferences.MAX_UNDO`` can be undone.
"""

from typing import Final

from stream.core.events import ViewerState

from .model import Moment

REMEMBERED: Final = 256
KINDS: Final = {"like": "liked", "skip": "skipped"}  # of cues, by their commands
BACK: Final = {
    "unlike": ("liked",),
    "unskip": ("skipped",),
    "undo": ("liked", "skipped"),
    "reset": ("liked", "skipped"),
}

Key = tuple[str, str]  # kind of cue, track


class Wishes:
    """Numbers are those of cues."""

    def __init__(self) -> None:
        self._cues: dict[Key, int] = {}
        self._back: set[Key] = set()  # taken back
        self._doubted: dict[Key, Moment] = {}  # since when
        self._named: set[Key] = set()

    def stands(self, kind: str, track: str) -> bool:
        return (kind, track) in self._cues.keys() - self._back

    def add(self, kind: str, track: str, number: int) -> None:
        key = kind, track
        self._cues.pop(key, None)
        self._cues[key] = number
        self._back.discard(key)
        while len(self._cues) > REMEMBERED:
            self._forget(next(iter(self._cues)))

    def doubt(self, command: str, track: str | None, now: Moment) -> None:
        """A command of ``BACK`` was carried out, about this track or about none that it names."""
        for key in self._cues:
            if key[0] in BACK[command] and track in (None, key[1]):
                self._doubted.setdefault(key, now)
                if track is not None:
                    self._named.add(key)

    def settle(self, asked: ViewerState) -> list[tuple[int, Moment | None]]:
        """What a list says of it: the cues that were taken back, and when; with None, those that stand again."""
        standing = {("liked", one.track) for one in asked.liked} | {("skipped", one.track) for one in asked.skipped}
        found: list[tuple[int, Moment | None]] = []
        for key, since in self._doubted.items():
            if key in standing and key in self._back:
                self._back.discard(key)
                found.append((self._cues[key], None))
            elif key not in standing | self._back and (key in self._named or not asked.unlisted):
                self._back.add(key)
                found.append((self._cues[key], since))
        over = [key for key in self._cues if key[0] == "skipped" and key not in standing | self._doubted.keys()]
        self._doubted.clear()
        self._named.clear()
        for key in over if not asked.unlisted else ():  # its time is over: nobody took it back
            if key not in self._back:
                self._forget(key)
        return found

    def _forget(self, key: Key) -> None:
        del self._cues[key]
        self._back.discard(key)
        self._doubted.pop(key, None)
        self._named.discard(key)
