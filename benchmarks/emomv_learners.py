"""The models of the EmoMV benchmark behind one interface: learn an epoch, then score how likely pairs match and how
near videos and music are."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from towers.batch import Batch, Labels, Side, Sizes
from towers.corpora.emomv import EmoMvPairs
from towers.emomv import Correspondence, Scale
from towers.emotion_head import EmotionHead
from towers.emotion_lessons import Lessons
from towers.losses.emomv import correspondence
from towers.losses.segue import known_class
from towers.system import ClosedForm, Prepared, make

BATCH = 64
Scores = npt.NDArray[np.float64]


class Learner(Protocol):
    """``epoch`` goes over the training pairs once; ``match`` (n,) scores pairs of rows, None for a model that cannot;
    ``similarity`` (n, n) compares every video of a gallery with every track, or None in the same way."""

    def epoch(self) -> None: ...

    def match(self, pairs: EmoMvPairs) -> Scores | None: ...

    def similarity(self, gallery: EmoMvPairs) -> Scores | None: ...


Make = Callable[[EmoMvPairs, int], Learner]


def tensors(pairs: EmoMvPairs) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(pairs.video), torch.from_numpy(pairs.music)


class Classifier:
    """EmoMV's classifier of pairs, multi- or single-task (Adam 1e-4, weight decay .1, as its code)."""

    def __init__(self, pairs: EmoMvPairs, emotions: int, multi: bool) -> None:
        self.pairs, self.multi = pairs, multi
        video, music = tensors(pairs)
        self.net = Correspondence(video.shape[1], music.shape[1], emotions, Scale(64))
        self.net.prepare(video, music)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=5e-4, weight_decay=0.1)

    def epoch(self) -> None:
        self.net.train()
        video, music = tensors(self.pairs)
        match = torch.from_numpy(self.pairs.match)
        labels = torch.from_numpy(self.pairs.video_emotion), torch.from_numpy(self.pairs.music_emotion)
        for rows in torch.split(torch.randperm(len(self.pairs)), BATCH):
            match_logits, video_logits, music_logits = self.net(video[rows], music[rows])
            loss = correspondence(match_logits, match[rows])
            if self.multi:
                loss = loss + known_class(video_logits, labels[0][rows]) + known_class(music_logits, labels[1][rows])
            step(self.optimiser, loss)

    @torch.inference_mode()
    def match(self, pairs: EmoMvPairs) -> Scores:
        self.net.eval()
        return np.asarray(self.net(*tensors(pairs))[0].softmax(dim=-1)[:, 1].double().numpy())

    def similarity(self, gallery: EmoMvPairs) -> None:
        return None


class Head(Lessons):
    """Our emotion head: it answers both questions with one model."""

    def __init__(self, pairs: EmoMvPairs, emotions: int) -> None:
        super().__init__(EmotionHead(pairs.video.shape[1], pairs.music.shape[1], emotions), pairs)

    @torch.inference_mode()
    def match(self, pairs: EmoMvPairs) -> Scores:
        self.net.eval()
        video, music = tensors(pairs)
        return np.asarray((self.net.video(video) * self.net.music(music)).sum(dim=1).double().numpy())

    @torch.inference_mode()
    def similarity(self, gallery: EmoMvPairs) -> Scores:
        self.net.eval()
        video, music = tensors(gallery)
        return np.asarray((self.net.video(video) @ self.net.music(music).T).double().numpy())


class Retriever:
    """Any system, on windows of one clip: the matched pairs of the list."""

    def __init__(self, pairs: EmoMvPairs, emotions: int, name: str, setting: str, rate: float) -> None:
        matched = pairs.rows(pairs.match)
        self.batch = batch_of(matched)
        sizes = Sizes(pairs.video.shape[1], pairs.music.shape[1], 0, emotions)
        self.system = make(name, setting, sizes)
        self.fitted = isinstance(self.system, ClosedForm)
        if isinstance(self.system, ClosedForm):
            self.system.fit(self.batch)
        if isinstance(self.system, Prepared):
            self.system.prepare(self.batch)
        parameters = list(self.system.module().parameters()) or [nn.Parameter(torch.zeros(1))]
        self.optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.1)

    def epoch(self) -> None:
        if self.fitted:
            return
        self.system.module().train()
        for rows in torch.split(torch.randperm(len(self.batch)), BATCH):
            step(self.optimiser, self.system.loss(self.batch.rows(rows))[0])

    def match(self, pairs: EmoMvPairs) -> None:
        return None

    @torch.inference_mode()
    def similarity(self, gallery: EmoMvPairs) -> Scores:
        self.system.module().eval()
        batch = batch_of(gallery)
        return np.asarray((self.system.video(batch.video) @ self.system.music(batch.music).T).double().numpy())


class Distance(Retriever):
    """EmoMV's baseline: a Euclidean two-branch network; a pair matches by how near its two points are."""

    @torch.inference_mode()
    def match(self, pairs: EmoMvPairs) -> Scores:  # type: ignore[override]
        self.system.module().eval()
        batch = batch_of(pairs)
        cosine = functional.cosine_similarity(self.system.video(batch.video), self.system.music(batch.music))
        return np.asarray(cosine.double().numpy())


def batch_of(pairs: EmoMvPairs) -> Batch:
    """Windows of one clip; a pair's emotion is that of its video."""
    count = len(pairs)
    video, music = tensors(pairs)
    mask = torch.ones(count, 1, dtype=torch.bool)
    nothing = torch.full((count, 1), float("nan"))
    labels = Labels(
        tags=torch.zeros(count, 1),
        mood=torch.full((count, 3), float("nan")),
        emotion=torch.from_numpy(pairs.video_emotion),
        polarity=torch.full((count,), float("nan")),
        music=torch.arange(count),
        course=nothing,
    )
    return Batch(Side(video.unsqueeze(1), mask), Side(music.unsqueeze(1), mask), labels, nothing, nothing)


def step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
