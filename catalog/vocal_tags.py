"""Whether tags say that somebody sings: for tracks whose vocals were not measured."""

import re
from collections.abc import Iterable
from typing import Final

VOCAL: Final = frozenset({
    "vocal", "vocals", "voice", "voices", "song", "songs", "singer", "singers", "singing", "sung", "rap", "rapper",
    "rapping", "lyrics", "lyrical", "acapella", "cappella", "choir", "choral", "spoken", "speech",
})  # fmt: skip
NOT_VOCAL: Final = frozenset({"no", "non", "not", "without", "free", "instrumental", "instrumentals"})


def tells_of_vocals(tags: Iterable[str]) -> bool:
    """Whether any tag says that somebody sings or speaks in a track. "no vocals" and "instrumental" do not."""
    for tag in tags:
        words = set(re.findall(r"[^\W\d_]+", tag.casefold()))
        if words & VOCAL and not words & NOT_VOCAL:
            return True
    return False
