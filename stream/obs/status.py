"""How OBS stands, for viewers: the message ``obs`` (see PROTOCOL.md)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ObsStatus:
    """``scene``: on air. ``studio``: in studio mode. ``rule``: the rule of the scene, in words; ``plays``: OBS plays
    the session's music, turned down by ``ducked_db`` now. ``note``: what to know or to do, in words."""

    connected: bool = False
    scene: str = ""
    studio: bool = False
    streaming: bool = False
    recording: bool = False
    rule: str = ""
    plays: bool = False
    ducked_db: float = 0.0
    note: str = ""

    def message(self) -> dict[str, Any]:
        return {"v": 1, "type": "obs", **asdict(self), "ducked_db": round(self.ducked_db, 1)}


class ObsBoard:
    """The status as its parts set it; ``on_change`` is called when viewers would see a difference."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.status = ObsStatus()
        self._on_change = on_change

    def set(self, **changes: Any) -> None:
        """Set fields of `ObsStatus`."""
        before, self.status = self.status, replace(self.status, **changes)
        if before.message() != self.status.message():
            self._on_change()
