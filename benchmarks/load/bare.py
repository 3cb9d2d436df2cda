"""How fast the pipeline is with nobody in between: a loop in each of some processes."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from pathlib import Path

import cv2
import torch

from pointaction.local import LocalService
from pointaction.models.catalog import DEFAULT_STORE


def bare_rate(
    clips: list[Path], model: str, *, seconds: float, processes: int, threads: int
) -> float:
    """Clips a second of all of them, in new processes that end with it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        loops = [
            pool.submit(_rate, clips, model, seconds, processes, threads) for _ in range(processes)
        ]
        return sum(loop.result() for loop in loops)


def _rate(clips: list[Path], model: str, seconds: float, processes: int, threads: int) -> float:
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    service = LocalService(DEFAULT_STORE, model, tracks=512)
    for clip in clips:  # once each, to warm up
        service.classify(clip, top_k=5)
    begun, done = time.perf_counter(), 0
    for clip in cycle(clips):
        service.classify(clip, top_k=5)
        done += 1
        # Whole rounds, so that short and long clips have their share.
        if done % len(clips) == 0 and time.perf_counter() - begun > seconds:
            break
    rate = done / (time.perf_counter() - begun)
    ends = time.perf_counter() + (2 * seconds / 10 if processes > 1 else 0)
    while time.perf_counter() < ends:  # or the others would have the machine for themselves
        service.classify(clips[0], top_k=5)
    return rate
