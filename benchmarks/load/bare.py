"""How fast the pipeline is in one process, with nobody in between."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from pathlib import Path

from pointaction.local import LocalService
from pointaction.models.catalog import DEFAULT_STORE


def bare_rate(clips: list[Path], model: str, *, seconds: float) -> float:
    """Clips a second, in a new process that ends with it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_rate, clips, model, seconds).result()


def _rate(clips: list[Path], model: str, seconds: float) -> float:
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
    return done / (time.perf_counter() - begun)
