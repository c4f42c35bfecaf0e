"""EmoMV's heads and what is made of them: places, the match, moods; and the file that comes with the program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from towers.emotion_head import EmotionScale
from towers.imports import emomv
from towers.imports.emomv import (
    BOUND,
    Heads,
    build_emomv,
    heads_bytes,
    new_net,
    read_heads,
    restandardise,
    share_beyond,
)
from towers.imports.emomv_sample import sample_clips
from towers.imports.errors import ImportedError
from towers.imports.part import LOGITS
from towers.imports.slowfast import SlowFast
from towers.imports.vggish import Vggish

EMOTIONS = ("Exciting", "Fear", "Tense", "Sad", "Relax")
VIDEO = 576  # of a SlowFast of 16 channels


def drawn(video: int = VIDEO) -> Heads:
    torch.manual_seed(0)
    net = new_net(video, 128, 5, EmotionScale(members=2, hidden=6, embedding=4))
    net.prepare(torch.rand(50, video), torch.rand(50, 128))
    return Heads(net.eval(), 3.0, -0.5, EMOTIONS, {"seed": 0})


@pytest.fixture
def part() -> emomv.EmoMvPart:
    torch.manual_seed(1)
    return build_emomv(SlowFast(16, (1, 1, 1, 1)), Vggish((4, 4, 4, 4, 4, 4), 8), drawn(), (32, 48))


def windows(width: int) -> tuple[Tensor, Tensor]:
    mask = torch.tensor([[True] * 7, [True] * 2 + [False] * 5])
    return torch.rand(2, 7, width), mask


@torch.inference_mode()
def test_a_place_has_length_one_and_its_product_is_half_the_score(part: emomv.EmoMvPart) -> None:
    (video, mask), (music, _) = windows(VIDEO), windows(128)
    seen, heard = part.video_place(video, mask), part.music_place(music, mask)
    assert torch.allclose(seen.norm(dim=1), torch.ones(2)) and torch.allclose(heard.norm(dim=1), torch.ones(2))
    means = [torch.stack([clips[0].mean(dim=0), clips[1, :2].mean(dim=0)]) for clips in (video, music)]
    net = part.heads.net
    score = (net.video(means[0]) * net.music(means[1])).sum(dim=1)
    assert torch.allclose((seen * heard).sum(dim=1), score / 2, atol=1e-6)
    found = part.match(video, mask, music, mask)
    assert torch.allclose(LOGITS * found, 3.0 * score - 0.5, atol=1e-5)
    video[1, 2:] = torch.nan  # nothing behind the mask is read
    assert torch.equal(part.video_place(video, mask), seen)


@torch.inference_mode()
def test_a_mood_is_that_of_the_emotions_whatever_the_length(part: emomv.EmoMvPart) -> None:
    place = torch.zeros(3, 5 + 8 + 2)
    place[0, 3] = 0.7  # all sad
    place[1, :5] = 0.1 * torch.tensor([1, 0, 0, 0, 1])
    place[2] = part.video_place(*windows(VIDEO))[0]
    mood = part.mood(place)
    assert mood[0].tolist() == pytest.approx(emomv.MOODS["sad"], abs=1e-6)
    assert mood[1].tolist() == pytest.approx(
        np.mean([emomv.MOODS["exciting"], emomv.MOODS["relax"]], axis=0).tolist(), abs=1e-6
    )
    assert torch.allclose(part.mood(0.1 * place), mood, atol=1e-6) and bool(((mood >= 0) & (mood <= 1)).all())


@torch.inference_mode()
def test_clips_are_words(part: emomv.EmoMvPart) -> None:
    """Pictures are scaled and put in the order that the network takes; a music's examples are averaged."""
    clips = torch.randint(0, 256, (2, 32, 90, 160, 3)).to(torch.uint8)
    words = part.video_clip(clips)
    pictures = torch.stack([clips[:, at].permute(0, 3, 1, 2).float() for at in range(32)], dim=2)
    flat = [torch.nn.functional.interpolate(pictures[:, :, at], size=(32, 48), mode="bilinear") for at in range(32)]
    network = part.video_clip.network
    assert torch.allclose(words, network((torch.stack(flat, dim=2) / 255 - 0.45) / 0.225), atol=1e-4)
    mels = torch.randn(2, 4, 96, 64)
    each = [part.music_clip.network(mels[:, at : at + 1]) for at in range(4)]
    assert torch.allclose(part.music_clip(mels), torch.stack(each).mean(dim=0), atol=1e-6)


