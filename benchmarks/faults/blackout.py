"""A network that is gone for 20 s, and publishers that come back with their key: one that notices silence, one that
trusts its connection alone."""

from typing import Final

from .network import CLEAN, DOWN, PATIENCE_S, Drive, drove, report
from .outcome import Outcome
from .scene import Scene

BLACKOUT_S: Final = 20.0
PHASES: Final = (("before", CLEAN, 8.0), ("blackout of 20 s", DOWN, BLACKOUT_S), ("after 20 s", CLEAN, 30.0))
PUBLISHERS: Final = {"watchful": PATIENCE_S, "trusting": 0.0}


async def blackout(scene: Scene, out: Outcome) -> None:
    """Whether the session is the same afterwards, and how long it took."""
    drive = await drove(scene, out, PHASES, PUBLISHERS)
    for key in PUBLISHERS:
        report(out, drive, f"{key}-0")
        returned(out, drive, f"{key}-0")
    out.expect(len(drive.of("watchful-0")) == 1, "the session of who noticed the silence did not go on")


def returned(out: Outcome, drive: Drive, label: str) -> None:
    """When suggestions came again, counted from the network's return; -1 where they did not."""
    back_s = drive.phases[-1].begin_s
    sessions = drive.of(label)
    times = sorted(at_s for session in sessions.values() for at_s, _ in session["suggestions"])
    after = [at_s for at_s in times if at_s >= back_s]
    out.count("suggestions_again_after_s", after[0] - back_s if after else -1.0, len(after), "s", publisher=label)
    out.count("same_session", len(sessions) == 1, len(sessions), "", publisher=label)
    out.expect(bool(after), f"{label}: no suggestions after the blackout")
