"""Levels: small steps for what is heard, and parts that add up."""

from itertools import pairwise

from stream.obs.fader import MUTE_DB, SILENT_DB, STEP_DB, Fader


def ride(fader: Fader, source: str) -> list[float]:
    """Every level on the way to the target."""
    levels = [fader.now[source]]
    while not fader.settled:
        levels.append(fader.step().get(source, levels[-1]))
        assert len(levels) < 1000
    return levels


def test_no_step_is_larger_than_half_a_decibel() -> None:
    fader = Fader(["A", "B"])
    fader.shared["duck"] = -12.0
    fader.own["B"] = SILENT_DB
    down = ride(fader, "A")
    fader.shared["duck"] = -3.3
    up = ride(fader, "A")
    assert down[-1] == -12.0 and up[-1] == -3.3 and fader.now["B"] == MUTE_DB
    for levels in (down, up):
        assert all(abs(b - a) <= STEP_DB + 1e-9 for a, b in pairwise(levels))
    assert len(down) == 121  # the other one needs so many
    assert fader.step() == {}


def test_what_is_silent_is_muted_and_comes_back_from_silence() -> None:
    fader = Fader(["A"])
    fader.own["A"] = SILENT_DB
    levels = ride(fader, "A")
    assert levels[-1] == MUTE_DB and min(levels[:-1]) > SILENT_DB
    fader.own["A"] = 0.0
    assert fader.step()["A"] == SILENT_DB + STEP_DB


def test_the_parts_add_up_and_never_raise() -> None:
    fader = Fader(["A"])
    fader.shared.update(duck=-12.0, rule=-3.0)
    assert fader.jump("A") == -15.0 and fader.settled
    fader.shared.update(duck=0.0, rule=6.0)
    assert fader.target("A") == 0.0
