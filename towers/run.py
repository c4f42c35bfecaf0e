"""A trained run on disk: ``run.json`` (what it is and how it was trained), ``model.safetensors`` (weights), CSV logs.

``export`` calls ``load_run``; nothing in it depends on the corpus.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .backbones.backbone import Backbone
from .backbones.fixed import Stored
from .backbones.registry import build_backbone
from .errors import RunError
from .examples import example
from .system import GraphModule, System, build

__all__ = ["GraphModule", "Run", "load_run", "save_run"]

FORMAT = 2
RECORD = "run.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Run:
    """A system on its backbones, with trained weights; ``training`` holds corpus, pairs, seed, commit, metrics."""

    folder: Path
    system: System
    video: Backbone
    music: Backbone
    training: dict[str, Any]

    @property
    def widths(self) -> dict[str, int]:
        """The width of each graph's vector."""
        windows = dict.fromkeys(("video_sequence", "music_sequence"), self.system.embedding_dim)
        return {"video_clip": self.video.width, "music_clip": self.music.width, **windows}

    def graphs(self) -> dict[str, GraphModule]:
        """Every graph of a bundle. ``RunError`` for backbones that no live stream can feed."""
        return {
            "video_clip": clip_graph(self.video),
            "music_clip": clip_graph(self.music),
            **self.system.graphs(),
        }


def clip_graph(backbone: Backbone) -> GraphModule:
    if isinstance(backbone, Stored):
        raise RunError(
            f"this run stands on the stored column {backbone.column}, which no stream and no track has; "
            "train on a backbone that runs, or give its network as onnx:FILE"
        )
    inputs = {name: example(name) for name in backbone.inputs}
    return GraphModule(backbone.eval(), inputs, ("embedding",), backbone.inputs)


def parts_of(system: System, video: Backbone, music: Backbone) -> dict[str, nn.Module]:
    return {"system": system.module(), "video_clip": video, "music_clip": music}


def save_run(folder: Path, system: System, video: Backbone, music: Backbone, training: Mapping[str, object]) -> None:
    """Write weights first and the record last, each by renaming: a folder with a record is a whole run. An older run's
    record is deleted first, so that it never stands beside other weights than its own."""
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = {
        f"{part}.{name}": value.contiguous()
        for part, module in parts_of(system, video, music).items()
        for name, value in module.state_dict().items()
    }
    pending = folder / (WEIGHTS + ".part")
    save_file(state, pending)
    (folder / RECORD).unlink(missing_ok=True)
    pending.replace(folder / WEIGHTS)
    record = {
        "format": FORMAT,
        "system": system.name,
        "configuration": system.configuration(),
        "backbones": {"video": video.configuration(), "music": music.configuration()},
        "training": dict(training),
    }
    pending = folder / (RECORD + ".part")
    pending.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    pending.replace(folder / RECORD)


def load_run(folder: Path | str) -> Run:
    """Raises ``RunError`` for a folder without a finished run, or one whose weights do not fit its record."""
    folder = Path(folder)
    path = folder / RECORD
    if not path.is_file():
        raise RunError(f"{folder} holds no finished run ({RECORD} is missing); `segue train CORPUS -o RUN` makes one")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise RunError(f"{path} has format {record['format']}, this code reads {FORMAT}; train it again")
        system = build(record["system"], record["configuration"])
        video, music = (build_backbone(record["backbones"][side]) for side in ("video", "music"))
        training = dict(record["training"])
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} is damaged ({error!r}); train it again") from error
    try:
        state = load_file(folder / WEIGHTS)
        for part, module in parts_of(system, video, music).items():
            module.load_state_dict(
                {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}
            )
            module.eval()
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(f"{folder / WEIGHTS} does not fit {RECORD} ({error}); train it again") from error
    return Run(folder, system, video, music, training)
