"""The world's films and tracks keep the latent's ties, and are spread as real ones are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.pairs import LENGTH_S, Latent, draw_latent, mood
from studio.video.timing import level_at
from studio.world.pairs import film, track
from studio.world.recipe import FORMS, OVERLAYS, Film
from studio.world.sound import Track, beats_of

CLIPS_S = np.arange(7) * 4 + 2.0
Drawn = tuple[list[Latent], list[Track], list[Film], list[NDArray[np.float64]]]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Six hundred pairs, not rendered."""
    rng = np.random.default_rng(21)
    latents = [draw_latent(rng) for _ in range(600)]
    tracks = [track(latent, rng) for latent in latents]
    beats = [beats_of(each, LENGTH_S) for each in tracks]
    return latents, tracks, [film(*args) for args in zip(latents, [rng] * 600, beats, strict=True)], beats


def ranks(values: list[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.argsort(np.argsort(np.asarray(values).ravel())).astype(float)


def tied(one: list[float] | NDArray[np.float64], other: list[float] | NDArray[np.float64]) -> float:
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def test_equal_generators_draw_equal_pairs() -> None:
    made = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        latent = draw_latent(rng)
        made.append((track(latent, rng), film(latent, rng)))
    assert made[0] == made[1]


def test_motion_follows_energy_and_spans_what_real_clips_do(drawn: Drawn) -> None:
    latents, _, films, _ = drawn
    energy = np.array([level_at(latent.energy, CLIPS_S) for latent in latents])
    asked = np.array([level_at(each.speeds, CLIPS_S) for each in films])
    assert 0.8 < tied(energy, asked) < 0.97
    low, middle, high = np.quantile(asked, (0.1, 0.5, 0.9))
    assert low < 0.003 and 0.01 < middle < 0.05 and 0.1 < high < 0.35


@pytest.mark.parametrize(
    ("axis", "field", "least"),
    [("valence", "brightness", 0.5), ("valence", "warmth", 0.5), ("tension", "contrast", 0.45)],
)
def test_looks_follow_the_mood(drawn: Drawn, axis: str, field: str, least: float) -> None:
    latents, _, films, _ = drawn
    moods = [getattr(latent, axis) for latent in latents]
    assert least < tied(moods, [getattr(each.look, field) for each in films]) < 0.95
    values = [getattr(each.look, field) for each in films]
    assert np.quantile(values, 0.05) < np.quantile(values, 0.5) - 0.1 < np.quantile(values, 0.95) - 0.2


def test_livelier_and_faster_pieces_are_cut_more_and_most_films_little(drawn: Drawn) -> None:
    latents, _, films, _ = drawn
    cuts = [float(len(each.cut_times_s)) for each in films]
    assert tied([mood(latent)[0] for latent in latents], cuts) > 0.15
    assert 0.4 < np.mean(np.array(cuts) == 0) < 0.75
    assert max(cuts) > 40


def test_every_form_and_overlay_comes_and_stillness_stands(drawn: Drawn) -> None:
    films = drawn[2]
    assert {each.form for each in films} == set(FORMS)
    assert {name for each in films for name in each.overlays} == set(OVERLAYS)
    level = {form: np.median([each.speeds[7][1] for each in films if each.form == form]) for form in FORMS}
    assert level["moving"] > 2 * level["talk"]


def test_three_in_five_keep_the_beat(drawn: Drawn) -> None:
    _, _, films, beats = drawn
    kept = []
    for each, grid in zip(films, beats, strict=True):
        events = np.array(each.accents_s)
        if len(events) > 4:
            kept.append(np.abs(events[:, None] - grid[None]).min(axis=1).max() < 0.002)
    assert 0.5 < np.mean(kept) < 0.7


def test_what_must_not_answer_is_drawn_apart(drawn: Drawn) -> None:
    latents, tracks, films, _ = drawn
    own = {
        "grain": [each.grain for each in films],
        "overlays": [float(len(each.overlays)) for each in films],
        "wet": [each.recording.wet for each in tracks],
        "noise": [each.recording.noise_db for each in tracks],
        "drive": [each.recording.drive_db for each in tracks],
        "tuning": [each.recording.tuning_cents for each in tracks],
    }
    chance = 4 / np.sqrt(len(latents))  # four deviations of what independent draws give
    for name, values in own.items():
        for axis in ("valence", "tension", "tempo_bpm"):
            assert abs(tied(values, [getattr(latent, axis) for latent in latents])) < chance, (name, axis)
        assert abs(tied(values, [float(mood(latent)[0]) for latent in latents])) < chance, name
