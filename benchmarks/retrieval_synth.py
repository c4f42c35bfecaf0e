"""``segue bench retrieval --corpus synth``: every system on the same task, every figure with its interval.

Systems use backbones that were trained once on the corpus's tags, as the papers use extractors that others trained;
``PLAN`` names them. Between seeds only the system differs: its first weights and the order of its batches. Early
stopping uses the validation split, never the test split. Ranks of each entrant are stored in the work folder, so a
broken run continues where it stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from towers.backbone_cache import backbone_for
from towers.batch import Batch
from towers.corpora.corpus import Corpus
from towers.fit import FitOptions, fit_system
from towers.intervals import bootstrap, median_rank, recall_at
from towers.material import Material, gather
from towers.metrics import chance, ranks
from towers.recipes import pretraining_of, recipe_of
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
Say = Callable[[str], None]


@dataclass(frozen=True)
class Entrant:
    """One line of the table: the system and setting, and the kinds of its backbones."""

    system: str
    setting: str
    video: str = "conformer"
    music: str = "conformer"
    own: bool = True  # the backbones of the system's recipe; else the label names them

    @property
    def label(self) -> str:
        return f"{self.system}/{self.setting}" + ("" if self.own else f"@{self.music}")


DPVM: Final = ("content", "content+ppml", "emotion", "emotion+ppml", "sp", "sp+ppml", "in", "in+ppml")
SEGUE: Final = ("full", "no-rhythm", "no-colour", "no-emotion", "no-structure", "no-course", "clips")
SAME: Final = (  # rows on the same pair of backbones, to tell systems from backbones
    ("linear", "cca"),
    ("cmvae", "full"),
    ("two-branch", "b-content"),
    ("vmnet", "inter-intra"),
    ("ut-cmvmr", "se-r"),
    ("emomv", "retrieval"),
)
PLAN: Final = (
    *(Entrant("linear", setting) for setting in ("pca", "pls-svd", "pls-ca", "cca")),
    Entrant("cmvae", "full"),
    *(Entrant("two-branch", setting) for setting in ("b-content", "b-emotion", "emomv-baseline")),
    *(
        Entrant("vmnet", setting, music="low-level")
        for setting in ("inter", "inter-intra", "one-directional", "linear", "dann")
    ),
    Entrant("ut-cmvmr", "ae", "statistics", "statistics"),
    *(Entrant("ut-cmvmr", setting) for setting in ("a-se", "se", "se-r")),
    *(Entrant("dpvm", setting, "dpvm", "dpvm") for setting in DPVM),
    *(Entrant("emomv", setting, "slowfast", "vggish") for setting in ("retrieval", "retrieval-single")),
    *(Entrant("segue", setting, "dpvm", "dpvm") for setting in SEGUE),
    Entrant("segue", "full", own=False),
    *(Entrant(system, setting, "dpvm", "dpvm", own=False) for system, setting in SAME),
)


@dataclass(frozen=True)
class Bench:
    """``work`` holds backbones, clip vectors and ranks; ``seeds`` are of the systems, ``backbone_seed`` of the
    backbones."""

    corpus: Corpus
    work: Path
    seeds: tuple[int, ...]
    backbone_seed: int = 0
    backbone_epochs: int | None = None  # instead of the recipes'
    fit: FitOptions | None = None  # instead of the systems' own recipes

    def material(self, video: str, music: str, say: Say) -> Material:
        """Every split on one pair of backbones."""
        train, val = self.corpus.split("train"), self.corpus.split("val")
        shelf = self.work / "backbones"

        def report(stage: str, figures: Mapping[str, float]) -> None:
            say(f"{stage} " + " ".join(f"{name} {value:.4g}" for name, value in figures.items()))

        video_backbone, music_backbone = (
            backbone_for(
                self.corpus,
                train,
                val,
                side,
                kind,
                "small",
                pretraining_of(kind, self.backbone_epochs),
                self.backbone_seed,
                shelf,
                report,
            )[0]
            for side, kind in (("video", video), ("music", music))
        )
        return gather(self.corpus, video_backbone, music_backbone, ("train", "val", "test"), self.work / "clips")


def measure(bench: Bench, plan: Sequence[Entrant], say: Say) -> Table:
    """Every entrant of ``plan``, in order; ranks already in ``work`` are read."""
    table: Table = {}
    materials: dict[tuple[str, str], Material] = {}
    (bench.work / "ranks").mkdir(parents=True, exist_ok=True)
    for entrant in plan:
        path = bench.work / "ranks" / f"{entrant.label.replace('/', '-')}.npz"
        settings = key_of(bench, entrant)
        entry = load_ranks(path, settings)
        if entry is None:
            kinds = (entrant.video, entrant.music)
            if kinds not in materials:
                materials[kinds] = bench.material(*kinds, say)
            entry = run(entrant, materials[kinds], bench, say)
            save_ranks(entry, path, settings)
        table |= entry
    return table


def key_of(bench: Bench, entrant: Entrant) -> str:
    """Everything that ranks depend on, as text; stored beside them."""
    options = bench.fit or recipe_of(entrant.system).fit
    parts = (bench.corpus.identity, bench.seeds, bench.backbone_seed, bench.backbone_epochs, asdict(options))
    return repr((asdict(entrant), *parts))


def run(entrant: Entrant, material: Material, bench: Bench, say: Say) -> Table:
    """Train and test one entrant with every seed; a second stage, if it has one, gets its own line."""
    ranks_of: dict[Way, list[npt.NDArray[np.int64]]] = {}
    options = bench.fit or recipe_of(entrant.system).fit
    for seed in bench.seeds:
        torch.manual_seed(seed)
        system = make(entrant.system, entrant.setting, material.sizes)
        figures = fit_system(system, material.splits["train"], material.splits["val"], options, seed)
        for (protocol, direction), rank in test(system, material.splits["test"]).items():
            label = entrant.label if protocol == "dual" else f"{entrant.label} + {protocol}"
            ranks_of.setdefault((label, direction), []).append(rank)
        short = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name.startswith(("epoch", "val")))
        say(f"{entrant.label} seed {seed}: {short}")
    return {way: np.stack(of_seeds) for way, of_seeds in ranks_of.items()}


@torch.inference_mode()
def test(system: System, gallery: Batch) -> Table:
    """Ranks (queries,) by (dual or matcher, direction)."""
    system.module().eval()
    similarity = (system.video(gallery.video) @ system.music(gallery.music).T).numpy()
    out = {("dual", "v2m"): ranks(similarity), ("dual", "m2v"): ranks(similarity.T)}
    if isinstance(system, Reranking) and system.reranks:
        for direction in ("v2m", "m2v"):
            out["matcher", direction] = reranked_ranks(system, gallery, similarity, direction)
    return out


def rows(table: Table, seeds: Sequence[int]) -> list[Row]:
    """A row per seed, and one without a seed: the mean over seeds with its interval and, if there is one, the
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
            for seed, of_seed in zip(seeds, of_seeds, strict=True):
                value = float(measure(of_seed.astype(np.float64)))
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


def save_ranks(table: Table, path: Path, key: str) -> None:
    arrays: dict[str, Any] = {f"{system}|{direction}": of_seeds for (system, direction), of_seeds in table.items()}
    pending = path.with_suffix(".part.npz")
    np.savez_compressed(pending, key=np.array(key), **arrays)
    pending.replace(path)


def load_ranks(path: Path, key: str) -> Table | None:
    """None if there are none, or if they have another key."""
    if not path.is_file():
        return None
    with np.load(path) as stored:
        if str(stored["key"]) != key:
            return None
        ways = [tuple(name.split("|")) for name in stored.files if name != "key"]
        return {(system, direction): stored[f"{system}|{direction}"] for system, direction in ways}
