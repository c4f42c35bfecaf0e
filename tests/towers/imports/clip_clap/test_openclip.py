"""OpenCLIP's weights under transformers' names: against the network written out by hand, as OpenCLIP defines it."""

import json
from pathlib import Path

import numpy as np
import pytest
import small_clip_clap
import torch
from torch import Tensor
from torch.nn import functional

from towers.imports.clip_clap.openclip import read_config, to_clip
from towers.imports.errors import ImportedError

VOCAB, WIDTH = 40, small_clip_clap.WIDTH


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    small_clip_clap.needed()


def config(**more: object) -> dict[str, object]:
    text = {**small_clip_clap.MODEL_CFG["text_cfg"], "vocab_size": VOCAB}  # type: ignore[dict-item]
    return {"model_cfg": {**small_clip_clap.MODEL_CFG, "text_cfg": text, **more}}


def block(weights: dict[str, Tensor], at: str, x: Tensor, heads: int, quick: bool, mask: Tensor | None) -> Tensor:
    """(length, batch, width): attention and a perceptron, each behind a norm and beside a way past it."""

    def norm(name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (WIDTH,), weights[f"{at}{name}.weight"], weights[f"{at}{name}.bias"])

    def linear(name: str, x: Tensor) -> Tensor:
        return functional.linear(x, weights[f"{at}{name}.weight"], weights[f"{at}{name}.bias"])

    n = norm("ln_1", x)
    attended, _ = functional.multi_head_attention_forward(
        n, n, n, WIDTH, heads, weights[f"{at}attn.in_proj_weight"], weights[f"{at}attn.in_proj_bias"], None, None,
        False, 0.0, weights[f"{at}attn.out_proj.weight"], weights[f"{at}attn.out_proj.bias"], attn_mask=mask,
    )  # fmt: skip
    x = x + attended
    hidden = linear("mlp.c_fc", norm("ln_2", x))
    hidden = hidden * torch.sigmoid(1.702 * hidden) if quick else functional.gelu(hidden)
    return x + linear("mlp.c_proj", hidden)


def end_norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return functional.layer_norm(x, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"])


@pytest.mark.parametrize("quick", [False, True])
def test_both_towers_say_what_the_network_by_hand_says(quick: bool) -> None:
    weights = small_clip_clap.openclip_weights(VOCAB)
    clip = to_clip(weights, config(quick_gelu=quick))
    rng = torch.Generator().manual_seed(1)
    pictures = torch.randn(3, 3, small_clip_clap.SIZE, small_clip_clap.SIZE, generator=rng)
    patches = functional.conv2d(pictures, weights["visual.conv1.weight"], stride=small_clip_clap.PATCH).flatten(2)
    begin = weights["visual.class_embedding"].expand(3, 1, WIDTH)
    x = torch.cat([begin, patches.transpose(1, 2)], dim=1) + weights["visual.positional_embedding"]
    x = end_norm(weights, "visual.ln_pre", x).transpose(0, 1)
    x = block(weights, "visual.transformer.resblocks.0.", x, WIDTH // 64, quick, None)
    expected = end_norm(weights, "visual.ln_post", x[0]) @ weights["visual.proj"]
    with torch.inference_mode():
        found = clip.visual_projection(clip.vision_model(pixel_values=pictures).pooler_output)
    np.testing.assert_allclose(found, expected, atol=1e-4)

    ids = torch.tensor([[38, 5, 6, 7, 39], [38, 9, 39, 0, 0]])
    x = (weights["token_embedding.weight"][ids] + weights["positional_embedding"][:5]).transpose(0, 1)
    causal = torch.full((5, 5), float("-inf")).triu(1)
    x = end_norm(weights, "ln_final", block(weights, "transformer.resblocks.0.", x, 2, quick, causal))
    expected = x[[4, 2], [0, 1]] @ weights["text_projection"]  # where each text ends
    with torch.inference_mode():
        found = clip.text_projection(clip.text_model(input_ids=ids).pooler_output)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"model_cfg": {"embed_dim": 512, "vision_cfg": "RN50", "text_cfg": {}}}']
)
def test_a_configuration_of_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "open_clip_config.json").write_text(text)
    with pytest.raises(ImportedError, match="describes no OpenCLIP model with a ViT"):
        read_config(tmp_path)
    convolutional = config(vision_cfg={"image_size": 224, "layers": [3, 4, 6, 3], "width": 64, "patch_size": None})
    (tmp_path / "open_clip_config.json").write_text(json.dumps(convolutional))
    with pytest.raises(ImportedError, match=r"layers is \[3, 4, 6, 3\]"):
        read_config(tmp_path)
