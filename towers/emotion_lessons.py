"""How an ``EmotionHead`` is trained on matched and mismatched pairs; the shipped head and its benchmark share it."""

from typing import Final

import torch

from .corpora.emomv import EmoMvPairs
from .emotion_head import EmotionHead

BATCH: Final = 64


class Lessons:
    """A head that is not prepared yet, its pairs, and its optimiser (AdamW)."""

    def __init__(self, net: EmotionHead, pairs: EmoMvPairs) -> None:
        self.net, self.pairs = net, pairs
        net.prepare(torch.from_numpy(pairs.video), torch.from_numpy(pairs.music))
        # A video has 2,304 numbers, a music 128: the same step moves a video's outputs much further.
        self.optimiser = torch.optim.AdamW(
            [{"params": net.video.parameters(), "lr": 2e-4}, {"params": net.music.parameters(), "lr": 1e-3}],
            weight_decay=0.1,
        )

    def epoch(self) -> None:
        """Over the pairs once, in an order that torch's generator draws."""
        self.net.train()
        pairs = self.pairs
        video, music = torch.from_numpy(pairs.video), torch.from_numpy(pairs.music)
        labels = torch.from_numpy(pairs.video_emotion), torch.from_numpy(pairs.music_emotion)
        for rows in torch.split(torch.randperm(len(pairs)), BATCH):
            loss = self.net.loss(video[rows], music[rows], labels[0][rows], labels[1][rows])
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
