"""Preferences in a session: a skip for a while ends with media time, lists tell what was asked, and what a wish did to
others is what the next list shows."""

from collections.abc import Callable
from typing import Any

import pytest
from answered import Show

from stream.core.events import Accepted, Suggestions

Fake = Callable[..., Any]


@pytest.fixture
def show(fake_runtime: Fake, features: Fake) -> Show:
    return Show(fake_runtime(), features)


def tracks(told: Suggestions) -> set[str]:
    return {item.track for item in told.items}


def test_a_skip_for_a_while_ends_with_media_time_through_a_reset_too(show: Show) -> None:
    top = show.listed().items[0]
    show.command(type="skip", track=top.track, for_s=4)
    for left_s in (3.0, 2.0):
        told = show.listed()
        assert top.track not in tracks(told) and told.asked is not None
        (skipped,) = told.asked.skipped
        assert (skipped.track, skipped.title, skipped.left_s) == (top.track, top.title, pytest.approx(left_s, abs=0.2))
    show.drive(show.session.reset("time stepped back"))
    show.slot = 0
    assert top.track not in tracks(show.listed())
    told = show.listed()
    assert top.track in tracks(told) and told.asked is not None
    assert told.asked.skipped == () and told.asked.undo == 0


def test_titles_of_what_was_given_back_are_found_out(show: Show) -> None:
    first = show.listed().items[0]
    show.command(type="wishes", liked=[first.track], skipped=[{"track": show.listed().items[1].track, "left_s": None}])
    show.listed()
    asked = show.listed().asked
    assert asked is not None
    assert [each.title for each in asked.liked] == [first.title] and all(each.title for each in asked.skipped)


@pytest.mark.parametrize("kind", ["like", "skip"])
def test_what_a_wish_is_said_to_do_is_what_the_next_list_shows(show: Show, kind: str) -> None:
    before = {item.track: item.adjust for item in show.listed().items}
    about = sorted(before)[-1]
    answer = show.command(type=kind, track=about)
    assert isinstance(answer, Accepted) and answer.effect is not None
    effect = answer.effect
    after = {item.track: item.adjust for item in show.listed().items}
    moves = [after[track] - before[track] for track in after if track in before and track != about]
    assert len(moves) == len(before) - 1
    assert effect.up == sum(move >= 0.005 for move in moves) > 0
    assert effect.down == sum(move <= -0.005 for move in moves) > 0
    assert effect.most == pytest.approx(max(map(abs, moves)), abs=1e-3)
