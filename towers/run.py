"""A trained run on disk: ``run.json`` (what it is and how it came to be), ``model.safetensors`` (weights), CSV logs.

``load_run`` is what ``export`` calls; nothing in it depends on the corpus.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .errors import RunError
from .system import GraphModule, System, build

__all__ = ["GraphModule", "Run", "load_run", "save_run"]

FORMAT = 1
RECORD = "run.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Run:
    """A system with its trained weights; ``training`` tells corpus, pairs, seed, commit, metrics, preset, setting."""

    folder: Path
    system: System
    training: dict[str, Any]

    @property
    def clip_dim(self) -> int:
        return self.system.clip_dim

    @property
    def embedding_dim(self) -> int:
        return self.system.embedding_dim

    def graphs(self) -> dict[str, GraphModule]:
        return self.system.graphs()


def save_run(folder: Path, system: System, training: Mapping[str, object]) -> None:
    """Write weights first and the record last, each by renaming: a folder with a record is a whole run."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in system.module().state_dict().items()}
    pending = folder / (WEIGHTS + ".part")
    save_file(state, pending)
    pending.replace(folder / WEIGHTS)
    record = {
        "format": FORMAT,
        "system": system.name,
        "configuration": system.configuration(),
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
        training = dict(record["training"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} is damaged ({error!r}); train it again") from error
    try:
        system.module().load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(f"{folder / WEIGHTS} does not fit {RECORD} ({error}); train it again") from error
    system.module().eval()
    return Run(folder, system, training)
