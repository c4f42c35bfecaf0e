"""Models of the classes that ``clip-clap`` imports, small and with drawn weights, in folders as the hub has them."""

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PATCH, SIZE, WIDTH, EMBED = 32, 64, 64, 16
MODEL_CFG = {
    "embed_dim": EMBED,
    "vision_cfg": {"image_size": SIZE, "layers": 1, "width": WIDTH, "patch_size": PATCH},
    "text_cfg": {"context_length": 24, "vocab_size": 0, "width": WIDTH, "heads": 2, "layers": 1},
}


def needed() -> None:
    """Skip where transformers is not installed; where everything is tested it must be."""
    if not os.environ.get("CI"):
        pytest.importorskip("transformers", reason='needs transformers: pip install -e ".[clip-clap]"')


def words() -> list[str]:
    from towers.imports.clip_clap.vocabulary import PICTURE_TEMPLATES, SOUND_TEMPLATES, TAGS

    phrases = [*PICTURE_TEMPLATES, *SOUND_TEMPLATES, *(tag.picture for tag in TAGS), *(tag.sound for tag in TAGS)]
    return sorted({word for phrase in phrases for word in re.findall(r"\w+|[^\w\s]", phrase)})


def write_tokenizer(path: Path, first: list[str], last: list[str], begin: str, end: str) -> int:
    """A word a token, with marks at both ends; how many tokens there are."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    names = [*first, *words(), *last]
    tokens = {name: at for at, name in enumerate(names)}
    tokenizer = Tokenizer(WordLevel(tokens, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    marks = [(begin, tokens[begin]), (end, tokens[end])]
    tokenizer.post_processor = TemplateProcessing(single=f"{begin} $A {end}", special_tokens=marks)
    tokenizer.save(str(path))
    return len(names)


def openclip_weights(vocab: int, seed: int = 0) -> dict[str, Any]:
    """Drawn, under OpenCLIP's own names."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "positional_embedding": (24, WIDTH),
        "text_projection": (WIDTH, EMBED),
        "logit_scale": (),
        "token_embedding.weight": (vocab, WIDTH),
        "ln_final.weight": (WIDTH,),
        "ln_final.bias": (WIDTH,),
        "visual.class_embedding": (WIDTH,),
        "visual.positional_embedding": ((SIZE // PATCH) ** 2 + 1, WIDTH),
        "visual.proj": (WIDTH, EMBED),
        "visual.conv1.weight": (WIDTH, 3, PATCH, PATCH),
    }
    for norm in ("ln_pre", "ln_post"):
        shapes |= {f"visual.{norm}.{part}": (WIDTH,) for part in ("weight", "bias")}
    for tower in ("", "visual."):
        at = f"{tower}transformer.resblocks.0."
        shapes |= {
            f"{at}attn.in_proj_weight": (3 * WIDTH, WIDTH),
            f"{at}attn.in_proj_bias": (3 * WIDTH,),
            f"{at}attn.out_proj.weight": (WIDTH, WIDTH),
            f"{at}attn.out_proj.bias": (WIDTH,),
            f"{at}mlp.c_fc.weight": (4 * WIDTH, WIDTH),
            f"{at}mlp.c_fc.bias": (4 * WIDTH,),
            f"{at}mlp.c_proj.weight": (WIDTH, 4 * WIDTH),
            f"{at}mlp.c_proj.bias": (WIDTH,),
        }
        shapes |= {f"{at}{norm}.{part}": (WIDTH,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
    scale = {"conv1": 0.02, "token_embedding": 1.0}
    return {
        name: torch.randn(shape, generator=generator)
        * next((size for part, size in scale.items() if part in name), 0.15)
        + (1.0 if re.search(r"ln_\w+\.weight", name) else 0.0)
        for name, shape in shapes.items()
    }


def write_pictures(folder: Path, seed: int = 0) -> Path:
    """A folder as that of OpenCLIP's model."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    vocab = write_tokenizer(folder / "tokenizer.json", ["!", "?"], ["<start>", "<end>"], "<start>", "<end>")
    text = {**MODEL_CFG["text_cfg"], "vocab_size": vocab}  # type: ignore[dict-item]
    config = {"model_cfg": {**MODEL_CFG, "text_cfg": text}, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(openclip_weights(vocab, seed), folder / "open_clip_model.safetensors")
    return folder


def write_sound(folder: Path, seed: int = 0) -> Path:
    """A folder as that of CLAP's model: what transformers saves, its weights as the hub's pickle of tensors."""
    import torch
    from transformers import ClapConfig, ClapModel

    folder.mkdir(parents=True)
    vocab = write_tokenizer(folder / "tokenizer.json", ["<s>", "<pad>", "</s>", "?"], [], "<s>", "</s>")
    torch.manual_seed(seed)
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
            "vocab_size": vocab, "max_position_embeddings": 30}  # fmt: skip
    audio = {"hidden_size": 8, "depths": [2, 1], "num_attention_heads": [1, 2],
             "patch_embeds_hidden_size": 4}  # fmt: skip
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=EMBED, initializer_factor=8.0)
    network = ClapModel(config)
    with torch.no_grad():  # drawn weights that hear what is between the marks
        for name, weight in network.text_model.named_parameters():
            if "attention" in name and name.endswith("weight") and "LayerNorm" not in name:
                weight *= 3.0
    network.audio_model.audio_encoder.batch_norm.running_mean.fill_(-40.0)
    network.audio_model.audio_encoder.batch_norm.running_var.fill_(400.0)
    network.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def small_models(folder: Path, seed: int = 0) -> tuple[Any, Any]:
    """Both, as the program would know them: their own sizes and sums."""
    from towers.imports.clip_clap.sources import PICTURES, SOUND

    write_pictures(folder / PICTURES.folder, seed)
    write_sound(folder / SOUND.folder, seed)
    found = []
    for model in (PICTURES, SOUND):
        files = [(file, (folder / model.folder / file.name).read_bytes()) for file in model.files]
        known = tuple(
            replace(file, size=len(data), sha256=hashlib.sha256(data).hexdigest() if file.sha256 else "")
            for file, data in files
        )
        found.append(replace(model, files=known))
    return found[0], found[1]


def film(path: Path, seconds: int, seed: int = 0, sound: bool = False) -> Path:
    """A video of drawn, slowly changing pictures, 4 a second; with a drawn sound beside it."""
    import av

    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        heard = container.add_stream("aac", rate=16_000) if sound else None
        for _ in range(seconds):
            picture = np.kron(rng.integers(0, 256, (9, 16, 3), np.uint8), np.ones((10, 10, 1), np.uint8))
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        if heard is not None:
            t = np.arange(seconds * 16_000) / 16_000
            tone = sum(np.sin(2 * np.pi * pitch * t) for pitch in rng.uniform(100, 3000, 3))
            wave = (0.1 * tone * (1 + np.sin(rng.uniform(1, 9) * t))).astype(np.float32)
            for start in range(0, len(wave), 1024):
                frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16_000, start
                container.mux(heard.encode(frame))
            container.mux(heard.encode())
    return path
