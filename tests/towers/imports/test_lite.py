"""Words, axes and places: each by hand where a hand suffices."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from towers.imports.errors import ImportedError
from towers.imports.lite import (
    DOUBT,
    GROUP_NAMES,
    TAG_NAMES,
    Axes,
    Match,
    Mood,
    MusicWords,
    Place,
    SceneWords,
    Scored,
    Side,
    read_background,
)
from towers.imports.vocabulary import AXES, GROUPS, MSD_TAGS, MTT_TAGS, SCENES, SUNG, TAGS, UNSUNG, kinds_of

FLAT = Side((0.0,) * 2, (1.0,) * 2, (0.0,) * 6, (1.0,) * 6)


def test_every_word_has_its_place_and_every_kind_is_one() -> None:
    assert set(GROUPS) == set(SCENES) and len(MTT_TAGS) == len(MSD_TAGS) == 50
    assert set(TAGS) | set(SUNG) | set(UNSUNG) <= set(MTT_TAGS) | set(MSD_TAGS)
    assert set(SUNG) | set(UNSUNG) <= set(MTT_TAGS)
    for row in (*SCENES.values(), *TAGS.values()):
        assert len(row) == len(AXES) and all(-1 <= value <= 1 for value in row)
    kinds = [kind for group in GROUPS for kind in kinds_of(group)]
    assert min(kinds) == 0 and max(kinds) < 1000 and len(set(kinds)) > 900
    assert all(list(kinds_of(group)) == sorted(set(kinds_of(group))) for group in GROUPS)


@pytest.mark.parametrize(
    ("kind", "group"),
    [(207, "dogs"), (980, "mountains"), (847, "weapons"), (817, "races"), (963, "food"), (916, "screens"),
     (497, "monuments"), (402, "stage"), (978, "shore"), (850, "toys and sweets"), (0, "under water")],
)  # fmt: skip
def test_kinds_that_everybody_knows_are_where_they_belong(kind: int, group: str) -> None:
    """Golden retriever, volcano, tank, sports car, pizza, web site, church, guitar, sea shore, teddy, tench."""
    assert kind in kinds_of(group)


class Certain(nn.Module):
    """Sees one kind, whatever it is shown."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.fc, self.kind, self.shown = nn.Linear(1, 1000), kind, torch.empty(0)

    def forward(self, pictures: Tensor) -> Tensor:
        self.shown = pictures
        logits = torch.zeros(len(pictures), 1000)
        logits[:, self.kind] = 20.0
        return logits


def test_a_picture_is_brought_to_the_networks_size_and_scale() -> None:
    network = Certain(207)
    scene = torch.full((2, 90, 160, 3), 255, dtype=torch.uint8)
    scene[..., 2] = 0
    words = SceneWords(network)(scene)  # type: ignore[arg-type]
    assert network.shown.shape == (2, 3, 224, 224)
    np.testing.assert_allclose(network.shown[0, :, 5, 5], [1.0, 1.0, -127 / 128], atol=1e-6)
    assert words.shape == (2, len(GROUP_NAMES))
    assert GROUP_NAMES[int(words[0].argmax())] == "dogs" and abs(float(words[0].max())) < 1e-3


def test_both_vocabularies_stand_side_by_side() -> None:
    class Half(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, mel: Tensor) -> Tensor:
            return torch.full((len(mel), 50), self.value)

    words = MusicWords([Half(1.0), Half(2.0)])(torch.zeros(3, 187, 96))  # type: ignore[list-item]
    assert words.shape == (3, len(TAG_NAMES)) and words[0].tolist() == [1.0] * 50 + [2.0] * 50


def test_scores_are_standard_over_the_background() -> None:
    side = Side((1.0, -1.0), (2.0, 0.0), (0.0,) * 6, (1.0,) * 6)
    scores = Scored(nn.Identity(), side)(torch.tensor([[3.0, -1.0]]))
    assert scores.tolist() == [[1.0, 0.0]]  # a word that never changes says nothing, and divides by nothing


def place(side: int) -> Place:
    association = torch.zeros(2, 6)
    association[0, 0], association[1, 1] = 1.0, 1.0
    return Place(Axes(association, FLAT), side)


def test_a_windows_place_by_hand() -> None:
    clips = torch.zeros(1, 7, 2)
    clips[0, 0, 0], clips[0, 1, 0] = 2.0, 4.0
    clips[0, 2:] = 100.0  # not valid, so not heard
    mask = torch.tensor([[True, True] + [False] * 5])
    axis = (np.tanh(1.0) + np.tanh(2.0)) / 2
    found = place(0)(clips, mask)[0]
    length = np.hypot(axis, DOUBT)
    np.testing.assert_allclose(found, [axis / length, 0, 0, 0, 0, 0, DOUBT / length, 0], atol=1e-6)
    assert place(1)(clips, mask)[0, 6:].tolist() == pytest.approx([0.0, DOUBT / length])


def test_windows_of_which_nothing_is_known_are_near_to_nothing() -> None:
    unknown, known = torch.zeros(1, 7, 2), torch.full((1, 7, 2), 9.0)
    mask = torch.ones(1, 7, dtype=torch.bool)
    match = Match(place(0), place(1))
    assert float(match(unknown, mask, known, mask)) == pytest.approx(0.0, abs=1e-6)
    assert float(match(known, mask, known, mask)) > 0.4
    assert float(match(known, mask, -known, mask)) < -0.4


def test_mood_is_the_axes_whatever_the_length() -> None:
    clips = torch.zeros(1, 7, 2)
    clips[..., 0] = 3.0
    mask = torch.ones(1, 7, dtype=torch.bool)
    for side in (0, 1):
        mood = Mood(len(AXES))(0.3 * place(side)(clips, mask))[0]
        assert mood.tolist() == pytest.approx([1 / (1 + np.exp(-np.tanh(1.5))), 0.5, 0.5], abs=1e-6)


def test_the_background_that_comes_with_the_program_fits() -> None:
    background = read_background()
    assert background.video_clips > 50 and background.music_clips > 200
    assert all(value > 0 for side in (background.video, background.music) for value in side.words_deviation)
    assert json.loads(background.text())["video_clips"] == background.video_clips


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"video": {}, "music": {}}', "short"])
def test_a_background_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "background.json"
    if text == "short":
        data: dict[str, Any] = json.loads(read_background().text())
        data["video"]["words_mean"].pop()
        text = json.dumps(data)
    path.write_text(text)
    with pytest.raises(ImportedError, match=r"background .*measure it again"):
        read_background(path)
    with pytest.raises(ImportedError, match="cannot be read"):
        read_background(tmp_path / "none.json")
