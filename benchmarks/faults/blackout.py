"""A network that is gone for 20 s, and publishers that come back with their key: those that notice silence, and those
that trust their connection alone."""

from typing import Final

from .network import AFTER, CLEAN, DOWN, PATIENCE_S, drove, report, resumed_s
from .outcome import Outcome
from .scene import Scene

BLACKOUT_S: Final = 20.0
AFTER_S: Final = 35.0
PHASES: Final = (
    ("before", CLEAN, 8.0),
    *(
        phase
        for turn in (1, 2)
        for phase in ((f"blackout of 20 s, {turn}", DOWN, BLACKOUT_S), (f"{AFTER} 20 s, {turn}", CLEAN, AFTER_S))
    ),
)
PUBLISHERS: Final = {"watchful": PATIENCE_S, "trusting": 0.0}


async def blackout(scene: Scene, out: Outcome) -> None:
    """How long after the network's return suggestions come again, and whether the session is still the same."""
    drive = await drove(scene, out, PHASES, PUBLISHERS)
    for key in PUBLISHERS:
        report(out, drive, key)
        times = resumed_s(drive, key)
        out.spread("suggestions_again_after_s", times, publisher=key)
        out.expect(max(times) < AFTER_S, f"{key}: a blackout after which no suggestions came")
        same = sum(len(drive.of(label)) == 1 for label in drive.labels(key))
        out.count("same_session", same, len(drive.labels(key)), "", publisher=key)
    kept = all(len(drive.of(label)) == 1 for label in drive.labels("watchful"))
    out.expect(kept, "a session of who noticed the silence did not go on")
