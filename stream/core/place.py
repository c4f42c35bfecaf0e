"""What the source calls what is on air ("Game", "BRB"), and where such a name leans the search.

A name is a hint, not a wish: it leans at most ``MOST`` on a dial, only on dials that no viewer has turned, and a fact
says so. Words are looked for in English, as whole words, the longest first; names without a known word lean nowhere.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from .events import Steer

MOST: Final = 0.3
CALMER, LIVELIER = Steer(energy=-0.3, tempo=-0.15), Steer(energy=0.3, tempo=0.15)
LIGHTER, TENSER = Steer(energy=-0.1, valence=0.15, tension=-0.2), Steer(energy=0.2, tension=0.3)
WORDS: Final[dict[str, Steer]] = {
    "be right back": CALMER,
    "just chatting": LIGHTER,
    "away": CALMER,
    "afk": CALMER,
    "boss": TENSER,
    "break": CALMER,
    "brb": CALMER,
    "chat": LIGHTER,
    "chatting": LIGHTER,
    "credits": CALMER,
    "ending": CALMER,
    "fight": TENSER,
    "horror": Steer(valence=-0.2, tension=0.3),
    "interview": LIGHTER,
    "intermission": CALMER,
    "intro": LIVELIER,
    "lobby": LIGHTER,
    "outro": CALMER,
    "pause": CALMER,
    "queue": LIGHTER,
    "race": LIVELIER,
    "racing": LIVELIER,
    "raid": LIVELIER,
    "starting": LIVELIER,
    "starting soon": Steer(energy=0.15, valence=0.15),
    "talk": LIGHTER,
    "waiting": CALMER,
    "workout": LIVELIER,
}
NAMES: Final = (("calmer", "livelier"), ("darker", "brighter"), ("more relaxed", "tenser"), ("slower", "quicker"))
_FIND: Final = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, WORDS), key=len, reverse=True))})\b")


DIALS: Final = ("energy", "valence", "tension", "tempo")


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` as it came; ``lean``: where it leans."""

    name: str = ""
    lean: Steer = field(default_factory=Steer)

    def part(self, wished: Steer) -> Steer:
        """What of the lean counts beside the viewers' wishes: the dials that they left at 0."""
        if not self.lean.lean:
            return self.lean
        return Steer(**{dial: 0.0 if getattr(wished, dial) else getattr(self.lean, dial) for dial in DIALS})

    def steer(self, wished: Steer) -> Steer:
        """The viewers' wishes and what of the lean counts beside them."""
        part = self.part(wished)
        return wished if not part.lean else Steer(*map(sum, zip(wished.lean or (0.0,) * 4, part.lean, strict=True)))


def place_of(name: str) -> Place:
    """The place of that name."""
    found = _FIND.search(re.sub(r"[\W_]+", " ", name.lower()))
    return Place(name, Steer() if found is None else WORDS[found[0]])


def in_words(lean: Steer) -> str:
    """A lean in words, by its largest dial; empty for none."""
    dials = [getattr(lean, dial) for dial in DIALS]
    most = max(dials, key=abs)
    return NAMES[dials.index(most)][most > 0] if most else ""
