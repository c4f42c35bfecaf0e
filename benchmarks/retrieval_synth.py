"""``segue bench retrieval --corpus synth``: every system on the same work, every figure with its interval.

All systems but two stand on the clip vectors of one pair of backbones, trained once on the corpus's tags, as the papers
stand on extractors that others trained. VM-NET hears its own 380 low-level numbers, DPVM has its own small backbones
(``dpvm`` rows; ``dpvm@conformer`` rows are its heads on the shared vectors). What differs between seeds is the system:
its first weights and the order of its batches. Early stopping looks at the validation split, never at the test split.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from towers.batch import Batch
from towers.fit import FitOptions, fit_system
from towers.intervals import bootstrap, median_rank, recall_at
from towers.material import Material
from towers.metrics import chance, ranks
from towers.rerank import reranked_ranks
from towers.system import Reranking, System, make

from .harness import Row
from .published import RETRIEVAL

MEASURES: Final = {
    "r1": recall_at(1),
    "r5": recall_at(5),
    "r10": recall_at(10),
    "r25": recall_at(25),
    "medr": median_rank,
}
UNITS: Final = {"medr": "rank"}
Way = tuple[str, str]  # system, direction
Table = dict[Way, npt.NDArray[np.int64]]  # -> (seeds, queries)


@dataclass(frozen=True)
class Entrant:
    """One line of the table: ``label`` in it, the system and setting, and which backbones it stands on."""

    label: str
    system: str
    setting: str
    backbones: str


def entrants(settings: Mapping[str, Sequence[str]], backbones: Mapping[str, Sequence[str]]) -> list[Entrant]:
    """``settings``: system -> its settings; ``backbones``: system -> the kinds that it is shown on, its own first."""
    out = []
    for system, names in settings.items():
        for place, kind in enumerate(backbones.get(system, ("conformer",))):
            for setting in names:
                label = system if len(names) == 1 else f"{system}/{setting}"
                out.append(Entrant(label if place == 0 else f"{label}@{kind}", system, setting, kind))
    return out


def run(
    entrant: Entrant, material: Material, seeds: Sequence[int], options: FitOptions, report: Callable[[str], None]
) -> Table:
    """Train and test one entrant; a second stage, where it has one, gives a line of its own."""
    found: dict[Way, list[npt.NDArray[np.int64]]] = {}
    for seed in seeds:
        torch.manual_seed(seed)
        system = make(entrant.system, entrant.setting, material.sizes)
        figures = fit_system(system, material.splits["train"], material.splits["val"], options, seed)
        for (protocol, direction), rank in test(system, material.splits["test"]).items():
            label = entrant.label if protocol == "dual" else f"{entrant.label} + {protocol}"
            found.setdefault((label, direction), []).append(rank)
        short = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name.startswith("val"))
        report(f"{entrant.label} seed {seed}: {short}")
    return {way: np.stack(of_seeds) for way, of_seeds in found.items()}


@torch.inference_mode()
def test(system: System, gallery: Batch) -> Table:
    """Ranks (queries,) by (dual or matcher, direction)."""
    system.module().eval()
    similarity = (system.video(gallery.video) @ system.music(gallery.music).T).numpy()
    out = {("dual", "v2m"): ranks(similarity), ("dual", "m2v"): ranks(similarity.T)}
    if isinstance(system, Reranking):
        for direction in ("v2m", "m2v"):
            out["matcher", direction] = reranked_ranks(system, gallery, similarity, direction)
    return out


def rows(table: Table, seeds: Sequence[int]) -> list[Row]:
    """A row per seed, and one without a seed: the mean over seeds with its interval and, where there is one, the
    paper's figure."""
    out = []
    for (system, direction), of_seeds in table.items():
        for metric, measure in MEASURES.items():
            unit = UNITS.get(metric, "percent")
            labels: dict[str, str | int | float] = {
                "corpus": "synth",
                "system": system,
                "direction": direction,
                "protocol": "honest",
            }
            for seed, one in zip(seeds, of_seeds, strict=True):
                value = float(measure(one.astype(np.float64)))
                out.append(Row(metric, value, of_seeds.shape[1], unit, {**labels, "seed": seed}))
            interval = bootstrap(of_seeds, measure)
            whole = {**labels, "seeds": len(seeds), "low": round(interval.low, 3), "high": round(interval.high, 3)}
            published = RETRIEVAL.get((system, direction), {}).get(metric)
            if published is not None:
                whole["published"] = published
            out.append(Row(metric, interval.value, of_seeds.shape[1], unit, whole))
    return out


def chance_rows(candidates: int) -> list[Row]:
    """What a random order gives."""
    expected = chance(candidates)
    values = {**{f"r{k}": value for k, value in expected.recall.items()}, "medr": expected.median_rank}
    return [
        Row(
            metric,
            value,
            candidates,
            UNITS.get(metric, "percent"),
            {"corpus": "synth", "system": "chance", "direction": direction, "protocol": "honest"},
        )
        for direction in ("v2m", "m2v")
        for metric, value in values.items()
    ]


def save_ranks(table: Table, path: Path) -> None:
    """So that intervals and orderings can be computed again without training."""
    arrays: dict[str, Any] = {f"{system}|{direction}": found for (system, direction), found in table.items()}
    np.savez_compressed(path, **arrays)


def load_ranks(path: Path) -> Table:
    with np.load(path) as stored:
        return {(name.split("|")[0], name.split("|")[1]): stored[name] for name in stored.files}
