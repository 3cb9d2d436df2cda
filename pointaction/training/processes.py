"""The processes of one run: this one alone, or all that torchrun has started."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from pointaction.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where this process stands among `count`, and the device it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """The first process writes the files and talks to the user; the others only compute."""
        return self.rank == 0

    def share(self, parts: int) -> range:
        """Which of a step's micro-batches are this process's."""
        if parts % self.count:
            raise InputError(
                f"{self.count} processes cannot share {parts} micro-batches a step evenly; "
                f"give --accumulate a multiple of {self.count}"
            )
        return range(self.rank, parts, self.count)

    def synchronised(self, module: nn.Module) -> nn.Module:
        """The module, whose gradients become the mean over all processes."""
        if self.count == 1:
            return module
        return DistributedDataParallel(
            module, forward_sync_buffers=False, find_unused_parameters=True
        )

    def apart(self, module: nn.Module) -> AbstractContextManager[None]:
        """While this lasts, gradients add up here and are not exchanged."""
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()

    def mean(self, values: Tensor) -> Tensor:
        """The mean of `values` over all processes, the same in each."""
        if self.count > 1:
            distributed.all_reduce(values)
            values = values / self.count
        return values

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in one process or more."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)


def is_first() -> bool:
    """Whether this process is the one to write and to talk, before or after a run too."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: torch.device) -> Iterator[Place]:
    """Meet the other processes: over NCCL on GPUs, one each, over Gloo on CPUs."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Place(rank=0, count=1, device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Place(rank=distributed.get_rank(), count=count, device=device)
    finally:
        distributed.destroy_process_group()
