"""Backbones by kind. ``video``: conformer, statistics, slowfast, dpvm; ``music``: conformer, statistics, low-level,
vggish, dpvm; on either side ``stored:COLUMN`` and ``onnx:FILE``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import RunError
from .backbone import Backbone
from .clips import MusicClipTower, VideoClipTower
from .fixed import LowLevel, Stored
from .foreign import Foreign
from .small import DpvmMusic, DpvmVideo, SlowFastVideo, VggishMusic

__all__ = ["Backbone", "build_backbone", "make_backbone"]

SCALES = ("small", "paper", "tiny")
KINDS: Mapping[tuple[str, str], Callable[[str], Backbone]] = {
    ("conformer", "video"): lambda scale: VideoClipTower("conformer", scale),
    ("statistics", "video"): lambda scale: VideoClipTower("statistics", scale),
    ("slowfast", "video"): SlowFastVideo,
    ("dpvm", "video"): DpvmVideo,
    ("conformer", "music"): lambda scale: MusicClipTower("conformer", scale),
    ("statistics", "music"): lambda scale: MusicClipTower("statistics", scale),
    ("low-level", "music"): lambda scale: LowLevel(),
    ("vggish", "music"): VggishMusic,
    ("dpvm", "music"): DpvmMusic,
}
STORED, ONNX = "stored:", "onnx:"


def make_backbone(kind: str, side: str, scale: str = "small", shape: tuple[int, ...] | None = None) -> Backbone:
    """Fresh weights. ``shape``: of a clip in the column of ``stored:COLUMN``. ``RunError`` for an unknown kind."""
    if kind.startswith(STORED):
        if shape is None:
            raise RunError(f"backbone {kind}: the corpus has no such column")
        return Stored(kind.removeprefix(STORED), side, shape)
    if kind.startswith(ONNX):
        return Foreign(Path(kind.removeprefix(ONNX)), side)
    if (kind, side) not in KINDS:
        known = ", ".join(name for name, of in KINDS if of == side)
        raise RunError(f"{side} has no backbone {kind!r}; there are {known}, stored:COLUMN and onnx:FILE")
    if scale not in SCALES:
        raise RunError(f"scale {scale!r} is unknown; choose one of {', '.join(SCALES)}")
    return KINDS[kind, side](scale)


def build_backbone(configuration: Mapping[str, Any]) -> Backbone:
    """A backbone as a run stores it, with fresh weights."""
    shape = configuration.get("shape")
    backbone = make_backbone(
        configuration["kind"], configuration["side"], configuration["scale"], tuple(shape) if shape else None
    )
    if isinstance(backbone, Foreign) and backbone.sha256 != configuration["sha256"]:
        raise RunError(f"backbone {backbone.file}: is another file than the run was trained on; put that one back")
    return backbone
