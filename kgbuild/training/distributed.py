"""What several processes need: who am I, gather with gradients, sum of gradients. Everything is the identity for one process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Workers:
    """This process among those that torchrun started."""

    worker_index: int = 0
    n_workers: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.worker_index == 0


def join_workers(device: torch.device) -> Workers:
    """Join the process group that torchrun describes in the environment; one process when there is none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Workers()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Workers(dist.get_rank(), dist.get_world_size())


class _Gather(torch.autograd.Function):
    """All processes' rows in the order of the processes; backward sums what every process asks of the local rows."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        ctx.rows = local.shape[0]
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        summed = grads[0].contiguous()
        dist.all_reduce(summed)
        start = dist.get_rank() * ctx.rows
        return summed[start : start + ctx.rows]


def gather(local: Tensor, workers: Workers) -> Tensor:
    """(B, ...) rows of all processes from (b, ...) local ones; gradients flow back to the process that made a row."""
    return local if workers.n_workers == 1 else _Gather.apply(local)


def sum_gradients(parameters: list[torch.nn.Parameter], workers: Workers) -> None:
    """Add the gradients of all processes, in place: each holds its share of the global loss."""
    if workers.n_workers == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)


def sum_value(value: Tensor, workers: Workers) -> Tensor:
    """The sum of a number over the processes, without gradient."""
    total = value.detach().clone()
    if workers.n_workers > 1:
        dist.all_reduce(total)
    return total


def wait_for_all(workers: Workers) -> None:
    """Return when every process has come here."""
    if workers.n_workers > 1:
        dist.barrier()
