"""What an import adds to a bundle: six modules, and the names of their numbers.

Each import is one module of this folder that makes such a part, and one row in ``export/imports.py``. A clip's vector
is ours with ``words`` of theirs behind it, a window's embedding is ours with their ``place`` behind it;
``export/imported.py`` joins them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from torch import nn

LOGITS: Final = 2.7  # on real pairs our matcher's logits deviate by .64 over the tracks, cosines of lite's by .24


class Imported(Protocol):
    """Modules in eval mode, ``B`` rows each; clips are ``spec.MAX_CLIPS`` with a mask of the valid ones.

    ``video_clip``, ``music_clip``: the features of their side, in the order named, (B, *shape) -> words (B, W) float32.
    ``video_place``, ``music_place``: words of a window (B, 7, W) and mask (B, 7) bool -> (B, P) of unit length, P the
    same for both; their dot product is the match. ``match``: video's words and mask, music's words and mask -> (B,), a
    cosine or a similar number: ``LOGITS`` times as much is a logit. ``mood``: a place of either side, of any length,
    (B, P) -> (B, 3) in [0, 1]. ``facts``: facts about words and place for the bundle's record, ready for JSON.
    """

    @property
    def name(self) -> str: ...
    @property
    def video_features(self) -> tuple[str, ...]: ...
    @property
    def music_features(self) -> tuple[str, ...]: ...
    @property
    def video_clip(self) -> nn.Module: ...
    @property
    def music_clip(self) -> nn.Module: ...
    @property
    def video_place(self) -> nn.Module: ...
    @property
    def music_place(self) -> nn.Module: ...
    @property
    def match(self) -> nn.Module: ...
    @property
    def mood(self) -> nn.Module: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Modules:
    """The six modules of an import, in eval mode; an import's own class adds names and facts."""

    video_clip: nn.Module
    music_clip: nn.Module
    video_place: nn.Module
    music_place: nn.Module
    match: nn.Module
    mood: nn.Module
