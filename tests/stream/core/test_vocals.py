"""What is sung counts by how much of what would play it is, and only while somebody speaks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream.core.adjustments import Adjustments, vocals_of
from stream.core.preferences import Preferences
from stream.core.speech import VOCAL_PENALTY

Fake = Callable[..., Any]


def sung(candidate: Fake, outline: Fake, percent: Any, start_s: float, tags: tuple[str, ...] = ()) -> Any:
    heard = None if percent is None else np.asarray(percent, np.uint8)
    one = candidate(1)
    track = replace(one.track, tags=tags, vocals=None if heard is None else float(heard.mean()) / 100)
    return replace(one, track=track, start_s=start_s, outline=outline(vocals=heard))


def test_the_place_counts_and_not_the_whole_track(candidate: Fake, outline: Fake) -> None:
    verses = np.repeat([0, 100, 25], 60)
    at = [vocals_of(sung(candidate, outline, verses, start_s)) for start_s in (10.0, 70.0, 130.0, 500.0)]
    assert at == pytest.approx([0.0, 1.0, 0.5, 0.5])
    assert vocals_of(sung(candidate, outline, None, 0.0, ("song",))) == 1.0
    assert vocals_of(sung(candidate, outline, np.zeros(180), 0.0, ("song",))) == 0.0


def test_the_start_that_is_shown_is_judged_and_not_the_best_of_now(candidate: Fake, outline: Fake) -> None:
    track = sung(candidate, outline, np.repeat([0, 100], 60), 10.0)
    shown = {track.track.id: 70.0}
    assert Adjustments().of([track], Preferences(), None, 0.0, True).tolist() == [0.0]
    assert Adjustments().of([track], Preferences(), None, 0.0, True, shown).tolist() == pytest.approx([-VOCAL_PENALTY])


def test_only_while_somebody_speaks(candidate: Fake, outline: Fake) -> None:
    pool = [sung(candidate, outline, np.full(180, share), 0.0) for share in (0, 25, 90)]
    quiet, spoken = (Adjustments().of(pool, Preferences(), None, 0.0, speaks) for speaks in (False, True))
    assert quiet.tolist() == [0.0, 0.0, 0.0]
    assert spoken.tolist() == pytest.approx([0.0, -VOCAL_PENALTY / 2, -VOCAL_PENALTY])
