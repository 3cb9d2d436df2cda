"""Whether there is a GPU, and how much of its memory this process holds."""

import sys
from typing import Any


def usable(device: str) -> bool:
    """Whether torch can compute on `device` (cpu, cuda, cuda:1) here. Brings torch."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError:  # there is nothing called so
        return False
    return wanted.type != "cuda" or (wanted.index or 0) < torch.cuda.device_count()


def memory() -> dict[str, dict[str, int]]:
    """Device -> bytes that tensors take (`allocated`) and that torch keeps (`reserved`), and of the
    whole device what is `free` and all there is (`total`).

    Nothing where no network has been put on a GPU. It imports no torch and touches no device that
    is not in use, since either would cost memory by itself.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    devices = range(torch.cuda.device_count())
    return {f"cuda:{at}": _of(torch.cuda, at) for at in devices if torch.cuda.memory_reserved(at)}


def _of(cuda: Any, device: int) -> dict[str, int]:
    free, total = cuda.mem_get_info(device)
    return {
        "allocated": cuda.memory_allocated(device),
        "reserved": cuda.memory_reserved(device),
        "free": free,
        "total": total,
    }
