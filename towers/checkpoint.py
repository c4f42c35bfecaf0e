"""Progress of a training on disk: everything that the next epoch needs to come out the same, bit for bit.

    FOLDER/checkpoint.json              epoch, best figures, schedule, the name and the hash of
    FOLDER/checkpoint-EPOCH.safetensors weights, the best weights, optimiser state, generators of every process

An epoch counts once the JSON is replaced: whenever a training is killed, the last saved epoch is complete.
"""

import copy
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .distributed import ALONE, Team
from .errors import RunError

STATES, RECORD = "checkpoint-*.safetensors", "checkpoint.json"


@dataclass
class Progress:
    """A training in progress; ``best_weights`` are those of its ``best`` epoch."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    epoch: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.best_weights = copy.deepcopy(self.module.state_dict())

    def offer(self, figures: dict[str, float], least: str) -> None:
        """Keep the weights if ``figures[least]`` is finite and below the best so far."""
        if math.isfinite(figures[least]) and (not self.best or figures[least] < self.best[least]):
            self.best, self.best_weights = figures, copy.deepcopy(self.module.state_dict())

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    def random(self) -> dict[str, Tensor]:
        """State of every random generator: the loop's, and those of dropout on the processor and on the GPU."""
        states = {"generator": self.generator.get_state(), "torch": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def set_random(self, states: dict[str, Tensor]) -> None:
        self.generator.set_state(states["generator"])
        torch.set_rng_state(states["torch"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"], self.device)


@dataclass(frozen=True)
class Checkpoint:
    """``settings`` say what is being trained; progress of other settings is refused. All processes of a ``team`` save
    and restore together; the first writes."""

    folder: Path
    settings: dict[str, Any]
    team: Team = ALONE

    @property
    def exists(self) -> bool:
        return (self.folder / RECORD).is_file()

    def save(self, progress: Progress) -> None:
        everybody = self.team.gather(progress.random())
        if not self.team.first:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        optimiser = progress.optimiser.state_dict()
        tensors = {f"module.{name}": value for name, value in progress.module.state_dict().items()}
        tensors |= {f"kept.{name}": value for name, value in progress.best_weights.items()}
        tensors |= {
            f"optimiser.{number}.{name}": value
            for number, state in optimiser["state"].items()
            for name, value in state.items()
        }
        tensors |= {
            f"random.{rank}.{name}": value for rank, states in enumerate(everybody) for name, value in states.items()
        }
        state = self.folder / STATES.replace("*", str(progress.epoch))
        pending = state.with_suffix(".part")
        save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, pending)
        record = {
            "settings": self.settings,
            "epoch": progress.epoch,
            "best": progress.best,
            "groups": optimiser["param_groups"],
            "schedule": {
                name: value
                for name, value in progress.schedule.state_dict().items()
                if isinstance(value, int | float | list)
            },
            "state": state.name,
            "sha256": hashlib.sha256(pending.read_bytes()).hexdigest(),
        }
        text = self.folder / (RECORD + ".part")
        text.write_text(json.dumps(record) + "\n", encoding="utf-8")
        pending.replace(state)
        text.replace(self.folder / RECORD)
        for older in self.folder.glob(STATES):
            if older != state:
                older.unlink()

    def restore(self, progress: Progress) -> None:
        """Bring ``progress`` to the last saved state, if there is one. ``RunError`` for damaged files, and for progress
        of another training."""
        if not self.exists:
            return
        try:
            record = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
            if record["settings"] != json.loads(json.dumps(self.settings)):
                raise RunError(f"{self.folder} holds progress of another training; give another folder or delete it")
            raw = (self.folder / record["state"]).read_bytes()
            if hashlib.sha256(raw).hexdigest() != record["sha256"]:
                raise RunError(f"{self.folder}: {record['state']} and {RECORD} do not belong together; delete both")
            self._apply(progress, record, load_file(self.folder / record["state"]))
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            if isinstance(error, RunError):
                raise
            raise RunError(f"{self.folder} holds damaged progress ({error!r}); delete it to start anew") from error

    def _apply(self, progress: Progress, record: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        progress.module.load_state_dict(part(tensors, "module."))
        progress.best_weights = part(tensors, "kept.")
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in part(tensors, "optimiser.").items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = value
        progress.optimiser.load_state_dict({"state": state, "param_groups": record["groups"]})
        progress.schedule.load_state_dict(record["schedule"])
        progress.set_random(part(tensors, f"random.{self.team.rank}."))
        progress.epoch, progress.best = record["epoch"], record["best"]

    def clear(self) -> None:
        """Delete the progress: the training is done, or starts again."""
        for path in (self.folder / RECORD, *self.folder.glob(STATES)):
            path.unlink(missing_ok=True)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
