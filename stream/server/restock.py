"""The catalogue while the server runs: what an indexer or an edit commits is suggested within a second or two.

Every session's viewers get a message ``catalog``; a recording keeps a note, since a replay can only know the
catalogue as it is then. A track that is on air or pinned and went is told: it plays on, and is not suggested any more.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from catalog.errors import CatalogError
from catalog.records import Track
from catalog.snapshot import Changes
from stream.core.events import Restocked, Warned

from .channel import Channel

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0


class Shelf(Protocol):
    """The part of a ``Catalog`` that changes."""

    def __len__(self) -> int: ...
    def __contains__(self, id: str) -> bool: ...
    def refresh(self) -> Changes: ...


class Restock:
    """Looks at the catalogue each ``look_s``, in a thread of its own. A catalogue that cannot be read stays as it was;
    that is said once, and tried again."""

    def __init__(self, shelf: Shelf, sessions: Callable[[], Iterable[Channel]], look_s: float = LOOK_S) -> None:
        self._shelf, self._sessions, self._look_s = shelf, sessions, look_s
        self._said = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        with ThreadPoolExecutor(1, "catalogue") as thread:
            while True:
                await asyncio.sleep(self._look_s)
                try:
                    changes = await asyncio.get_running_loop().run_in_executor(thread, self._shelf.refresh)
                except Exception as error:  # noqa: BLE001 - whatever it is, the sessions go on
                    self._fail(error)
                    continue
                if self._said:
                    self._said = ""
                    log.warning("the catalogue is read again")
                if changes != Changes():
                    self._tell(changes)

    def _fail(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self._said:
            log.warning(
                "the catalogue stays as it was, changes are not seen: %s", text,
                exc_info=None if isinstance(error, CatalogError | OSError) else error,
            )  # fmt: skip
        self._said = text

    def _tell(self, changes: Changes) -> None:
        added, changed, removed = len(changes.added), len(changes.changed), len(changes.removed)
        news = Restocked(len(self._shelf), added, changed, removed)
        log.info("the catalogue has %d tracks: %d new, %d changed, %d gone", news.tracks, added, changed, removed)
        # not those of which there is a better file now
        gone = {track.id: track for track in changes.removed if track.id not in self._shelf}
        for session in self._sessions():
            if session.ending is not None:
                continue
            session.note(news)
            session.viewers.tell(
                {"v": 1, "type": "catalog", "tracks": news.tracks, "added": added, "changed": changed,
                 "removed": removed}
            )  # fmt: skip
            for text in _losses(session, gone):
                session.publish(Warned(text))


def _losses(session: Channel, gone: dict[str, Track]) -> list[str]:
    """What viewers of a session have to know of tracks that went."""
    air, pinned = session.role.air, session.asked.pinned
    texts = []
    if air is not None and air.track in gone:
        texts.append(f"“{_name(gone[air.track])}”, which is on air, is no longer in the catalogue; it plays on")
    if pinned is not None and pinned in gone:
        texts.append(f"“{_name(gone[pinned])}”, which is pinned, is no longer in the catalogue")
    return texts


def _name(track: Track) -> str:
    return track.title or track.path.name
