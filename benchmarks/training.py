"""What a batch of training costs on this CPU, in whole and in half precision.

    python -m benchmarks.training [--rounds 5]

Batches of the recipes `tiny` and `grown`, one for each number of tracks, forwards and back on one
core. Ways take turns, and the median of their rounds is told: single precision as recipes have it,
products in bfloat16, and what `pointaction train --precision bf16` does. Prints a table and files
it under `results/`.
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.machine import RESULTS
from pointaction.evaluation.report import Report, Table
from pointaction.models.store import BUILDERS
from pointaction.progress import counting
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training.batch import Batch
from pointaction.training.loop import Run, in_halves
from pointaction.training.objectives import recognise
from pointaction.training.procedural import procedural
from pointaction.training.recipes import TRAINING, Recipe

CPU = torch.device("cpu")
WAYS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "fp32": nullcontext,
    "products in bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "--precision bf16": lambda: in_halves(CPU),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    wish = parser.parse_args()
    torch.set_num_threads(1)
    recipes = {name: TRAINING[name]() for name in ("tiny", "grown")}
    rows = {name: _costs(recipe, wish.rounds) for name, recipe in recipes.items()}
    recipe = recipes["tiny"]
    report = Report(
        title="A batch of training",
        conditions={
            "clips": recipe.batch + recipe.programs * recipe.performances,
            "tracks": ", ".join(map(str, sorted(set(recipe.tracks)))),
            "threads": 1,
            "tiles of bfloat16": str(torch.cpu._is_amx_tile_supported()),
        },
        tables={
            "Seconds a batch, forwards and back": Table(
                corner="recipe", columns=(*WAYS, "to make it"), rows=rows
            )
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'training').name}")


def _costs(recipe: Recipe, rounds: int) -> tuple[object, ...]:
    """Seconds of each way, and of making a batch."""
    source = procedural(Run(recipe=recipe, folder=Path()))
    numbers = [recipe.tracks.index(size) for size in sorted(set(recipe.tracks))]
    begun = perf_counter()
    batches = [source[number] for number in numbers]
    making = (perf_counter() - begun) / len(batches)
    model = BUILDERS[recipe.builder](len(LABELS)).train()
    objective = recognise(model, label_smoothing=recipe.label_smoothing, contrast=recipe.contrast)

    def learn(batch: Batch, way: Callable[[], AbstractContextManager[object]]) -> None:
        model.zero_grad()
        with way():
            loss = objective(batch, 0)["loss"]
        loss.backward()

    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    with counting(recipe.builder) as progress:
        for round_ in range(rounds + 1):  # the first is for warming up
            for way, enter in WAYS.items():
                begun = perf_counter()
                for batch in batches:
                    learn(batch, enter)
                spent[way].append((perf_counter() - begun) / len(batches))
            progress(round_ + 1, rounds + 1)
    return (*(f"{median(times[1:]):.3f}" for times in spent.values()), f"{making:.3f}")


if __name__ == "__main__":
    main()
