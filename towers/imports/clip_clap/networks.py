"""Reads both networks from their folders: modules that take our features, and text towers.

Only weights are read: safetensors, or a pickle of tensors only. Nothing in a folder is run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from ..errors import ImportedError
from .hub import missing
from .openclip import read_config, to_clip

if TYPE_CHECKING:
    from transformers import ClapModel, CLIPModel

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)  # of CLIP's pictures, where a configuration names none
DEVIATION: Final = (0.26862954, 0.26130258, 0.27577711)
CLAP_FRAMES: Final = 1001  # 10 s, one every 10 ms, and one more
COMPUTED: Final = ("position_ids", "token_type_ids", "relative_position_index", "num_batches_tracked")  # no weights
_CURE: Final = "it is another model's, or damaged: fetch it again"


class Pictures(nn.Module):
    """``scene`` (B, 90, 160, 3) uint8 -> (B, E) of unit length. The whole picture, squeezed into a square."""

    def __init__(self, clip: "CLIPModel", mean: Sequence[float] = MEAN, deviation: Sequence[float] = DEVIATION) -> None:
        super().__init__()
        self.vision, self.projection = clip.vision_model, clip.visual_projection
        self.size = int(clip.config.vision_config.image_size)
        self.register_buffer("mean", 255.0 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", 255.0 * torch.tensor(deviation).view(1, 3, 1, 1))

    def forward(self, scene: Tensor) -> Tensor:
        pictures = scene.to(torch.float32).permute(0, 3, 1, 2)
        size = (self.size, self.size)
        pictures = functional.interpolate(pictures, size=size, mode="bicubic", align_corners=False).clamp(0.0, 255.0)
        pictures = (pictures - self.get_buffer("mean")) / self.get_buffer("deviation")
        return functional.normalize(self.projection(self.vision(pixel_values=pictures).pooler_output), dim=1)


class Sound(nn.Module):
    """``clap_mel`` (B, 400, 64) float32 -> (B, E) of unit length. The clip twice, then silence up to 10 s: the
    publishers fill up shorter sounds in this way."""

    def __init__(self, clap: "ClapModel") -> None:
        super().__init__()
        self.audio, self.projection = clap.audio_model, clap.audio_projection

    def forward(self, clap_mel: Tensor) -> Tensor:
        rest = CLAP_FRAMES - 2 * spec.CLAP_MEL_SHAPE[0] - 1
        silence = torch.full_like(clap_mel[:, :rest], spec.CLAP_MEL_FLOOR_DB)
        whole = torch.cat([clap_mel, clap_mel, clap_mel[:, :1], silence], dim=1)
        pooled = self.audio(input_features=whole.unsqueeze(1), is_longer=None).pooler_output
        return functional.normalize(self.projection(pooled), dim=1)


@dataclass(frozen=True)
class Tower:
    """``network``: the module above; ``texts``: the vectors of phrases, (n, E) of unit length."""

    network: nn.Module
    model: Any
    tokenizer: Any
    length: int

    def texts(self, phrases: Sequence[str]) -> Tensor:
        """(n, E) float32 of unit length. ``ImportedError`` for a tokenizer or phrases that do not fit the tower."""
        rows = [list(encoding.ids) or [-1] for encoding in self.tokenizer.encode_batch(list(phrases))]
        longest = max(len(row) for row in rows)
        if longest > self.length:
            raise ImportedError(f"vocabulary: a phrase has {longest} tokens, the text tower takes {self.length}")
        end = self.model.config.text_config.eos_token_id
        if any(row[-1] != end for row in rows):
            raise ImportedError(f"tokenizer: ends a text with {rows[0][-1]}, the text tower looks for {end}; {_CURE}")
        pad = int(self.model.config.text_config.pad_token_id or 0)
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        with torch.inference_mode():
            pooled = self.model.text_model(input_ids=ids, attention_mask=mask).pooler_output
            return functional.normalize(self.model.text_projection(pooled), dim=1).clone()


def read_pictures(folder: Path) -> Tower:
    """``ImportedError`` for a folder that does not hold an OpenCLIP model with a ViT."""
    import safetensors.torch

    config = read_config(folder)
    path = folder / "open_clip_model.safetensors"
    try:
        weights = safetensors.torch.load_file(path)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise ImportedError(f"{path}: holds no weights ({error}); {_CURE}") from error
    try:
        clip = to_clip(weights, config)
    except ImportError as error:
        raise missing(error) from error
    preprocess = config.get("preprocess_cfg", {})
    mean, deviation = preprocess.get("mean") or MEAN, preprocess.get("std") or DEVIATION
    length = int(config["model_cfg"]["text_cfg"]["context_length"])
    return Tower(Pictures(clip, mean, deviation).eval(), clip, _tokenizer(folder), length)


def read_sound(folder: Path) -> Tower:
    """``ImportedError`` for a folder that does not hold a CLAP model as transformers saves it."""
    try:
        from transformers import ClapConfig, ClapModel
        from transformers.utils import logging
    except ImportError as error:
        raise missing(error) from error
    logging.disable_progress_bar()
    try:
        config = ClapConfig.from_pretrained(folder, local_files_only=True)
        clap, info = ClapModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # a wrong file may fail in any of its readers
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ImportedError(f"{folder}: holds no CLAP model ({reason}); {_CURE}") from error
    missed = (name for name in map(str, info["missing_keys"]) if not name.endswith(COMPUTED))
    wrong = sorted({*missed, *map(str, info["mismatched_keys"])})
    if wrong:
        raise ImportedError(f"{folder}: {len(wrong)} tensors are missing or misshapen, {wrong[0]} among them; {_CURE}")
    audio = clap.config.audio_config
    if audio.enable_fusion or audio.num_mel_bins != spec.CLAP_MEL_SHAPE[1]:
        raise ImportedError(f"{folder}: takes other spectrograms than this program makes; {_CURE}")
    length = int(clap.config.text_config.max_position_embeddings) - 2
    return Tower(Sound(clap.eval()).eval(), clap.eval(), _tokenizer(folder), length)


def _tokenizer(folder: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing(error) from error
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # its errors are plain ones
        raise ImportedError(f"{path}: is no tokenizer ({error}); {_CURE}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
