"""`pointaction reproduce`: the rows of papers' tables, from data sets to figures."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.terminal import err, out, plain

if TYPE_CHECKING:
    from pointaction.reproduce.needs import DataSet, Weights
    from pointaction.reproduce.recipe import Recipe

_PRECISIONS = {"fp32": "fp32", "bf16": "bf16"}


def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="A recipe; without one, all are listed.")
    ] = None,
    data: Annotated[
        Path, typer.Option(help="Data sets, each in a folder called as its layout: DATA/ssv2.")
    ] = Path("data"),
    folder: Annotated[
        Path, typer.Option("--out", help="Stores, runs and figures; recipes share them.")
    ] = Path("reproduced"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it takes and what would be run, and stop.")
    ] = False,
    tiny: Annotated[
        bool,
        typer.Option(
            "--tiny", help="A trial in minutes: small networks, few steps, no weights of others."
        ),
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept-licences", help="Of weights that forbid commercial use."),
    ] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    processes: Annotated[int, typer.Option("-p", "--processes", min=1, help="To extract.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="That make batches.")] = 1,
    precision: Annotated[str, typer.Option(help="Of training: fp32 or bf16.")] = "fp32",
    store: Store = DEFAULT_STORE,
) -> None:
    """Do what a row of a paper's table tells, and print its figure beside ours. Call again to go
    on after an interruption.
    """
    from pointaction.reproduce import needs
    from pointaction.reproduce.recipe import find_recipe
    from pointaction.reproduce.runner import carry_out, command, in_this_process, marker_of

    if name is None:
        _list()
        return
    recipe = find_recipe(name)
    folder = folder / "tiny" if tiny else folder  # its stores are made otherwise
    given = {
        "data": data,
        "out": folder,
        "models": store,
        "device": device,
        "processes": processes,
        "workers": workers,
        "precision": chosen(precision, _PRECISIONS),
    }
    sets = needs.data_sets(recipe, data)
    needed, unknown = needs.weights(recipe, store, tiny=tiny)
    pulls = [[*each.pull, "--store", str(store)] for each in needed if not each.installed]
    steps = [*pulls, *recipe.commands(given, tiny=tiny)]
    done = sum(marker_of(folder, words).exists() for words in steps)
    _tell(recipe, sets, needed, unknown, steps=len(steps), done=done)
    if dry_run:
        for words in steps:
            out.print(plain(command(words)), soft_wrap=True, highlight=False)
        return
    needs.expect(recipe, sets, needed, unknown, data, accepted=accept)
    _expect_device(device)

    def told(number: int, words: Sequence[str], before: bool) -> None:
        what = plain(shlex.join(words))
        err.print(
            f"[{number}/{len(steps)}] {'done before: ' if before else ''}{what}",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )

    carry_out(steps, folder, in_this_process, told)
    _compare(recipe, folder, tiny=tiny)


def _expect_device(name: str) -> None:
    """InputError for one that is not here, before hours of what does not need it."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {name} cannot be used here; give cpu, or cuda where there is a card and a "
            "torch that was built for it"
        ) from error


def _list() -> None:
    from rich.table import Column, Table

    from pointaction.reproduce.listing import figures_of
    from pointaction.reproduce.recipe import recipes

    table = Table(Column("recipe", no_wrap=True), "row", "column", "the paper's figures", box=None)
    for recipe in recipes().values():
        paper = recipe.title.split(":")[0]
        row = f"{paper} {recipe.table}, {recipe.row}"
        table.add_row(recipe.name, plain(row), recipe.column, figures_of(recipe))
    out.print(table)


def _tell(
    recipe: "Recipe",
    sets: "Sequence[DataSet]",
    needed: "Sequence[Weights]",
    unknown: Sequence[str],
    *,
    steps: int,
    done: int,
) -> None:
    """What it will take."""
    from pointaction.reproduce.listing import figures_of
    from pointaction.reproduce.needs import hours

    def say(line: str) -> None:
        err.print(line, soft_wrap=True, highlight=False, markup=False)

    say(f"{recipe.name}: {recipe.title}")
    say(f"table {recipe.table}, {recipe.row}, {recipe.column}: {figures_of(recipe)}")
    say(recipe.says)
    for each in sets:
        there = "" if each.there else "; NOT THERE"
        say(f"data: {each.title}, {each.licence}; commercial use: {each.commercial}{there}")
    for weights in needed:
        load = weights.download
        allowed = "commercial use allowed" if load.commercial_use else "no commercial use"
        there = "installed" if weights.installed else "to be pulled"
        say(f"weights: {load.name}, {load.licence}, {allowed}, {there}")
    for name in unknown:
        say(f"weights: {name}, NOT IN THE CATALOGUE")
    told = [f"{stage} {value:.1f}" for stage, value in hours(recipe)]
    say(f"hours of an A100, by the paper's account: {', '.join(told) or 'it tells none'}")
    for note in recipe.notes:
        say(f"note: {note}")
    say(f"{steps} steps, {done} of them done")


def _compare(recipe: "Recipe", folder: Path, *, tiny: bool) -> None:
    """The paper's figures beside ours."""
    from rich.table import Table

    from pointaction.evaluation.figures import read_figures

    ours = read_figures(folder / "figures" / f"{recipe.name}.json")
    table = Table("figure, per cent", "paper", "ours", box=None)
    for name in dict.fromkeys([*recipe.paper, *ours]):
        paper = f"{recipe.paper[name]:.1f}" if name in recipe.paper else ""
        table.add_row(name, paper, str(ours[name]) if name in ours else "")
    out.print(table)
    if tiny:
        out.print("A trial: these figures say nothing but that every step works.")
