"""Losses of our own system, pure.

Conventions: B pairs; ``similarity`` is (B, B), cosine, video by row and music by column; labels that are unknown are
NaN (numbers) or -1 (classes) and take no part; a loss without a known label is 0 and has a gradient of 0.
"""

import torch
from torch import Tensor
from torch.nn import functional

FAR = -1e4  # a logit that no softmax sees


def contrast(similarity: Tensor, false: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding the own partner among the batch, both ways, logits = cosine / ``temperature``.

    InfoNCE (van den Oord et al. 2018). ``false`` (B, B) bool: which columns are wrong answers; pairs that share their
    music are neither right nor wrong.
    """
    own = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    logits = (similarity / temperature).masked_fill(~(false | own), FAR)
    answers = torch.arange(len(similarity), device=similarity.device)
    return 0.5 * (functional.cross_entropy(logits, answers) + functional.cross_entropy(logits.T, answers))


def known_error(guess: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean squared error over the entries whose truth is not NaN and whose place in ``where`` (same shape) is true."""
    known = ~truth.isnan()
    if where is not None:
        known = known & where
    error = torch.where(known, guess - torch.where(known, truth, torch.zeros_like(truth)), torch.zeros_like(guess))
    return error.square().sum() / known.sum().clamp(min=1)


def known_direction(guess: Tensor, truth: Tensor) -> Tensor:
    """Mean over rows of 1 - cosine; both (B, V); rows of zeros in ``truth`` are unknown."""
    known = truth.abs().sum(dim=-1) > 0
    apart = 1.0 - functional.cosine_similarity(guess, truth, dim=-1)
    return torch.where(known, apart, torch.zeros_like(apart)).sum() / known.sum().clamp(min=1)


def known_class(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean cross-entropy over the rows whose class is known; (B, n) and (B,) int64."""
    known = truth >= 0
    terms = functional.cross_entropy(logits, truth.clamp(min=0), reduction="none")
    return torch.where(known, terms, torch.zeros_like(terms)).sum() / known.sum().clamp(min=1)


def listwise(scores: Tensor) -> Tensor:
    """Cross-entropy of the first of each row's candidates being the right one; (B, n) logits."""
    return functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.int64, device=scores.device))
