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
    beyond,
    build_emomv,
    listening,
    looking,
    read_heads,
    restandardised,
)
from towers.imports.emomv_sample import sample_clips
from towers.imports.files import Kept, WeightFile, cache_folder, licences_of, obtain_file, record_of, summary_of
from towers.imports.slowfast import read_slowfast
from towers.imports.vggish import read_vggish

from .errors import ExportError
from .imports import MUSIC, VIDEOS, Asked, Import, Loaded, Progress, found
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
STRANGE: Final = 0.1  # share of numbers beyond what the heads know, from which on it is said


def files() -> list[str]:
    return [*(weights.file for weights in WEIGHTS), FILE]


def summary() -> str:
    return summary_of(WEIGHTS) + "\nheads: ours, trained on the features of EmoMV's release (MIT); nothing is fetched"


def obtained(asked: Asked, progress: Progress) -> list[Kept]:
    """The files of ``WEIGHTS``."""
    cache = asked.cache or cache_folder()
    kept = []
    for weights in WEIGHTS:
        progress(f"fetching {weights.name}")
        kept.append(obtain_file(weights, cache, asked.given, progress))
    progress("reading weights")
    return kept


def load(asked: Asked, progress: Progress) -> Loaded:
    heads = read_heads(next((path for path in asked.given if path.name == FILE), None))
    kept = obtained(asked, progress)
    whole = build_emomv(read_slowfast(kept[0].path), read_vggish(kept[1].path), heads)
    record = record_of(list(zip(WEIGHTS, kept, strict=True)))
    notes: tuple[str, ...] = ()
    if asked.background:
        record["background"] = measured(whole, heads, asked.background, progress)
    else:
        progress("comparing with what the heads were trained on")
        record["beyond"] = share = strangeness(whole, heads)
        notes = () if share < STRANGE else (strange(share),)
    return Loaded(whole, licences_of(WEIGHTS) + CREDIT, record, notes)


def networks(asked: Asked, progress: Progress) -> tuple[nn.Module, nn.Module]:
    """Both networks without heads: what turns a clip's features to numbers, as in a bundle."""
    kept = obtained(asked, progress)
    return looking(read_slowfast(kept[0].path)), listening(read_vggish(kept[1].path))


def strangeness(whole: EmoMvPart, heads: Heads) -> float:
    """The share of SlowFast's numbers, on drawn clips, that lie beyond all that the heads were trained on."""
    return round(beyond(heads.net.video, _told(whole.video_clip, list(sample_clips()))), 3)


def strange(share: float) -> str:
    return (
        f"{share:.0%} of what SlowFast says of drawn clips is beyond all that its head was trained on: EmoMV's release "
        "does not say how its features were made. Import again with --background DIR, videos and music of your own"
    )


def measured(whole: EmoMvPart, heads: Heads, folders: Sequence[Path], progress: Progress) -> dict[str, int]:
    """The heads' scales are measured anew, of these files' windows; of how many of either side.

    Files that cannot be used are left out, ``progress`` hears why. Raises ``ExportError`` for fewer than 8 windows.
    """
    seen = _windows(whole.video_clip, clips_of_video, found(folders, VIDEOS), "clip_pictures", progress)
    heard = _windows(whole.music_clip, clips_of_music, found(folders, MUSIC), "vggish_mel", progress)
    for name, windows in (("video", seen), ("music", heard)):
        if len(windows) < FEWEST:
            raise ExportError(
                f"background: {len(windows)} windows of {name}, at least {FEWEST} of up to 28 s are needed; give more "
                "or longer files"
            )
    restandardised(heads, torch.stack(seen), torch.stack(heard))
    return {"video_windows": len(seen), "music_windows": len(heard)}


def _windows(
    words: nn.Module,
    read: Callable[[Path, Sequence[str], int], list[dict[str, NDArray[Any]]]],
    paths: Sequence[Path],
    name: str,
    progress: Progress,
) -> list[Tensor]:
    """What is said of each file's windows of up to seven clips, (width,) each."""
    out: list[Tensor] = []
    for path in paths:
        progress(f"looking at {path.name}" if name == "clip_pictures" else f"listening to {path.name}")
        try:
            clips = [clip[name] for clip in read(path, (name,), MOST_S)]
        except FeatureError as error:
            progress(f"{path.name} is left out: {error}")
            continue
        if clips:
            said = _told(words, clips)
            out += [said[at : at + MAX_CLIPS].mean(dim=0) for at in range(0, len(said), MAX_CLIPS)]
    return out


def _told(words: nn.Module, clips: Sequence[NDArray[np.generic]]) -> Tensor:
    """(n, width), one clip at a time, so that memory does not grow with the material."""
    with torch.inference_mode():
        return torch.cat([words(torch.from_numpy(clip[None])) for clip in clips])


IMPORT: Final = Import(summary=summary, files=files, load=load, background=True)
