"""When the music is lowered."""

from stream.obs.duck import DEPTH_DB, HOLD_S, Duck


def heard(name: str, *levels: float) -> list[dict[str, object]]:
    return [{"inputName": name, "inputLevelsMul": [[level, level, level] for level in levels]}]


def test_a_voice_at_the_microphone_lowers_the_music_and_for_a_while_after() -> None:
    duck = Duck()
    duck.microphones = frozenset({"Mic"})
    duck.meters(heard("Game", 0.5), 0.0)
    duck.meters(heard("Mic", 0.001), 0.0)
    duck.meters(heard("Mic"), 0.0)  # muted
    assert duck.target_db(0.0) == 0.0
    duck.meters(heard("Mic", 0.0, 0.05), 1.0)
    assert duck.target_db(1.0) == duck.target_db(1.0 + 0.9 * HOLD_S) == DEPTH_DB
    assert duck.target_db(1.0 + HOLD_S) == 0.0


def test_what_the_session_hears_counts_as_well_and_the_hand_wins() -> None:
    duck = Duck()
    duck.session_db = -7.5
    assert duck.target_db(0.0) == -7.5
    duck.by_hand = False
    assert duck.target_db(0.0) == 0.0
    duck.by_hand, duck.session_db = True, None
    assert duck.target_db(0.0) == DEPTH_DB
