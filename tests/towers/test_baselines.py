"""VM-NET, CMVAE and the two-branch baselines learn what pairs share, and keep to what their settings say."""

from collections.abc import Mapping

import pytest
import torch
from torch.nn import functional

from features import spec
from towers.batch import Batch, Labels, Side, Sizes
from towers.losses.vmnet import confusion, order_violations, reverse
from towers.system import Prepared, System, make
from towers.two_branch import TwoBranch
from towers.vmnet import VmNet

EMOTIONS = 4


def pairs(count: int, seed: int, width: int = 12) -> Batch:
    """Both sides show four shared numbers through matrices of their own, among noise; emotion is signs of two."""
    generator, mixing = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(99)
    latent = torch.randn(count, 4, generator=generator)
    sides = []
    for _ in range(2):
        mix = torch.randn(4, width, generator=mixing)
        clips = (latent @ mix).unsqueeze(1) + 0.5 * torch.randn(count, 7, width, generator=generator)
        sides.append(Side(clips, torch.arange(7) < torch.randint(1, 8, (count, 1), generator=generator)))
    unknown = torch.full((count, 7), torch.nan)
    emotion = 2 * (latent[:, 0] > 0).long() + (latent[:, 1] > 0).long()
    labels = Labels(torch.zeros(count, 1), unknown[:, :3], emotion, unknown[:, 0], torch.arange(count), unknown)
    return Batch(sides[0], sides[1], labels, unknown, unknown)


def trained(name: str, setting: str, steps: int = 80) -> System:
    torch.manual_seed(0)
    train = pairs(512, 0)
    system = make(name, setting, Sizes(video=12, music=12, vocabulary=1, emotions=EMOTIONS), "small")
    assert isinstance(system, Prepared)
    system.prepare(train)
    system.module().train()
    optimiser = torch.optim.Adam(system.module().parameters(), lr=1e-3)
    for _ in range(steps):
        loss, _parts = system.loss(train.rows(torch.randperm(512)[:128]))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    system.module().eval()
    return system


def recall(system: System) -> float:
    """R@10 among 200 unseen pairs; chance is 5%."""
    test = pairs(200, 1)
    with torch.no_grad():
        similarity = system.video(test.video) @ system.music(test.music).T
    rank = (similarity > similarity.diagonal().unsqueeze(1)).sum(dim=1)
    return float((rank < 10).float().mean())


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("vmnet", "inter"),
        ("vmnet", "one-directional"),
        ("vmnet", "linear"),
        ("vmnet", "dann"),
        ("cmvae", "full"),
        ("two-branch", "b-content"),
        ("two-branch", "emomv-baseline"),
    ],
)
def test_what_pairs_share_is_found_again(name: str, setting: str) -> None:
    assert recall(trained(name, setting)) > 0.3


def test_soft_structure_keeps_more_of_the_order_within_a_modality() -> None:
    test = pairs(60, 2)
    shares: dict[str, float] = {}
    for setting in ("inter", "inter-intra"):
        system = trained("vmnet", setting)
        assert isinstance(system, VmNet)
        with torch.no_grad():
            shares[setting] = sum(
                order_violations(embedded, before).item()
                for embedded, before in (
                    (system.video(test.video), system.video_level(test.video)),
                    (system.music(test.music), system.music_level(test.music)),
                )
            )
        assert recall(system) > 0.3
    assert shares["inter-intra"] < shares["inter"]


def test_only_the_video_is_an_anchor_when_one_direction_is_asked() -> None:
    parts: Mapping[str, float]
    values = {}
    for setting in ("inter", "one-directional"):
        torch.manual_seed(0)
        system = make("vmnet", setting, Sizes(12, 12, 1, 0), "tiny")
        _, parts = system.loss(pairs(32, 0))
        values[setting] = parts["ranking"]
    assert 0 < values["one-directional"] < values["inter"]


def test_the_adversary_pushes_the_branches_the_other_way() -> None:
    """A small step down the sum: its own weights lower its error, the branches' weights raise it."""
    sizes, data = Sizes(12, 12, 1, 0), pairs(64, 0)
    changes = {}
    for moved in ("adversary", "branch"):
        torch.manual_seed(0)
        system = make("vmnet", "dann", sizes, "tiny")
        assert isinstance(system, VmNet)
        assert system.adversary is not None
        embeddings = system.video(data.video), system.music(data.music)
        before = confusion(*(system.adversary(reverse(side, 1.0)) for side in embeddings))
        before.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for name, value in system.named_parameters():
                if moved in name and value.grad is not None:
                    value.sub_(0.05 * value.grad)
            after = confusion(system.adversary(system.video(data.video)), system.adversary(system.music(data.music)))
        changes[moved] = float(after - before.detach())
    assert changes["adversary"] < 0 < changes["branch"]


def test_low_level_music_is_pooled_exactly() -> None:
    width = len(spec.LOW_LEVEL_STATISTICS) * spec.LOW_LEVEL_VALUES
    system = make("vmnet", "inter", Sizes(12, width, 1, 0), "tiny")
    assert isinstance(system, VmNet)
    assert system.music_global.width == width
    clips = torch.rand(2, 7, width)
    side = Side(clips, torch.ones(2, 7, dtype=torch.bool))
    means, variances, maxima = clips.split(spec.LOW_LEVEL_VALUES, dim=-1)  # type: ignore[no-untyped-call]
    pooled = torch.cat(
        [means.mean(1), variances.mean(1) + means.var(1, correction=0), maxima.amax(1)],
        dim=-1,
    )
    assert torch.allclose(system.music_statistics(side), pooled, atol=1e-6)


def test_streams_of_emotion_tell_emotions() -> None:
    system = trained("two-branch", "b-emotion")
    assert isinstance(system, TwoBranch)
    test = pairs(200, 1)
    with torch.no_grad():
        for stream, side in ((system.video_stream, test.video), (system.music_stream, test.music)):
            assert stream.emotion is not None
            right = stream.emotion(stream.hidden(side)).argmax(dim=-1) == test.labels.emotion
            assert right.float().mean() > 0.6  # chance is 0.25


def test_the_regression_tells_matched_from_mismatched() -> None:
    system = trained("two-branch", "emomv-baseline")
    assert isinstance(system, TwoBranch)
    test = pairs(200, 1)
    with torch.no_grad():
        own = system.score(test.video, test.music)
        other = system.score(test.video, test.music.rows(torch.arange(200).roll(1)))
    differs = test.labels.emotion != test.labels.emotion.roll(1)
    assert own.median() > other[differs].median() + 0.1


def test_the_regression_does_not_move_the_network() -> None:
    system = make("two-branch", "emomv-baseline", Sizes(12, 12, 1, 0), "tiny")
    assert isinstance(system, TwoBranch)
    data = pairs(16, 0)
    logits = system.match_logits(
        functional.pairwise_distance(system.video(data.video), system.music(data.music)).detach()
    )
    logits.sum().backward()  # type: ignore[no-untyped-call]
    assert {name for name, value in system.named_parameters() if value.grad is not None} == {
        "regression.slope",
        "regression.offset",
    }
