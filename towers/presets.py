"""Sizes of UT-CMVMR. ``small`` is what one CPU core carries live; ``paper`` is the paper's; ``tiny`` is for tests."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from .backbones.conformer import ConformerSize
from .errors import RunError

SETTINGS = ("se-r", "se", "a-se", "ae")


@dataclass(frozen=True)
class Preset:
    """Clip towers and sequence stage. ``flow_bins`` and the others are codes of the quantised inputs; ``course_width``
    numbers of each clip enter rho by their place in the window."""

    name: str
    video: ConformerSize
    music: ConformerSize
    clip_dim: int
    sequence_width: int
    sequence_layers: int
    sequence_heads: int
    sequence_dropout: float
    course_width: int
    embedding_dim: int
    flow_bins: int
    rhythm_bins: int


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="small",
            video=ConformerSize(width=96, blocks=3, heads=4, kernel=15, expansion=3, channels=16, dropout=0.1),
            music=ConformerSize(width=96, blocks=2, heads=4, kernel=15, expansion=3, channels=16, dropout=0.1),
            clip_dim=128,
            sequence_width=128,
            sequence_layers=2,
            sequence_heads=4,
            sequence_dropout=0.1,
            course_width=16,
            embedding_dim=128,
            flow_bins=24,
            rhythm_bins=24,
        ),
        Preset(
            name="paper",
            video=ConformerSize(width=512, blocks=6, heads=8, kernel=31, expansion=4, channels=512, dropout=0.1),
            music=ConformerSize(width=512, blocks=2, heads=8, kernel=31, expansion=4, channels=512, dropout=0.1),
            clip_dim=512,
            sequence_width=768,
            sequence_layers=2,
            sequence_heads=8,
            sequence_dropout=0.1,
            course_width=64,
            embedding_dim=256,
            flow_bins=65,
            rhythm_bins=65,
        ),
        Preset(
            name="tiny",
            video=ConformerSize(width=16, blocks=1, heads=2, kernel=7, expansion=2, channels=4, dropout=0.0),
            music=ConformerSize(width=16, blocks=1, heads=2, kernel=7, expansion=2, channels=4, dropout=0.0),
            clip_dim=16,
            sequence_width=16,
            sequence_layers=1,
            sequence_heads=2,
            sequence_dropout=0.0,
            course_width=2,
            embedding_dim=8,
            flow_bins=6,
            rhythm_bins=6,
        ),
    )
}


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network: a preset, a setting, and the edges that the training corpus gave."""

    preset: Preset
    setting: str
    flow_edges: tuple[float, ...]
    rhythm_edges: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if self.setting not in SETTINGS:
            raise RunError(f"setting {self.setting!r} is unknown; choose one of {', '.join(SETTINGS)}")

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        preset = dict(stored["preset"])
        for side in ("video", "music"):
            preset[side] = ConformerSize(**preset[side])
        return cls(
            preset=Preset(**preset),
            setting=str(stored["setting"]),
            flow_edges=tuple(map(float, stored["flow_edges"])),
            rhythm_edges=tuple(tuple(map(float, field)) for field in stored["rhythm_edges"]),
        )
