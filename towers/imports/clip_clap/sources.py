"""The models, their revisions, and the known facts about their files.

The sound model is LAION's general one, not its music one. Several people report independently, with several versions of
transformers, that the text tower of the published ``laion/larger_clap_music`` gives nearly the same vector for every
text (cosines of .999 between unrelated texts; MTEB's issue 5069) and that its sound vectors lie close together: its
tags would be noise. ``tagging`` refuses such weights.
"""

from typing import Final

from .hub import HubFile, HubModel

PICTURES: Final = HubModel(
    repo="laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K",
    revision="4afec35ffe57a943d569ff7ee888061830164da8",
    licence="MIT",
    licence_url="https://github.com/mlfoundations/open_clip/blob/main/LICENSE",
    holds="OpenCLIP ViT-B/32 at 256x256, trained on DataComp-1B: pictures and texts in one space",
    files=(
        HubFile("open_clip_config.json", 469),
        HubFile("tokenizer.json", 2_220_000),
        HubFile(
            "open_clip_model.safetensors",
            605_189_364,
            "92c26d60d3200ed5ed040dff31a8d19f8140648da8007216c25744c478deef27",
        ),
    ),
    weights="open_clip_model.safetensors",
)
SOUND: Final = HubModel(
    repo="laion/larger_clap_general",
    revision="ada0c23a36c4e8582805bb38fec3905903f18b41",
    licence="Apache-2.0",
    licence_url="https://www.apache.org/licenses/LICENSE-2.0.txt",
    holds="LAION CLAP (HTSAT-base, RoBERTa), trained on general sound, music and speech: sound and texts in one space",
    files=(
        HubFile("config.json", 643, "6268f76a067e3104bf9001e97d7dcc0fcfb16f3086cfb478ee72d95900d7fc1d"),
        HubFile("tokenizer.json", 2_110_000),
        HubFile(
            "pytorch_model.bin",
            776_444_665,
            "314eb00cce6ad68d25237b8446b659ccdb136ed4672c1bca470f142f72455026",
        ),
    ),
    weights="pytorch_model.bin",
)
MODELS: Final = (PICTURES, SOUND)


def summary() -> str:
    return "\n".join(model.about() for model in MODELS)


def licences() -> str:
    """The text that goes with every copy of the weights. Neither model contains its licence's text; both name one."""
    return "".join(
        f"{model.repo} ({model.licence}, as its model card states; text: {model.licence_url}): {model.holds}\n"
        f"from {model.url}\n\n"
        for model in MODELS
    )
