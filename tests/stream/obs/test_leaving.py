"""When a track makes way: as the page does it."""

from stream.obs.leaving import choose, follow_up, leave_at, loop_of

ITEM = {"track": "a", "leave_s": 80.0, "loop": [20.0, 60.0]}


def test_a_track_is_left_at_its_place_to_leave_or_before_its_end() -> None:
    assert leave_at("a", 0.0, 100.0, None, None, 2.5) == 97.0
    assert leave_at("a", 0.0, 100.0, None, ITEM, 2.5) == 77.5
    assert leave_at("a", 76.0, 100.0, None, ITEM, 2.5) == 97.0  # it has only begun
    on_air = {"track": "a", "position_s": 10.0, "left_s": 60.0, "leave_s": 50.0}
    assert leave_at("a", 0.0, 100.0, on_air, ITEM, 2.5) == 47.5
    assert leave_at("a", 0.0, 100.0, {**on_air, "leave_s": 69.9}, ITEM, 2.5) == 67.0
    assert leave_at("a", 0.0, 100.0, {**on_air, "track": "b"}, None, 2.5) == 97.0


def test_a_loop_is_the_one_that_the_session_tells() -> None:
    assert loop_of("a", {"track": "a", "loop": [1.0, 9.0]}, ITEM) == (1.0, 9.0)
    assert loop_of("a", {"track": "b", "loop": [1.0, 9.0]}, ITEM) == (20.0, 60.0)
    assert loop_of("b", None, ITEM) is None


def test_what_follows_is_what_was_named_else_the_best_that_nobody_skipped() -> None:
    rows = {"items": [{"track": name} for name in "abc"], "asked": {"skipped": [{"track": "b"}]}, "on_air": None}
    assert choose(None) is None
    assert (choose(rows) or {})["track"] == "a"
    assert (choose(rows, "a") or {})["track"] == "c"
    assert (follow_up(rows, "a") or {})["track"] == "c"
    assert (follow_up({**rows, "on_air": {"next": "b"}}, "a") or {})["track"] == "b"
    assert follow_up({"items": [{"track": "a"}]}, "a") is None
