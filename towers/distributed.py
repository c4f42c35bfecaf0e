"""Several processes that train one system, started by ``torchrun``; with one process nothing here has an effect.

Every process holds all clip vectors, takes its share of an epoch's pairs and ranks its own batches: N processes of
batch B see N * B pairs a step, each pair among the B of its process, and the gradients are averaged. Negatives are not
gathered, so a loss is the same function however many processes there are. Backbones are trained by the first process
alone; the others wait and read them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(days=2)  # while the first process trains backbones
T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """This process is number ``rank`` of ``size``; ``local``: its number on its machine."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        return self.rank == 0

    def device(self, name: str) -> str:
        """A GPU for each process of a machine, where ``name`` is ``cuda``."""
        return f"cuda:{self.local}" if name == "cuda" and self.size > 1 else name

    def share(self, order: Tensor) -> Tensor:
        """This process's part of an epoch's rows (n,). All parts have the same length: shorter ones are filled up from
        the front. The order is the first process's."""
        if self.size == 1:
            return order
        order = order.clone()
        distributed.broadcast(order, 0)
        missing = -len(order) % self.size
        return torch.cat([order, order.repeat(-(-missing // len(order)))[:missing]])[self.rank :: self.size]

    def average_gradients(self, module: nn.Module) -> None:
        """Mean over the processes; a weight that none of them used keeps no gradient."""
        if self.size == 1:
            return
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        used = torch.tensor([float(weight.grad is not None) for weight in weights], device=weights[0].device)
        parts = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        flat = torch.cat([used, *(part.flatten() for part in parts)])
        distributed.all_reduce(flat)
        used, flat = flat[: len(weights)], flat[len(weights) :] / self.size
        means = torch.split(flat, [weight.numel() for weight in weights])
        for weight, anybody, mean in zip(weights, used.tolist(), means, strict=True):
            weight.grad = mean.view_as(weight) if anybody else None

    def agree(self, module: nn.Module) -> None:
        """Give all processes the first one's weights and buffers, including running statistics."""
        if self.size > 1:
            for value in module.state_dict().values():
                distributed.broadcast(value, 0)

    def same(self, value: T) -> T:
        """The first process's ``value``."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, 0)
        return box[0]

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        box: list[T] = [value] * self.size
        distributed.all_gather_object(box, value)
        return box

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes alone; the others follow when it is done, and read its files."""
        if self.size > 1 and not self.first:
            distributed.barrier()
        yield
        if self.size > 1 and self.first:
            distributed.barrier()


ALONE: Final = Team()


@contextmanager
def join_team(device: str) -> Iterator[Team]:
    """The team that ``torchrun`` describes in the environment, or ``ALONE`` without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    team = Team(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if device == "cuda":
        torch.cuda.set_device(team.local)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield team
    finally:
        distributed.destroy_process_group()
