"""``segue evaluate``: how well a run retrieves, on a split of a corpus, both ways, against chance.

Two protocols: the dual encoder alone, which is what an index gives, and the same with its top 50 re-ordered by the
matcher (half its logit's rank order, half the first stage's: see ``SECOND_STAGE``).
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from features import spec

from .corpora.corpus import Split, open_corpus
from .embed import Clips, embed
from .errors import RunError
from .metrics import Retrieval, chance, ranks, reranked, summarise
from .run import load_run
from .train import CLIPS, thetas
from .ut_cmvmr import Score, UtCmvmr

SHORTLIST = 50


def evaluate(run_folder: Path, corpus_folder: Path, split_name: str, cache: Path | None) -> dict[str, Any]:
    """Flat rows, one per protocol and direction, with ``chance``; JSON throughout."""
    run = load_run(run_folder)
    corpus = open_corpus(corpus_folder)
    split = corpus.split(split_name)
    system = run.system
    if not isinstance(system, UtCmvmr):
        raise RunError(f"{run_folder} is a {system.name}, which evaluates by a command of its own")
    clips = embed(system, corpus, split, cache or run_folder / CLIPS)
    rows = []
    with torch.inference_mode():
        video, music = thetas(system, clips)
        similarity = (video @ music.T).numpy()
        for direction, matrix in (("v2m", similarity), ("m2v", similarity.T)):
            rows.append(row("dual", direction, summarise(ranks(matrix), len(matrix))))
            shortlist = np.argsort(-matrix, axis=1, kind="stable")[:, :SHORTLIST]
            scores = second_stage(system, clips, shortlist, direction == "v2m")
            rows.append(row("matcher", direction, summarise(reranked(matrix, scores, shortlist), len(matrix))))
        mood = mood_errors(system, video, music, split)
    rows += [row("chance", direction, chance(len(split))) for direction in ("v2m", "m2v")]
    return {
        "run": {name: run.training.get(name) for name in ("corpus", "seed", "commit", "preset", "setting")},
        "corpus": corpus.name,
        "split": split_name,
        "pairs": len(split),
        "shortlist": SHORTLIST,
        "rows": rows,
        "mood_mae": mood,
    }


def row(protocol: str, direction: str, measured: Retrieval) -> dict[str, Any]:
    return {
        "protocol": protocol,
        "direction": direction,
        **{f"r{k}": round(value, 2) for k, value in measured.recall.items()},
        "median_rank": measured.median_rank,
    }


def second_stage(
    system: UtCmvmr, clips: Clips, shortlist: npt.NDArray[np.integer], video_asks: bool
) -> npt.NDArray[np.float32]:
    """Matcher scores (n, k) of each query with its shortlist, through the graph that a bundle carries."""
    score = Score(system).eval()
    mask = torch.ones(shortlist.shape[1], spec.MAX_CLIPS, dtype=torch.bool)
    out = []
    for query, candidates in enumerate(shortlist):
        same = torch.full((len(candidates),), query)
        others = torch.from_numpy(candidates)
        v, m = (same, others) if video_asks else (others, same)
        out.append(score(clips.video[v], mask, clips.displacement[v], clips.music[m], mask, clips.rhythm[m]).numpy())
    return np.stack(out)


def mood_errors(system: UtCmvmr, video: torch.Tensor, music: torch.Tensor, split: Split) -> dict[str, dict[str, float]]:
    """Mean absolute error of the mood head by side and axis."""
    truth = torch.from_numpy(split.mood())
    sides = {"video": video, "music": music}
    errors = {side: (system.mood(theta) - truth).abs().mean(dim=0) for side, theta in sides.items()}
    return {
        side: {axis: round(float(value), 4) for axis, value in zip(spec.MOOD_AXES, error, strict=True)}
        for side, error in errors.items()
    }
