"""The defaults for training a system: its setting, its backbones, its epochs.

Where a paper uses a public extractor, the conformers take its place, trained on the corpus's own tags. VM-NET takes its
own low-level audio, DPVM small backbones of its own, EmoMV small networks in the shape of its own. Ours uses DPVM's:
they see colour and motion, cost less than half of a conformer, and are better in validation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .errors import RunError
from .fit import FitOptions
from .pretrain import PretrainOptions


@dataclass(frozen=True)
class Recipe:
    """``setting`` is the system's best; ``video`` and ``music`` are kinds of backbones."""

    system: str
    setting: str
    video: str = "conformer"
    music: str = "conformer"
    fit: FitOptions = field(default_factory=FitOptions)


RECIPES: Final[Mapping[str, Recipe]] = {
    recipe.system: recipe
    for recipe in (
        Recipe("segue", "full", video="dpvm", music="dpvm", fit=FitOptions(epochs=24, patience=24)),
        Recipe("ut-cmvmr", "se-r", fit=FitOptions(epochs=30, patience=10, rate=7e-4, noise=0.2)),
        Recipe("vmnet", "inter-intra", music="low-level", fit=FitOptions(epochs=40, patience=12, rate=3e-4)),
        Recipe("dpvm", "in+ppml", video="dpvm", music="dpvm", fit=FitOptions(epochs=40, patience=12)),
        Recipe("emomv", "retrieval", video="slowfast", music="vggish", fit=FitOptions(epochs=40, patience=12)),
        Recipe("cmvae", "full", fit=FitOptions(epochs=40, patience=12)),
        Recipe("two-branch", "b-content", fit=FitOptions(epochs=40, patience=12)),
        Recipe("linear", "cca"),
    )
}


# Epochs of a backbone, by kind; the small ones need fewer.
BACKBONE_EPOCHS: Final[Mapping[str, int]] = {"conformer": 16, "dpvm": 10, "slowfast": 8, "vggish": 8}


def pretraining_of(kind: str, epochs: int | None = None) -> PretrainOptions:
    """How a backbone of that kind is trained; ``epochs`` instead of its own."""
    options = PretrainOptions()
    return replace(options, epochs=epochs or BACKBONE_EPOCHS.get(kind, options.epochs))


def recipe_of(system: str) -> Recipe:
    if system not in RECIPES:
        raise RunError(f"system {system!r} is unknown here; known are {', '.join(RECIPES)}")
    return RECIPES[system]
