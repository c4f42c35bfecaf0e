"""What a wish did to others is told, and is true."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stream.core.commands import Like, Skip, Undo, Unlike
from stream.core.effect import effect
from stream.core.events import Effect
from stream.core.preferences import Preferences, apply_wish
from stream.core.taste import LIKE_SPAN, Profiles, by_track

Fake = Callable[..., Any]


def pool(candidate: Fake) -> tuple[list[Any], Profiles]:
    """Four of one sound, four of another."""
    candidates = [candidate(number) for number in range(8)]
    for number, one in enumerate(candidates):
        one.clips[:] = np.eye(one.clips.shape[1])[number % 2]
        one.mask[:] = True
    known = Profiles()
    for track, profile in by_track(candidates).items():
        known.keep(track, profile)
    return candidates, known


def test_a_like_a_skip_and_the_way_back(candidate: Fake) -> None:
    candidates, known = pool(candidate)
    track = candidates[0].track.id
    none, liked = Preferences(), apply_wish(Preferences(), Like(track))
    told = effect(Like(track), none, liked, candidates, known)
    assert told is not None and (told.up, told.down) == (3, 4) and 0.005 <= told.most <= LIKE_SPAN / 2
    points = round(100 * told.most)
    assert told.text == f"3 others like it move up, 4 unlike it down, by {points} points of 100 at most"
    back = effect(Unlike(track), liked, none, candidates, known)
    assert back is not None and (back.up, back.down) == (4, 3) and back.text.startswith("3 others like it move down")
    undone = effect(Undo(), liked, none, candidates, known)
    assert undone is not None and "like it" not in undone.text
    skip = Skip(track, 600.0)
    told = effect(skip, none, apply_wish(none, skip), candidates, known)
    assert told is not None and (told.up, told.down) == (4, 3)
    assert told.text.startswith("left out for 10 minutes; 3 others like it move down, 4 unlike it up, by")


def test_of_what_is_not_known_nothing_is_said(candidate: Fake) -> None:
    candidates, _ = pool(candidate)
    none, track = Preferences(), candidates[0].track.id
    assert effect(Like(track), none, apply_wish(none, Like(track)), candidates, Profiles()) is None
    assert effect(Like(track), none, apply_wish(none, Like(track)), [], Profiles()) is None
    skip = Skip(track)
    assert effect(skip, none, apply_wish(none, skip), [], Profiles()) == Effect("left out for the rest of this stream")
