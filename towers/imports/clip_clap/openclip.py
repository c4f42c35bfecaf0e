"""OpenCLIP's weights, by OpenCLIP's names, as a ``CLIPModel`` of transformers.

The models that OpenCLIP publishes on the hub have the names of its own classes and an ``open_clip_config.json``. The
networks are the same; OpenCLIP stores query, key and value of an attention as one matrix and its projections
transposed, and uses GELU unless the configuration names the quick one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from ..errors import ImportedError

if TYPE_CHECKING:
    from transformers import CLIPModel

CONFIG: Final = "open_clip_config.json"
_CURE: Final = "it is another model's: fetch it again"
_PLAIN: Final = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
}
_TURNED: Final = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}
_LAYER: Final = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def read_config(folder: Path) -> dict[str, Any]:
    """``open_clip_config.json``: ``model_cfg`` and, if present, ``preprocess_cfg``."""
    path = folder / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        model = config["model_cfg"]
        vision, text = model["vision_cfg"], model["text_cfg"]
        for part, names in ((vision, ("image_size", "layers", "width", "patch_size")),
                            (text, ("context_length", "vocab_size", "width", "heads", "layers")),
                            (model, ("embed_dim",))):  # fmt: skip
            for name in names:
                if not isinstance(part[name], int):
                    raise TypeError(f"{name} is {part[name]!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImportedError(f"{path}: describes no OpenCLIP model with a ViT ({error!r}); {_CURE}") from error
    return config


def to_clip(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> "CLIPModel":
    """The model in eval mode, float32. ``ImportedError`` for a tensor that is missing, too many or misshapen."""
    from transformers import CLIPConfig, CLIPModel

    model = config["model_cfg"]
    vision, text = model["vision_cfg"], model["text_cfg"]
    act = "quick_gelu" if model.get("quick_gelu") else "gelu"
    last = text["vocab_size"] - 1
    network = CLIPModel(
        CLIPConfig(
            projection_dim=model["embed_dim"],
            vision_config={
                "hidden_size": vision["width"],
                "intermediate_size": int(vision["width"] * vision.get("mlp_ratio", 4.0)),
                "num_hidden_layers": vision["layers"],
                "num_attention_heads": vision["width"] // vision.get("head_width", 64),
                "image_size": vision["image_size"],
                "patch_size": vision["patch_size"],
                "hidden_act": act,
            },
            text_config={
                "hidden_size": text["width"],
                "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
                "num_hidden_layers": text["layers"],
                "num_attention_heads": text["heads"],
                "vocab_size": text["vocab_size"],
                "max_position_embeddings": text["context_length"],
                "hidden_act": act,
                "bos_token_id": last - 1,
                "eos_token_id": last,
                "pad_token_id": 0,
            },
        )
    )
    left = dict(weights)
    with torch.no_grad():
        for name, into in network.state_dict().items():
            into.copy_(_tensor(weights, left, name, into))
    if left:
        raise ImportedError(f"pictures: {len(left)} tensors are left over, {min(left)} among them; {_CURE}")
    return network.eval()


def _tensor(weights: Mapping[str, Tensor], left: dict[str, Tensor], name: str, into: Tensor) -> Tensor:
    theirs, part = _theirs(name)
    if theirs not in weights:
        raise ImportedError(f"pictures: there is no {theirs}; {_CURE}")
    tensor = weights[theirs]
    left.pop(theirs, None)
    if not tensor.is_floating_point():
        raise ImportedError(f"pictures: {theirs} is {tensor.dtype}, must be a float; {_CURE}")
    if part is not None and tensor.shape[0] == 3 * into.shape[0]:
        tensor = tensor.chunk(3)[part]
    if name in _TURNED:
        tensor = tensor.T
    if tensor.shape != into.shape:
        raise ImportedError(f"pictures: {theirs} is {tuple(tensor.shape)}, must be {tuple(into.shape)}; {_CURE}")
    return tensor.to(torch.float32)


def _theirs(name: str) -> tuple[str, int | None]:
    """Their name for ours, and which third of it: query, key, value."""
    if name in _PLAIN:
        return _PLAIN[name], None
    if name in _TURNED:
        return _TURNED[name], None
    tower, _, rest = name.partition(".encoder.layers.")
    at, _, rest = rest.partition(".")
    place = f"{'visual.' if tower == 'vision_model' else ''}transformer.resblocks.{at}."
    layer, _, kind = rest.rpartition(".")
    if layer in _LAYER:
        return f"{place}{_LAYER[layer]}.{kind}", None
    which = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj").index(layer)
    return f"{place}attn.in_proj_{kind}", which
