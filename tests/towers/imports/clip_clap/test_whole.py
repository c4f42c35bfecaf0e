"""Words and places: by hand where a hand suffices."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from towers.imports.clip_clap.association import by_hand
from towers.imports.clip_clap.tagging import Tagged, check_apart, mean_cosine
from towers.imports.clip_clap.vocabulary import MEANINGS, TAG_NAMES
from towers.imports.clip_clap.whole import WEIGHTS, ClipClap, Words, build, measure_words, squash
from towers.imports.errors import ImportedError

TAGS = len(TAG_NAMES)


class Plain(nn.Module):
    """In the place of a network: its feature is the vector already."""

    def forward(self, feature: Tensor) -> Tensor:
        return feature


def whole(words: tuple[Words, Words] | None = None) -> ClipClap:
    rng = np.random.default_rng(0)
    raw = 20 + 3 * rng.normal(size=(400, TAGS)), 5 + rng.normal(size=(400, TAGS))
    hand = by_hand().numpy().astype(np.float64)
    tagged = Tagged(Plain(), torch.eye(TAGS))
    return build(tagged, tagged, words or (measure_words(raw[0]), measure_words(raw[1])), raw, (hand, hand))


def test_a_clips_words_are_standard_scores_of_cosines() -> None:
    built = whole()
    said = built.video_clip(torch.full((2, TAGS), 0.23))[0]
    np.testing.assert_allclose(said.mean(), 1.0, atol=0.1)  # 23 of 20, deviation 3
    said = built.music_clip(torch.full((2, TAGS), 0.23))[0]
    np.testing.assert_allclose(said.mean(), 18.0, atol=0.5)


def test_a_curve_makes_log_odds_of_them() -> None:
    words = Words(np.full(TAGS, 20.0), np.full(TAGS, 3.0), np.full(TAGS, 2.0), np.full(TAGS, -1.5))
    said = whole((words, words)).video_clip(torch.full((1, TAGS), 0.23))[0].numpy()
    np.testing.assert_allclose(said, 2.0 * 1.0 - 1.5, atol=1e-4)
    np.testing.assert_allclose(words.logits(np.full((1, TAGS), 23.0))[0], said, atol=1e-4)
    assert squash(np.array([0.0, 100.0])).tolist() == [0.0, 1.0]


def test_windows_of_one_meaning_are_near_and_of_the_contrary_far() -> None:
    built = whole()
    mask = torch.ones(1, 7, dtype=torch.bool)

    def window(*names: str) -> Tensor:
        clips = torch.zeros(1, 7, TAGS)
        clips[:, :, [TAG_NAMES.index(name) for name in names]] = 4.0
        return clips

    def match(seen: Tensor, heard: Tensor) -> float:
        return float(built.match(seen, mask, heard, mask))

    peaceful, wild = window("peaceful", "meadow", "calm"), window("angry", "metal", "fast")
    assert match(peaceful, window("harp", "relaxed")) > 0.3 > -0.3 > match(peaceful, wild)
    sleigh, gun = window("christmas"), window("war")
    assert match(sleigh, window("bells", "christmas")) > match(gun, window("bells", "christmas")) + 0.3
    place = built.video_place(peaceful, mask)
    assert place.shape == (1, len(MEANINGS) + 2) and float(place.norm()) == pytest.approx(1.0, abs=1e-5)
    energy, valence, tension = built.mood(0.7 * place)[0].tolist()
    assert energy < 0.4 and valence > 0.6 and tension < 0.4


def test_each_side_has_its_own_matrix() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(400, TAGS))
    hand = by_hand().numpy().astype(np.float64)
    learnt = -hand
    tagged, words = Tagged(Plain(), torch.eye(TAGS)), measure_words(raw)
    built = build(tagged, tagged, (words, words), (raw, raw), (learnt, hand))
    clips, mask = torch.from_numpy(words.logits(raw[:7]).astype(np.float32))[None], torch.ones(1, 7, dtype=torch.bool)
    seen, heard = built.video_place(clips, mask)[0, :-2], built.music_place(clips, mask)[0, :-2]
    np.testing.assert_allclose(seen, -heard, atol=1e-5)
    spread = squash(words.logits(raw)) @ hand
    place = squash(words.logits(raw[:7])).mean(axis=0) @ hand
    expected = (place - spread.mean(axis=0)) / spread.std(axis=0) * np.array(WEIGHTS)
    np.testing.assert_allclose(heard / heard.norm(), expected / np.linalg.norm(expected), atol=1e-4)


def test_a_tag_that_never_changes_says_nothing() -> None:
    raw = np.full((40, TAGS), 7.0)
    words = measure_words(raw)
    assert not words.logits(raw).any() and abs(words.logits(raw + 1e-3)).max() < 0.1


def test_the_record_names_tags_and_meanings() -> None:
    facts = whole().facts
    assert facts["tags"] == list(TAG_NAMES) and facts["axes"] == list(MEANINGS)
    assert sum(map(len, facts["kinds"].values())) == TAGS


def test_a_text_tower_that_says_the_same_of_everything_is_refused() -> None:
    vectors = nn.functional.normalize(torch.eye(8, 16) + torch.full((8, 16), 9.0), dim=1)
    assert mean_cosine(torch.eye(8, 16)) == 0.0
    assert check_apart(torch.eye(8, 16), "sound") is not None
    with pytest.raises(
        ImportedError, match=r"sound: the texts of different tags are alike \(mean cosine .*larger_clap"
    ):
        check_apart(vectors, "sound")
    with pytest.raises(ImportedError, match="alike"):
        check_apart(torch.full((8, 16), float("nan")), "sound")
