"""``emomv``: SlowFast and VGGish from where their authors publish them, and heads trained on EmoMV's release."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from features.errors import FeatureError
from features.spec import MAX_CLIPS
from towers.imports.emomv import (
    FILE,
    EmoMvPart,
    Heads,
    build_emomv,
    music_network,
    read_heads,
    restandardise,
    share_beyond,
    video_network,
)
from towers.imports.emomv_sample import sample_clips
from towers.imports.files import CachedFile, WeightFile, cache_folder, licences_of, obtain_file, record_of, summary_of
from towers.imports.slowfast import read_slowfast
from towers.imports.vggish import read_vggish

from .errors import ExportError
from .imports import MUSIC, VIDEOS, Import, ImportOptions, Loaded, Progress, media_files
from .material import clips_of_music, clips_of_video

SLOWFAST: Final = WeightFile(
    name="SlowFast 8x8 R50",
    file="SLOWFAST_8x8_R50.pyth",
    url="https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/SLOWFAST_8x8_R50.pyth",
    sha256="",
    size=0,
    licence="Apache-2.0",
    licence_url="https://github.com/facebookresearch/pytorchvideo/blob/main/LICENSE",
    holds="34.6 million weights of PyTorchVideo's model zoo, trained on Kinetics-400",
)
VGGISH: Final = WeightFile(
    name="VGGish",
    file="vggish-10086976.pth",
    url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
    sha256="10086976",
    size=0,
    licence="Apache-2.0",
    licence_url="https://github.com/harritaylor/torchvggish/blob/master/LICENSE",
    holds="72.1 million weights, converted from Google's release by torchvggish, trained on YouTube's sound",
)
WEIGHTS: Final = (SLOWFAST, VGGISH)
CREDIT: Final = "heads: trained on the features of EmoMV (MIT, Copyright (c) 2022 ivyha010)\n"
MOST_S: Final = 120  # of a file
FEWEST: Final = 8  # windows of a side
STRANGE: Final = 0.1  # from this share of numbers beyond what the heads know, the user gets a note


def files() -> list[str]:
    return [*(weights.file for weights in WEIGHTS), FILE]


def summary() -> str:
    return summary_of(WEIGHTS) + "\nheads: ours, trained on the features of EmoMV's release (MIT); nothing is fetched"


def obtain_weights(options: ImportOptions, progress: Progress) -> list[CachedFile]:
    """The files of ``WEIGHTS``."""
    cache = options.cache or cache_folder()
    cached = []
    for weights in WEIGHTS:
        progress(f"fetching {weights.name}")
        cached.append(obtain_file(weights, cache, options.files, progress))
    progress("reading weights")
    return cached


def load(options: ImportOptions, progress: Progress) -> Loaded:
    heads = read_heads(next((path for path in options.files if path.name == FILE), None))
    cached = obtain_weights(options, progress)
    whole = build_emomv(read_slowfast(cached[0].path), read_vggish(cached[1].path), heads)
    record = record_of(list(zip(WEIGHTS, cached, strict=True)))
    notes: tuple[str, ...] = ()
    if options.background:
        record["background"] = measure_scales(whole, heads, options.background, progress)
    else:
        progress("comparing with what the heads were trained on")
        record["beyond"] = share = strangeness(whole, heads)
        notes = () if share < STRANGE else (strangeness_note(share),)
    return Loaded(whole, licences_of(WEIGHTS) + CREDIT, record, notes)


def networks(options: ImportOptions, progress: Progress) -> tuple[nn.Module, nn.Module]:
    """Both networks without heads: a clip's features to numbers, as in a bundle."""
    cached = obtain_weights(options, progress)
    return video_network(read_slowfast(cached[0].path)), music_network(read_vggish(cached[1].path))


def strangeness(whole: EmoMvPart, heads: Heads) -> float:
    """The share of SlowFast's numbers, on drawn clips, that lie outside the range that the heads were trained on."""
    return round(share_beyond(heads.net.video, _run_network(whole.video_clip, list(sample_clips()))), 3)


def strangeness_note(share: float) -> str:
    return (
        f"{share:.0%} of what SlowFast says of drawn clips is beyond all that its head was trained on: EmoMV's release "
        "does not say how its features were made. Import again with --background DIR, videos and music of your own"
    )


def measure_scales(whole: EmoMvPart, heads: Heads, folders: Sequence[Path], progress: Progress) -> dict[str, int]:
    """Measure the heads' scales again, on these files' windows; returns how many of each side there are.

    A file that cannot be used is left out, and ``progress`` gets the reason. Raises ``ExportError`` for fewer than 8
    windows.
    """
    video_windows = _windows(whole.video_clip, clips_of_video, media_files(folders, VIDEOS), "clip_pictures", progress)
    music_windows = _windows(whole.music_clip, clips_of_music, media_files(folders, MUSIC), "vggish_mel", progress)
    for name, windows in (("video", video_windows), ("music", music_windows)):
        if len(windows) < FEWEST:
            raise ExportError(
                f"background: {len(windows)} windows of {name}, at least {FEWEST} of up to 28 s are needed; give more "
                "or longer files"
            )
    restandardise(heads, torch.stack(video_windows), torch.stack(music_windows))
    return {"video_windows": len(video_windows), "music_windows": len(music_windows)}


def _windows(
    words: nn.Module,
    read: Callable[[Path, Sequence[str], int], list[dict[str, NDArray[Any]]]],
    paths: Sequence[Path],
    name: str,
    progress: Progress,
) -> list[Tensor]:
    """The mean output over each file's windows of up to seven clips, (width,) each."""
    out: list[Tensor] = []
    for path in paths:
        progress(f"looking at {path.name}" if name == "clip_pictures" else f"listening to {path.name}")
        try:
            clips = [clip[name] for clip in read(path, (name,), MOST_S)]
        except FeatureError as error:
            progress(f"{path.name} is left out: {error}")
            continue
        if clips:
            outputs = _run_network(words, clips)
            out += [outputs[at : at + MAX_CLIPS].mean(dim=0) for at in range(0, len(outputs), MAX_CLIPS)]
    return out


def _run_network(words: nn.Module, clips: Sequence[NDArray[np.generic]]) -> Tensor:
    """(n, width), one clip at a time, so that memory does not grow with the material."""
    with torch.inference_mode():
        return torch.cat([words(torch.from_numpy(clip[None])) for clip in clips])


IMPORT: Final = Import(summary=summary, files=files, load=load, background=True)
