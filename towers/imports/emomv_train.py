"""Trains the heads of ``emomv`` on EmoMV's release: the epoch and the logit from folds of its training list alone.

Folds are by source video of both sides: held-out pairs share no video with training pairs, neither by pictures nor by
music. A pair with only one side held out is left out of that fold. The validation set is used once, at the end.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..corpora.emomv import LABELS, PAIR, TRAIN, EmoMvPairs, clip_source, read_emomv, read_rows
from ..emotion_head import EmotionHead, EmotionScale
from ..emotion_lessons import Lessons
from ..label_metrics import accuracy, auc, f1, mean_average_precision, top
from .emomv import Heads, new_net

SET: Final = "DS3"  # EmoMV-C
SCALE: Final = EmotionScale(hidden=24)  # the best in the folds, within their noise, whose file stays below 1 MB
EPOCHS: Final = 60
FOLDS: Final = 5
SPLITS: Final = 2
SMOOTH: Final = 5  # epochs: the figure of a single epoch on a small held-out set is mostly noise

Say = Callable[[str], None]
Floats = NDArray[np.float64]


def lessons(pairs: EmoMvPairs, emotions: int, seed: int) -> Lessons:
    """Lessons for fresh weights."""
    torch.manual_seed(seed)
    return Lessons(new_net(pairs.video.shape[1], pairs.music.shape[1], emotions, SCALE), pairs)


def train_heads(folder: Path, say: Say = lambda line: None, seed: int = 0, epochs: int = EPOCHS) -> Heads:
    """Raises ``CorpusError`` for a folder that does not hold the release's set C."""
    release = read_emomv(folder, SET)
    names = [row[1] for row in read_rows(folder / LABELS[TRAIN].format(SET), 7)]
    music_source = tuple(clip_source(name.split(PAIR)[-1]) for name in names)
    emotions = len(release.emotions)
    chosen, figures, scores, match = in_folds(release.train, music_source, emotions, epochs, say)
    slope, offset = logit_of(scores, match)
    say(f"epoch {chosen}; logit {slope:.2f} x {offset:+.2f}, of {len(scores)} held-out pairs")
    learner = lessons(release.train, emotions, seed)
    for _ in range(chosen):
        learner.epoch()
    net = learner.net.eval()
    validation = judge(net, release.val, release.gallery, slope, offset)
    record: dict[str, Any] = {
        "corpus": "EmoMV-C",
        "features": hashlib.sha256(release.train.video.tobytes() + release.train.music.tobytes()).hexdigest(),
        "pairs": len(release.train),
        "seed": seed,
        "epochs": chosen,
        "folds": {"count": FOLDS, "splits": SPLITS, "by": "source video of both sides", **figures},
        "validation": {"pairs": len(release.val), "gallery": len(release.gallery), **validation},
    }
    return Heads(net, slope, offset, release.emotions, record)


def in_folds(
    pairs: EmoMvPairs, music_source: tuple[str, ...], emotions: int, epochs: int, say: Say
) -> tuple[int, dict[str, float], Floats, NDArray[np.bool_]]:
    """The epochs to train, their figures over the folds, the scores of held-out pairs, and which of these match."""
    video_sources, music_sources = np.array(pairs.source), np.array(music_source)
    sources = np.array(sorted({*pairs.source, *music_source}))
    retrieved: list[list[float]] = []
    fold_scores: list[list[Floats]] = []
    matches: list[NDArray[np.bool_]] = []
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(len(sources))
        for fold in range(FOLDS):
            say(f"fold {split * FOLDS + fold + 1} of {SPLITS * FOLDS}")
            out = sources[order[fold::FOLDS]]
            video_out, music_out = np.isin(video_sources, out), np.isin(music_sources, out)
            held_out = pairs.rows(video_out & music_out)
            learner = lessons(pairs.rows(~video_out & ~music_out), emotions, split * FOLDS + fold)
            gallery, labels = held_out.rows(held_out.match), held_out.video_emotion[held_out.match]
            curve, scores_by_epoch = [], []
            for _ in range(epochs):
                learner.epoch()
                near = similarity(learner.net, gallery)
                ways = [mean_average_precision(matrix, labels, labels) for matrix in (near, near.T)]
                curve.append(float(np.mean(ways)))
                scores_by_epoch.append(np.diagonal(similarity(learner.net, held_out)).copy())
            retrieved.append(curve)
            fold_scores.append(scores_by_epoch)
            matches.append(held_out.match)
    curves = np.array(retrieved)
    mean = curves.mean(axis=0)
    smooth = np.convolve(np.pad(mean, SMOOTH // 2, mode="edge"), np.ones(SMOOTH) / SMOOTH, mode="valid")
    best = int(smooth.argmax())
    scores, match = np.concatenate([fold[best] for fold in fold_scores]), np.concatenate(matches)
    figures = {
        "map": round(float(mean[best]), 2),
        "map_deviation": round(float(curves[:, best].std()), 2),
        "auc": round(auc(scores, match), 3),
    }
    return best + 1, figures, scores, match


@torch.inference_mode()
def similarity(net: EmotionHead, pairs: EmoMvPairs) -> Floats:
    """(n, n): every video with every music."""
    net.eval()
    video_vectors, music_vectors = net.video(torch.from_numpy(pairs.video)), net.music(torch.from_numpy(pairs.music))
    return np.asarray((video_vectors @ music_vectors.T).double().numpy())


def logit_of(scores: Floats, match: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the logit that a pair of this score matches (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(scores[:, None], match)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def judge(net: EmotionHead, pairs: EmoMvPairs, gallery: EmoMvPairs, slope: float, offset: float) -> dict[str, float]:
    """Figures of the release's validation: retrieval by emotion, and recognising matched pairs."""
    scores = np.diagonal(similarity(net, pairs))
    guess = slope * scores + offset >= 0.0
    near, labels = similarity(net, gallery), gallery.video_emotion
    figures = {
        "accuracy": accuracy(guess, pairs.match),
        "f1": f1(guess, pairs.match),
        "auc": auc(scores, pairs.match),
        **{
            f"{way}_{name}": value
            for way, matrix in (("v2m", near), ("m2v", near.T))
            for name, value in (
                ("map", mean_average_precision(matrix, labels, labels)),
                ("top1", top(matrix, labels, labels, 1)),
            )
        },
    }
    return {name: round(value, 3) for name, value in figures.items()}
