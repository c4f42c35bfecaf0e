"""``segue evaluate``: how well a run retrieves, on a split of a corpus, both ways, against chance.

Two protocols: the dual encoder alone, as in an index, and the dual encoder with its shortlist reordered by the second
stage, where the system has one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from features import spec

from .batch import Batch
from .corpora.corpus import open_corpus
from .material import gather
from .metrics import Retrieval, chance, ranks, summarise
from .rerank import SHORTLIST, reranked_ranks
from .run import Run, load_run
from .system import Reranking
from .train import BACKBONES, CLIPS


def evaluate(run_folder: Path, corpus_folder: Path, split_name: str, cache: Path | None) -> dict[str, Any]:
    """Flat rows, one per protocol and direction, with ``chance``; JSON throughout."""
    run = load_run(run_folder)
    corpus = open_corpus(corpus_folder)
    # Tags and bins come from the training split; evaluation needs neither, so this split takes its place.
    material = gather(corpus, run.video, run.music, (split_name,), cache or run_folder / BACKBONES / CLIPS)
    gallery = material.splits[split_name]
    system = run.system
    rows = []
    with torch.inference_mode():
        video, music = system.video(gallery.video), system.music(gallery.music)
        similarity = (video @ music.T).numpy()
        for direction, matrix in (("v2m", similarity), ("m2v", similarity.T)):
            rows.append(row("dual", direction, summarise(ranks(matrix), len(matrix))))
            if isinstance(system, Reranking) and system.reranks:
                order = reranked_ranks(system, gallery, similarity, direction)
                rows.append(row("matcher", direction, summarise(order, len(matrix))))
        mood = mood_errors(run, video, music, gallery)
    rows += [row("chance", direction, chance(len(gallery))) for direction in ("v2m", "m2v")]
    return {
        "run": {
            "system": system.name,
            **{name: run.training.get(name) for name in ("corpus", "seed", "commit", "setting", "scale")},
        },
        "corpus": corpus.name,
        "split": split_name,
        "pairs": len(gallery),
        "shortlist": SHORTLIST,
        "rows": rows,
        "mood_mae": mood,
    }


def row(protocol: str, direction: str, result: Retrieval) -> dict[str, Any]:
    return {
        "protocol": protocol,
        "direction": direction,
        **{f"r{k}": round(value, 2) for k, value in result.recall.items()},
        "median_rank": result.median_rank,
    }


def mood_errors(run: Run, video: torch.Tensor, music: torch.Tensor, gallery: Batch) -> dict[str, dict[str, float]]:
    """Mean absolute error of the graph ``mood`` by side and axis, and of this split's mean as a guess; empty without
    it."""
    graphs = run.system.graphs()
    truth = gallery.labels.mood
    if "mood" not in graphs or bool(truth.isnan().any()):
        return {}
    head = graphs["mood"].module
    guesses = {"video": head(video), "music": head(music), "mean": truth.mean(dim=0, keepdim=True)}
    return {
        side: {
            axis: round(float(error), 4)
            for axis, error in zip(spec.MOOD_AXES, np.abs((guess - truth).numpy()).mean(axis=0), strict=True)
        }
        for side, guess in guesses.items()
    }
