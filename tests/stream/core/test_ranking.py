"""Ranking by value: what each part says about easy cases, and that scores tell candidates apart."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.footage import speed_place
from features.motion import VisualTempo
from stream.core.events import Reasons, Steer, Weights
from stream.core.ranking import (
    MOOD_REACH,
    PLACES_REACH,
    STEER_SHARE,
    Pictures,
    content,
    mood,
    rank,
    rhythm,
    scene_energy,
    spread,
    tempo_fit,
    weighted,
)

Fake = Callable[..., Any]


def scene(
    bpm: float = 120.0, confidence: float = 1.0, speed: float = 0.2, feeling: Any = None, **colour: float
) -> Pictures:
    colours = {"brightness": 0.5, "contrast": 0.5, "colourfulness": 0.5, "warmth": 0.5} | colour
    return Pictures(VisualTempo(bpm, confidence), speed, **colours, mood=feeling)


def test_tempi_fit_across_octaves() -> None:
    assert tempo_fit(120, 120) == tempo_fit(60, 120) == tempo_fit(160, 40) == pytest.approx(1)
    assert tempo_fit(120, 120 * math.sqrt(2)) == pytest.approx(0)
    assert tempo_fit(100, 110) == tempo_fit(110, 100) > tempo_fit(100, 120)


def test_rhythm_trusts_the_pulse_as_far_as_it_is_sure() -> None:
    sure, unsure = scene(confidence=1.0, speed=0.2), scene(confidence=0.0, speed=0.2)
    energy = speed_place(0.2)
    assert rhythm(sure, 120, energy) == pytest.approx(1) == rhythm(unsure, 170, energy)
    assert rhythm(sure, 120 * math.sqrt(2), energy) == pytest.approx(0.3)


@given(st.lists(st.floats(0, 5), min_size=2, max_size=9))
def test_motion_has_its_place_among_real_footage(speeds: list[float]) -> None:
    places = [speed_place(speed) for speed in sorted(speeds)]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= 1
    assert speed_place(0.0) == 0 and speed_place(0.0202) == pytest.approx(0.5) and speed_place(3.0) == 1


def test_mood_falls_with_distance(candidate: Fake) -> None:
    point = np.array([0.5, 0.5, 0.5], np.float32)
    here = scene(feeling=point)
    steps = (0, MOOD_REACH / 2, MOOD_REACH, 0.5)
    scores = [mood(here, candidate(1, mood=point + np.float32(step))) for step in steps]
    assert scores[0] == 1 and scores[2] == pytest.approx(0.5) and scores == sorted(scores, reverse=True)


def test_with_a_bank_places_are_compared(candidate: Fake) -> None:
    """What the towers say of all footage, or of all music, says nothing."""
    music = replace(candidate(1, mood=(0.9, 0.1, 0.9)), standing=np.array([0.4, -0.2, 0.0, 0.0], np.float32))
    seen = scene(feeling=np.array([0.2, 0.2, 0.2], np.float32))
    places = np.array([0.7, 0.4, 0.5])
    assert mood(replace(seen, mood_places=places), music) == pytest.approx(1.0)
    assert mood(replace(seen, mood_places=places - PLACES_REACH), music) == pytest.approx(0.5)
    assert mood(seen, music) < 0.2


def test_without_a_mood_graph_energy_stands_in(candidate: Fake) -> None:
    wild = scene(speed=2.0, colourfulness=1.0, contrast=1.0, brightness=1.0)
    calm = scene(speed=0.0, colourfulness=0.0, contrast=0.0, brightness=0.0)
    low, high = (replace(candidate(1), standing=np.array([way, 0, 0, 0], np.float32)) for way in (-1, 1))
    assert scene_energy(wild) == 1 and scene_energy(calm) == 0
    assert mood(wild, high) == 1 == mood(calm, low) and mood(wild, low) == 0
    assert mood(wild, replace(high, mood=np.zeros(3, np.float32))) == 1  # the video has none


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=32), st.integers(0, 9))
def test_content_is_bounded_and_follows_its_evidence(similarities: list[float], seed: int) -> None:
    values, unknown = np.array(similarities), [None] * len(similarities)
    alone = content(similarities, unknown, None)
    matches = np.random.default_rng(seed).uniform(size=len(values))
    for part in (alone, content(similarities, unknown, matches), content(similarities, similarities, matches)):
        assert ((part >= 0) & (part <= 1)).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(alone[order]) >= -1e-12).all()


def test_near_neighbours_are_told_apart() -> None:
    close = content(np.linspace(0.90, 0.92, 32).tolist(), [None] * 32, np.linspace(0.97, 0.99, 32))
    assert close.max() - close.min() > 0.25 and close.max() < 0.99
    assert (spread(np.full(5, 0.3)) == 0.5).all()


def test_the_matcher_counts_by_its_logit() -> None:
    """.9 and .99 are as far apart as .5 and .9, nearly; as plain scores they would be the same."""
    matches = np.array([0.5, 0.9, 0.99])
    logits = np.log(matches / (1 - matches))
    found = content([0.2] * 3, [None] * 3, matches)
    assert found == pytest.approx((0.6 + (0.5 + spread(logits)) / 2) / 2)
    assert (found[2] - found[1]) / (found[1] - found[0]) > 0.7


def test_what_is_near_to_all_footage_is_not_near(candidate: Fake) -> None:
    """The first is nearer to everything; the second is nearer than it is to other footage."""
    favourite, fitting = replace(candidate(1, 0.9), zscore=-0.5), replace(candidate(2, 0.4), zscore=2.0)
    one, two = content([favourite.similarity, fitting.similarity], [favourite.zscore, fitting.zscore], None)
    assert one < 0.4 and two > 0.75
    one, two = content([favourite.similarity, fitting.similarity], [None, None], None)
    assert one > two


def test_the_score_is_the_weighted_mean_and_ties_go_by_id(candidate: Fake) -> None:
    assert weighted(Reasons(1.0, 0.5, 0.0), Weights(2, 1, 1)) == pytest.approx(0.625)
    twins = [candidate(number) for number in (3, 1, 2)]
    for twin in twins:
        twin.standing[:] = 0.0
    ranked = rank(twins, None, scene())
    assert [entry.candidate.track.id for entry in ranked] == [f"{n:016x}" for n in (1, 2, 3)]
    assert len({entry.score for entry in ranked}) == 1
    assert rank([], None, scene()) == []


def test_one_part_alone_decides_when_it_alone_differs(candidate: Fake) -> None:
    pool = [candidate(n, similarity=0.2 * n, tempo_bpm=80 + 20 * n, mood=(0.2 * n,) * 3) for n in range(5)]
    here = scene(bpm=100, confidence=1.0, feeling=np.full(3, 0.6, np.float32))
    best = {
        name: rank(pool, None, here, Weights(**{"content": 0, "rhythm": 0, "mood": 0} | {name: 1}))[
            0
        ].candidate.track.id
        for name in ("content", "rhythm", "mood")
    }
    assert best == {"content": f"{4:016x}", "rhythm": f"{1:016x}", "mood": f"{3:016x}"}


@pytest.mark.parametrize("parts", [(0, 0, 0), (-1, 1, 1), (math.nan, 1, 1), (math.inf, 1, 1)])
def test_weights_must_make_a_mean(parts: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Weights(*parts)


def test_music_without_a_pulse_is_neither_right_nor_wrong() -> None:
    still = scene(confidence=0.0, speed=0.0)
    assert rhythm(still, 0.0, 0.0) == 0.75 and rhythm(still, 0.0, 1.0) == 0.25
    assert rhythm(still, 60.0, 0.0) == 1.0 and rhythm(still, 60.0, 1.0) == 0.0


@pytest.mark.parametrize("axis", range(4))
def test_a_dial_brings_what_stands_furthest_its_way(candidate: Fake, axis: int) -> None:
    pool = [candidate(n, similarity=0.9 - 0.1 * n, mood=(0.5, 0.5, 0.5)) for n in range(8)]
    for number, one in enumerate(pool):
        one.standing[:] = 0.0
        one.standing[axis] = number / 3.5 - 1.0
    here = scene(feeling=np.full(3, 0.5, np.float32))
    for sign in (1.0, -1.0):
        lean = [0.0] * 4
        lean[axis] = sign
        best = [entry.candidate.standing[axis] * sign for entry in rank(pool, None, here, None, Steer(*lean))]
        assert min(best[:3]) > 0.4 and best[0] == 1.0
        half = [part / 2 for part in lean]
        far = np.mean([entry.candidate.standing[axis] * sign for entry in rank(pool, None, here)[:3]])
        near = np.mean([e.candidate.standing[axis] * sign for e in rank(pool, None, here, None, Steer(*half))[:3]])
        assert far <= near <= np.mean(best[:3])


LEAN = st.floats(-1, 1)


@settings(deadline=None)
@given(st.integers(0, 1000), st.tuples(LEAN, LEAN, LEAN, LEAN), st.tuples(*[st.floats(0, 4)] * 2))
def test_steering_takes_its_share_and_no_more(
    candidate: Fake, seed: int, leans: tuple[float, float, float, float], parts: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    pool = [candidate(n, rng.uniform(-1, 1), rng.uniform(0, 220), rng.uniform(size=3)) for n in range(8)]
    here = scene(rng.uniform(40, 200), rng.uniform(), rng.uniform(0, 3), rng.uniform(size=3).astype(np.float32))
    weights = Weights(1.0, *parts)
    plain = {entry.candidate.track.id: entry for entry in rank(pool, None, here, weights)}
    for entry in rank(pool, None, here, weights, Steer(*leans)):
        before = plain[entry.candidate.track.id]
        assert abs(entry.score - before.score) <= STEER_SHARE * max(map(abs, leans)) + 1e-9
        assert entry.reasons == before.reasons and 0 <= entry.score <= 1
        assert entry.score == pytest.approx(weighted(entry.reasons, weights) + entry.added(weights))
    neutral = [(e.candidate.track.id, e.score) for e in rank(pool, None, here, weights, Steer())]
    assert neutral == [(e.candidate.track.id, e.score) for e in rank(pool, None, here, weights)]


def test_what_is_added_goes_into_the_score_and_no_further_than_its_ends(candidate: Fake) -> None:
    pool = [candidate(n, similarity=0.1 * n) for n in range(3)]
    plain = {e.candidate.track.id: e for e in rank(pool, None, scene())}
    added = {e.candidate.track.id: e for e in rank(pool, None, scene(), adjusts=np.array([0.05, -9.0, 9.0]))}
    first, second, third = (candidate(n).track.id for n in range(3))
    assert added[first].score == pytest.approx(plain[first].score + 0.05) and added[first].adjust == 0.05
    assert added[second].score == 0.0 and added[third].score == 1.0
    assert all(added[track].reasons == plain[track].reasons for track in plain)
