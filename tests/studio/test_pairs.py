"""Pairs share what they should, differ in what they must, and can be found again through their noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from studio.associations import SCENE_WORDS, SCENES_OF, STYLE_WORDS, vocabulary
from studio.music.recipe import STYLES, MusicRecipe
from studio.music.render import beat_times
from studio.pairs import LENGTH_S, TEMPO_OF, Latent, draw_latent, mood, music_recipe, tags, video_recipe
from studio.video.recipe import KINDS, SceneRecipe
from studio.video.timing import level_at

CLIPS_S = np.arange(7) * 4 + 2.0


def beats_of(latent: Latent, rng: np.random.Generator) -> NDArray[np.float64]:
    period = 60 / latent.tempo_bpm
    return np.arange(rng.uniform(0, period), LENGTH_S, period)


@pytest.fixture(scope="module")
def drawn() -> tuple[list[Latent], list[MusicRecipe], list[SceneRecipe], list[NDArray[np.float64]]]:
    """A thousand pairs."""
    rng = np.random.default_rng(20)
    latents = [draw_latent(rng) for _ in range(1000)]
    beats = [beats_of(latent, rng) for latent in latents]
    music = [music_recipe(latent, rng) for latent in latents]
    video = [video_recipe(latent, rng, grid) for latent, grid in zip(latents, beats, strict=True)]
    return latents, music, video, beats


def test_tables_cover_styles_and_kinds() -> None:
    assert set(SCENES_OF) == set(STYLE_WORDS) == set(TEMPO_OF) == set(STYLES)
    assert set(SCENE_WORDS) == set(KINDS)
    assert all(kind in KINDS for kinds in SCENES_OF.values() for kind in kinds)
    assert {kind for kinds in SCENES_OF.values() for kind in kinds} == set(KINDS)
    assert 40 <= len(vocabulary()) <= 70


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_latents_are_in_range_and_seeded(seed: int) -> None:
    latent = draw_latent(np.random.default_rng(seed))
    assert latent == draw_latent(np.random.default_rng(seed))
    assert latent.style in STYLES and 60 <= latent.tempo_bpm <= 180
    assert 0 <= latent.valence <= 1 and 0 <= latent.tension <= 1
    times, levels = np.array(latent.energy).T
    assert times[0] == 0 and times[-1] == LENGTH_S and np.all(np.diff(times) > 0)
    assert levels.min() >= 0 and levels.max() <= 1
    values = mood(latent)
    assert values.shape == (3,) and values.dtype == np.float32
    assert values.min() >= 0 and values.max() <= 1
    assert levels.min() - 1e-6 <= values[0] <= levels.max() + 1e-6
    hash(latent)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_readings_are_seeded_and_valid(seed: int) -> None:
    latent = draw_latent(np.random.default_rng(seed))
    made = []
    for _ in range(2):
        rng = np.random.default_rng(seed + 1)
        beats = beats_of(latent, rng)
        made.append((music_recipe(latent, rng), video_recipe(latent, rng, beats), tags(latent, rng)))
    assert made[0] == made[1]  # recipes check their own ranges
    words = made[0][2]
    assert words and list(words) == sorted(set(words)) and set(words) <= set(vocabulary())


def test_video_without_beats_keeps_a_grid_of_its_own() -> None:
    rng = np.random.default_rng(0)
    recipes = [video_recipe(draw_latent(rng), rng) for _ in range(30)]
    assert sum(bool(recipe.accents_s) for recipe in recipes) > 20


def test_energy_changes_along_the_track(drawn) -> None:  # type: ignore[no-untyped-def]
    latents = drawn[0]
    spans = [np.ptp([level for _, level in latent.energy]) for latent in latents]
    assert np.quantile(spans, 0.2) > 0.2
    energies, valences, tensions = np.array([mood(latent) for latent in latents]).T
    for values in (energies, valences, tensions):
        assert values.std() > 0.12
    assert abs(np.corrcoef(valences, tensions)[0, 1]) < 0.1  # axes that a ranking can tell apart


def test_both_sides_follow_the_latent(drawn) -> None:  # type: ignore[no-untyped-def]
    latents, music, video, _ = drawn
    energy = np.array([level_at(latent.energy, CLIPS_S) for latent in latents])
    heard = np.array([recipe.energy_at(CLIPS_S) for recipe in music])
    seen = np.array([level_at(recipe.motion, CLIPS_S) for recipe in video])
    for reading in (heard, seen):
        assert 0.85 < np.corrcoef(energy.ravel(), reading.ravel())[0, 1] < 0.99
    valence = [latent.valence for latent in latents]
    tension = [latent.tension for latent in latents]
    for axis, values in (
        (valence, [recipe.brightness for recipe in music]),
        (valence, [recipe.brightness for recipe in video]),
        (valence, [recipe.warmth for recipe in video]),
        (tension, [recipe.tension for recipe in music]),
        (tension, [recipe.contrast for recipe in video]),
        (tension, [recipe.shake for recipe in video]),
    ):
        assert 0.5 < np.corrcoef(axis, values)[0, 1] < 0.99


def test_style_hints_at_the_kind_and_never_names_it(drawn) -> None:  # type: ignore[no-untyped-def]
    _, music, video, _ = drawn
    table = np.zeros((len(STYLES), len(KINDS)))
    for sound, picture in zip(music, video, strict=True):
        table[STYLES.index(sound.style), KINDS.index(picture.kind)] += 1
    joint = table / table.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    shared_bits = np.sum(joint[joint > 0] * np.log2(joint[joint > 0] / apart[joint > 0]))
    assert 0.6 < shared_bits < 2.5
    assert np.all((table > 0).sum(axis=1) >= 6)


def test_three_in_five_keep_the_beat(drawn) -> None:  # type: ignore[no-untyped-def]
    _, _, video, beats = drawn
    kept = []
    for recipe, grid in zip(video, beats, strict=True):
        events = np.array(recipe.accents_s + (recipe.cut_times_s or ()))
        if len(events) > 4:
            kept.append(np.abs(events[:, None] - grid[None]).min(axis=1).max() < 0.002)
    assert 0.52 < np.mean(kept) < 0.68


def test_accents_fall_on_the_beats_that_the_music_has() -> None:
    rng = np.random.default_rng(8)
    kept = []
    for _ in range(40):
        latent = draw_latent(rng)
        beats = beat_times(music_recipe(latent, rng), LENGTH_S)
        accents = np.array(video_recipe(latent, rng, beats).accents_s)
        if len(accents) > 4:
            kept.append(np.abs(accents[:, None] - beats[None]).min(axis=1).max() < 0.002)
    assert 0.35 < np.mean(kept) < 0.85


def test_faster_and_fuller_pieces_are_cut_more(drawn) -> None:  # type: ignore[no-untyped-def]
    latents, _, video, _ = drawn
    cuts = [len(recipe.cut_times_s or ()) for recipe in video]
    assert np.corrcoef([latent.tempo_bpm for latent in latents], cuts)[0, 1] > 0.2
    assert np.corrcoef([mood(latent)[0] for latent in latents], cuts)[0, 1] > 0.2


def test_what_must_not_answer_is_drawn_apart(drawn) -> None:  # type: ignore[no-untyped-def]
    latents, music, video, _ = drawn
    assert len({recipe.seed for recipe in music}) == len({recipe.seed for recipe in video}) == len(latents)
    own = {"tonic": [r.tonic for r in music], "seed": [r.seed for r in music]}
    theirs = {"detail": [r.detail for r in video], "seed": [r.seed for r in video]}
    shared = {
        "energy": [mood(latent)[0] for latent in latents],
        "valence": [latent.valence for latent in latents],
        "tension": [latent.tension for latent in latents],
        "tempo": [latent.tempo_bpm for latent in latents],
    }
    for nuisance in (own, theirs):
        for values in nuisance.values():
            for axis in shared.values():
                assert abs(np.corrcoef(values, axis)[0, 1]) < 0.12
    for mine in own.values():
        for other in theirs.values():
            assert abs(np.corrcoef(mine, other)[0, 1]) < 0.12


def test_tags_follow_style_and_mood(drawn) -> None:  # type: ignore[no-untyped-def]
    latents = drawn[0]
    rng = np.random.default_rng(3)
    words = [set(tags(latent, rng)) for latent in latents]
    assert 4 < np.mean([len(group) for group in words]) < 14
    assert set().union(*words) == set(vocabulary())
    for word, axis in (("happy", 1), ("tense", 2), ("powerful", 0)):
        value = np.array([mood(latent)[axis] for latent in latents])
        has = np.array([word in group for group in words])
        assert value[has].mean() > value[~has].mean() + 0.2
    club = np.array(["club" in group for group in words])
    home = np.array(["club" in STYLE_WORDS[latent.style] for latent in latents])
    assert club[home].mean() > 0.6 > 0.1 > club[~home].mean()


def test_pairs_can_be_found_again_but_not_at_a_glance(drawn) -> None:  # type: ignore[no-untyped-def]
    """Nearest neighbour with noisy readings: no part alone is enough, all together rank the pair in the first ten."""
    _, music, video, _ = drawn
    rng = np.random.default_rng(5)
    noise = 0.12
    heard = np.array([recipe.energy_at(CLIPS_S) for recipe in music])
    seen = np.array([level_at(recipe.motion, CLIPS_S) for recipe in video])
    heard, seen = (plane + noise * rng.standard_normal(plane.shape) for plane in (heard, seen))
    mood_music = np.array([((r.brightness - 0.15) / 0.65, r.tension) for r in music])
    mood_video = np.array([((r.brightness - 0.15) / 0.65, (r.contrast - 0.1) / 0.75) for r in video])
    mood_video = mood_video + noise * rng.standard_normal(mood_video.shape)
    prefers = np.full((len(STYLES), len(KINDS)), 0.25 / len(KINDS))
    for style, kinds in SCENES_OF.items():
        for kind, weight in zip(kinds, (0.5, 0.3, 0.2), strict=True):
            prefers[STYLES.index(style), KINDS.index(kind)] += 0.75 * weight
    rows, columns = [KINDS.index(r.kind) for r in video], [STYLES.index(r.style) for r in music]
    style = np.log(prefers[columns][:, rows].T)

    def distance(a: NDArray[np.float64], b: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        return -np.sum((a[:, None] - b[None]) ** 2, axis=2) / (2 * spread**2)

    parts = {"still": style + distance(mood_video, mood_music, 0.22), "course": distance(seen, heard, 0.22)}
    parts["all"] = parts["still"] + parts["course"]
    recall = {}
    for name, score in parts.items():
        rank = np.sum(score > np.diag(score)[:, None], axis=1)
        recall[name] = (np.mean(rank < 1), np.mean(rank < 10))
    for name in ("still", "course"):
        assert 0.08 < recall[name][1] < 0.5
    assert recall["all"][1] > 1.4 * max(recall["still"][1], recall["course"][1])
    assert 0.4 < recall["all"][1] < 0.85
    assert recall["all"][0] < 0.6
