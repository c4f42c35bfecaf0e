"""A network that is gone for 20 s, and publishers that come back with their key: those that notice silence, and those
that trust their connection alone."""

from typing import Final

from .network import CLEAN, PATIENCE_S, blackouts, drove, report, resumed_s
from .outcome import Outcome
from .target import Scene

BLACKOUT_S: Final = 20.0
AFTER_S: Final = 35.0
KINDS: Final = {"watchful": PATIENCE_S, "trusting": 0.0}


async def blackout(scene: Scene, out: Outcome) -> None:
    """How long after the network's return suggestions come again, and whether the session is still the same."""
    drive = await drove(scene, out, [("before", CLEAN, 8.0), *blackouts(2, BLACKOUT_S, AFTER_S)], KINDS)
    for kind in KINDS:
        report(out, drive, kind, {})
        out.spread("suggestions_again_after_s", resumed_s(drive, kind), AFTER_S, publisher=kind)
        streams = drive.streams(kind)
        same = sum(len(viewers) == 1 for viewers in streams)
        out.count("same_session", same, len(streams), publisher=kind)
        out.expect(kind != "watchful" or same == len(streams), "a session of who noticed the silence did not go on")