@torch.inference_mode()
def test_what_a_head_does_not_know_is_bounded_and_counted() -> None:
    heads = drawn()
    known, strange = torch.rand(20, VIDEO), torch.rand(20, VIDEO) * 1e4
    assert share_beyond(heads.net.video, known) == 0.0 and share_beyond(heads.net.video, strange) > 0.9
    assert float(heads.net.video.standard(strange).abs().max()) == BOUND
    restandardise(heads, strange, torch.rand(20, 128))
    assert share_beyond(heads.net.video, strange) == 0.0


def test_heads_come_back(tmp_path: Path) -> None:
    heads, place = drawn(), tmp_path / "heads.safetensors"
    place.write_bytes(heads_bytes(heads))
    found = read_heads(place)
    assert (found.slope, found.offset, found.emotions, found.record) == (3.0, -0.5, EMOTIONS, {"seed": 0})
    words = torch.rand(4, VIDEO)
    with torch.inference_mode():
        assert torch.allclose(found.net.video(words), heads.net.video(words), atol=5e-3)
    assert torch.equal(found.net.video.standard.mean, heads.net.video.standard.mean)


def test_files_that_are_no_heads_are_named(tmp_path: Path) -> None:
    place = tmp_path / "heads.safetensors"
    again = "train them again with segue towers heads emomv"
    with pytest.raises(ImportedError, match=f"cannot be read.*{again}"):
        read_heads(place)
    place.write_bytes(heads_bytes(drawn())[:-9])
    with pytest.raises(ImportedError, match=f"cannot be read.*{again}"):
        read_heads(place)
    save_file({"x": torch.zeros(1)}, place)
    with pytest.raises(ImportedError, match="cannot be read"):
        read_heads(place)
    whole = drawn()
    other = Heads(whole.net, 1.0, 0.0, ("Exciting", "Fear", "Tense", "Sad", "Bored"), {})
    place.write_bytes(heads_bytes(other))
    with pytest.raises(ImportedError, match="the emotion 'Bored', which has no mood"):
        read_heads(place)
    narrow = heads_bytes(whole).replace(b'"hidden\\": 6', b'"hidden\\": 7')
    assert narrow != heads_bytes(whole)
    place.write_bytes(narrow)
    with pytest.raises(ImportedError, match=r"video.points.0.weight is .*\(2, 576, 6\), must be .*\(2, 576, 7\)"):
        read_heads(place)


def test_heads_of_other_networks_are_refused() -> None:
    with pytest.raises(ImportedError, match="are of 99 and 128 numbers, the networks give 576 and 128"):
        build_emomv(SlowFast(16, (1, 1, 1, 1)), Vggish((4, 4, 4, 4, 4, 4), 8), drawn(99))


def test_those_that_come_with_the_program() -> None:
    heads = read_heads()
    assert Path(emomv.__file__).with_name(emomv.FILE).stat().st_size < 1_000_000
    assert heads.net.video.standard.mean.shape == (2304,) and heads.net.music.standard.mean.shape == (128,)
    assert heads.emotions == EMOTIONS and heads.slope > 0
    record = heads.record
    assert record["pairs"] == 360 and record["folds"]["by"] == "source video of both sides"
    assert record["validation"]["pairs"] == 96 and 28 < record["validation"]["v2m_map"] < 60


def test_drawn_clips_are_the_same_every_time_and_move() -> None:
    first, again = list(sample_clips()), list(sample_clips())
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert all(
        clip.shape == (32, 90, 160, 3) and clip.dtype == np.uint8 and clip.std(axis=0).max() > 5 for clip in first
    )
