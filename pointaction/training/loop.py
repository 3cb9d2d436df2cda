"""The training loop, written out: no trainer class, no hooks. All objectives share it."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, Dataset

from pointaction.errors import InputError
from pointaction.models.digests import digest
from pointaction.training.checkpoints import load_checkpoint, save_checkpoint
from pointaction.training.logbook import LogBook
from pointaction.training.processes import Place, joined
from pointaction.training.recipes import Recipe
from pointaction.training.schedule import warmup_cosine


class Movable(Protocol):
    """What the loop asks of a batch, whatever it holds."""

    def to(self, device: torch.device) -> Self: ...


Fed = TypeVar("Fed", bound=Movable)

Report = Callable[[int, dict[str, float]], None]
"""Told the steps done and what the objective measured in the last one."""

Waited = Callable[[float], None]
"""Told for how many seconds a batch was waited for."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a recipe. Equal recipe, seed and start see equal batches in equal order,
    interrupted or not, in one process or in several.
    """

    recipe: Recipe
    folder: Path  # for checkpoint.pt, losses.csv and tensorboard/; goes on where it has one
    seed: int = 1
    device: torch.device = torch.device("cpu")
    start: Path | None = None  # weights whose encoder to begin with
    workers: int = 1  # processes that make batches; 0: make them in this one
    save_every: int = 100  # steps
    minutes: float | None = None  # stop after so long, with a checkpoint to go on from
    data: str = "procedural"  # what the batches are made from, in a word that changes with it

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def identity(self) -> dict[str, Any]:
        """What a checkpoint has to agree with; the start weights by the head of their digest."""
        start = digest(self.start)[:12] if self.start else None
        return asdict(self.recipe) | {"seed": self.seed, "start": start, "data": self.data}


def unheeded(seconds: float) -> None:
    """Waiting that nobody counts."""


def optimise(
    run: Run,
    model: nn.Module,
    objective: Callable[[Fed, int], dict[str, Tensor]],
    batches: Dataset[Fed],
    report: Report,
    *,
    waited: Waited = unheeded,
) -> int:
    """Minimise the objective's "loss" over batches[0], batches[1], ...; the steps done in all.

    The objective makes of a batch and its number scalars by name; all are reported.
    A step takes the recipe's `accumulate` batches. Under torchrun the processes share them, so
    that they do together what one would do alone, to rounding. Only the first one reports and
    writes. Parameters that ask for no gradient stay as they are. `waited` is told of every batch
    how many seconds the process stood still for it.
    """
    recipe, began = run.recipe, time.monotonic()
    with joined(run.device) as here:
        mine = here.share(recipe.accumulate)
        if recipe.freeze:
            model.get_submodule("encoder").requires_grad_(False)
        model.to(here.device).train()
        optimiser = torch.optim.AdamW(
            [parameter for parameter in model.parameters() if parameter.requires_grad],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        done = load_checkpoint(run.checkpoint, model, optimiser, run.identity())
        if recipe.compile:
            encoder: Any = model.get_submodule("encoder")
            encoder.read = torch.compile(encoder.read)
        ask = here.synchronised(Question(model, objective))
        todo = range(done, recipe.steps)
        numbers = [step * recipe.accumulate + part for step in todo for part in mine]
        loader = DataLoader(
            batches,
            batch_size=None,
            sampler=numbers,
            num_workers=run.workers,
            prefetch_factor=4 if run.workers else None,
        )
        supply = zip(numbers, awaited(loader, waited), strict=True)
        with LogBook(run.folder, start=done) if here.first else nullcontext() as book:
            for step in todo:
                for group in optimiser.param_groups:
                    group["lr"] = recipe.learning_rate * warmup_cosine(
                        step, steps=recipe.steps, warmup=recipe.warmup
                    )
                optimiser.zero_grad(set_to_none=True)
                told = accumulate(run, here, ask, islice(supply, len(mine)), parts=len(mine))
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
                optimiser.step()
                done = step + 1
                # The clocks of several processes differ; they stop together once one is late.
                late = run.minutes is not None and time.monotonic() - began > 60 * run.minutes
                over = here.any(late)
                if book:
                    book.write(done, told)
                    report(done, told)
                    if done % run.save_every == 0 or done == recipe.steps or over:
                        save_checkpoint(run.checkpoint, model, optimiser, run.identity(), step=done)
                if over:
                    break
    return done


@contextmanager
def in_halves(device: torch.device) -> Iterator[None]:
    """Matrix products in bfloat16, those of attention too.

    On a CPU these are written out: the gradient of the fused kernel alone takes longer there than
    everything else together (docs/decisions/0055-halves-on-a-cpu.md).
    """
    with ExitStack() as stack:
        stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        if device.type == "cpu":
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
            stack.callback(torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp, before)
            torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # on any device
        yield


def awaited(supply: Iterable[Fed], waited: Waited) -> Iterator[Fed]:
    """The supply as it is, timing how long each next one takes to come."""
    source = iter(supply)
    while True:
        asked = time.monotonic()
        try:
            batch = next(source)
        except StopIteration:
            return
        waited(time.monotonic() - asked)
        yield batch


class Question(nn.Module):
    """An objective as the forward pass of its model, which is what several processes share."""

    def __init__(
        self, model: nn.Module, objective: Callable[[Any, int], dict[str, Tensor]]
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Movable, number: int) -> dict[str, Tensor]:
        return self.objective(batch, number)


def accumulate(
    run: Run, here: Place, ask: nn.Module, supply: Iterable[tuple[int, Movable]], *, parts: int
) -> dict[str, float]:
    """Add up the gradient of the mean loss over `parts` batches here, and those of the other
    processes; the means of all that was measured.
    """
    half = run.recipe.precision == "bf16"
    measured = []
    for turn, (number, batch) in enumerate(supply, 1):
        torch.manual_seed(run.seed * 1_000_003 + number)  # dropout is the batch's, not the hour's
        with here.apart(ask) if turn < parts else nullcontext():
            with in_halves(here.device) if half else nullcontext():
                measures = ask(batch.to(here.device), number)
            (measures["loss"] / parts).backward()
        measured.append(torch.stack([value.detach().float() for value in measures.values()]))
    means = here.mean(torch.stack(measured).mean(0)).tolist()
    told = dict(zip(measures, means, strict=True))
    if not math.isfinite(told["loss"]):
        raise InputError(
            f"the loss is {told['loss']} after batch {number}; take a lower learning rate, and go "
            f"on from {run.checkpoint}, which is from before"
        )
    return told
