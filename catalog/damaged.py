"""Tracks that a catalogue leaves out since what is kept of them is damaged: said once each, in the log."""

import logging
from pathlib import Path
from typing import Final

from .loading import Loaded

log = logging.getLogger(__name__)

TOLD: Final = 20  # of those that are found at once


class Damaged:
    """Of the catalogue in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, str] = {}

    def tell(self, loaded: Loaded) -> None:
        """Take what was loaded, everything or what changed, and say what of it is damaged."""
        kept = {id: what for id, what in self._known.items() if id not in loaded.gone}
        new = {id: what for id, what in loaded.damaged.items() if self._known.get(id) != what}
        self._known = kept | dict(loaded.damaged)
        for id, what in sorted(new.items())[:TOLD]:
            log.warning("%s: track %s is left out: %s; %s", self._folder, id, what, self._cure)
        if len(new) > TOLD:
            log.warning("%s: %d more tracks are left out: damaged; %s", self._folder, len(new) - TOLD, self._cure)

    @property
    def _cure(self) -> str:
        return f"segue index on its music analyses it again, segue catalog verify -c {self._folder} names all"
