"""What OBS's scenes ask of the music: rules from the configuration file.

[obs.scenes."BRB"]
music = "play"          # "silent", "keep" (what there is, which is usual) or "play"
steer = { energy = -0.5 }
kit = "calm"
volume_db = -3.0
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MUSIC: Final = ("keep", "silent", "play")
AXES: Final = ("energy", "valence", "tension", "tempo")
MOST_RULES: Final = 64
NAME_CHARACTERS: Final = 200
LEAST_DB: Final = -60.0
KEYS: Final = ("music", "steer", "kit", "volume_db")
WHAT: Final = (
    "a table of scenes, each with music (keep, silent or play), steer (energy, valence, tension, tempo, each from -1 "
    "to 1), kit (a name) and volume_db (-60 to 0)"
)


@dataclass(frozen=True, slots=True)
class SceneRule:
    """The rule of one scene. ``steer``: the dials that it turns. ``kit``: a kept set of wishes, empty for none."""

    music: str = "keep"
    steer: Mapping[str, float] = field(default_factory=dict)
    kit: str = ""
    volume_db: float = 0.0

    @property
    def text(self) -> str:
        """The rule in a few words; empty where it changes nothing."""
        words = [{"silent": "silent", "play": "music plays"}.get(self.music, "")]
        words += [f"{axis} {value:+g}" for axis, value in self.steer.items()]
        words += [f"kit {self.kit}" if self.kit else "", f"{self.volume_db:+g} dB" if self.volume_db else ""]
        return ", ".join(filter(None, words))


KEEP: Final = SceneRule()


def parse_rules(tables: Any) -> dict[str, SceneRule]:
    """The rules by the scenes' names. Raises ValueError for what is none, see ``WHAT``."""
    if not isinstance(tables, Mapping) or len(tables) > MOST_RULES:
        raise ValueError
    return {_name(name): _rule(table) for name, table in tables.items()}


def _rule(table: Any) -> SceneRule:
    if not isinstance(table, Mapping) or set(table) - set(KEYS):
        raise ValueError
    music = table.get("music", "keep")
    steer = table.get("steer", {})
    if music not in MUSIC or not isinstance(steer, Mapping) or set(steer) - set(AXES):
        raise ValueError
    kit = table.get("kit", "")
    turned = {axis: _number(value, -1.0, 1.0) for axis, value in steer.items()}
    return SceneRule(music, turned, _name(kit) if kit else "", _number(table.get("volume_db", 0.0), LEAST_DB, 0.0))


def _name(text: Any) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= NAME_CHARACTERS:
        raise ValueError
    return text


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError
    return float(value)
