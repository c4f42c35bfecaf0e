"""The second stages: shortlists hold no true pair, and an untrained one ranks as the index does."""

import torch

from towers.matcher import near
from towers.second_stage import SecondStage


def test_near_never_picks_a_true_pair_and_stays_in_the_shortlist() -> None:
    similarity = torch.randn(40, 40, generator=torch.Generator().manual_seed(1)) + 5 * torch.eye(40)
    false = ~torch.eye(40, dtype=torch.bool)
    for _ in range(20):
        chosen = near(similarity, false, 3)
        ranks = (similarity > similarity.gather(1, chosen[:, None])).sum(dim=1)
        assert (chosen != torch.arange(40)).all() and (ranks <= 3).all()  # the true pair is above all three


def test_an_untrained_second_stage_orders_by_cosine() -> None:
    torch.manual_seed(0)
    stage = SecondStage(6).eval()
    words = torch.randn(2, 20, 6)
    cosine = torch.linspace(-1, 1, 20)
    with torch.no_grad():
        scores = stage(words[0], words[1], cosine)
    assert (scores.argsort() == cosine.argsort()).all()
