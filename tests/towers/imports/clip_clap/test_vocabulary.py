"""The vocabulary: every tag has its phrases and its place."""

from collections import Counter

from towers.imports.clip_clap.association import by_hand
from towers.imports.clip_clap.vocabulary import (
    KINDS,
    MEANINGS,
    PICTURE_TEMPLATES,
    SOUND_TEMPLATES,
    TAG_NAMES,
    TAGS,
    THEMES,
)
from towers.imports.vocabulary import AXES


def test_tags_are_about_150_of_five_kinds_each_once() -> None:
    assert 140 <= len(TAGS) <= 170 and len(set(TAG_NAMES)) == len(TAGS)
    assert set(KINDS) == {"mood", "scene", "genre", "energy", "instrument"}
    for phrases in ([tag.picture for tag in TAGS], [tag.sound for tag in TAGS]):
        assert all(phrases) and len(set(phrases)) == len(TAGS)  # two tags with one phrase would be one tag


def test_every_place_is_on_the_axes_and_every_theme_has_tags() -> None:
    for tag in TAGS:
        assert len(tag.place) == len(AXES) and all(-1 <= value <= 1 for value in tag.place), tag.name
        assert any(tag.place) and tag.theme in ("", *THEMES), tag.name
    used = Counter(tag.theme for tag in TAGS if tag.theme)
    assert set(used) == set(THEMES) and min(used.values()) >= 2
    for axis in range(len(AXES)):  # an axis that points one way only would not be one
        assert min(tag.place[axis] for tag in TAGS) <= -0.5 and max(tag.place[axis] for tag in TAGS) >= 0.8


def test_the_matrix_by_hand_has_a_row_a_tag() -> None:
    matrix = by_hand()
    assert matrix.shape == (len(TAGS), len(MEANINGS))
    christmas = matrix[TAG_NAMES.index("christmas")].tolist()
    assert christmas[MEANINGS.index("festive")] == 1.0 and sum(christmas[len(AXES) :]) == 1.0
    assert matrix[TAG_NAMES.index("sad"), MEANINGS.index("valence")] < -0.8


def test_templates_take_one_phrase() -> None:
    for template in (*PICTURE_TEMPLATES, *SOUND_TEMPLATES):
        assert "a whale" in template.format("a whale") and template.count("{}") == 1
