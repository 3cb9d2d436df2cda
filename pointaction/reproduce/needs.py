"""What a recipe takes before it can begin: data, weights, licences, time. Needs no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointaction.errors import InputError, UnknownModel
from pointaction.models.catalog import find
from pointaction.models.downloads import Download, read_downloads, read_receipt
from pointaction.reproduce.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    name: str  # of its layout
    title: str
    source: str
    licence: str
    commercial: str
    there: bool  # whether there is a folder for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    download: Download
    installed: bool

    @property
    def pull(self) -> list[str]:
        """The words of the command that fetches them."""
        accept = [] if self.download.commercial_use else ["--accept-licence"]
        return ["models", "pull", self.download.name, *accept]


def data_sets(recipe: Recipe, data: Path) -> list[DataSet]:
    """Those that the recipe reads below the folder `data`."""
    from pointaction.extraction.layouts import LAYOUTS

    return [
        DataSet(
            name=name,
            title=LAYOUTS[name].title,
            source=LAYOUTS[name].source,
            licence=LAYOUTS[name].licence,
            commercial=LAYOUTS[name].commercial,
            there=(data / name).is_dir(),
        )
        for name in recipe.sets
    ]


def weights(recipe: Recipe, models: Path, *, tiny: bool) -> tuple[list[Weights], list[str]]:
    """Weights of others that the recipe needs, and names that the catalogue does not have."""
    downloads, found, unknown = read_downloads(models), [], []
    for name in dict.fromkeys(recipe.weights(tiny=tiny)):
        wanted = _download_of(name)
        if wanted is None:
            continue
        if wanted in downloads:
            download = downloads[wanted]
            there = read_receipt(models, download) is not None
            found.append(Weights(download=download, installed=there))
        elif not _is_a_model(models, wanted):
            unknown.append(wanted)
    return found, unknown


def expect(
    recipe: Recipe,
    sets: Sequence[DataSet],
    needed: Sequence[Weights],
    unknown: Sequence[str],
    data: Path,
    *,
    accepted: bool,
) -> None:
    """InputError for what is missing, before anything is begun."""
    absent = [each for each in sets if not each.there]
    if absent:
        raise InputError(
            f"{recipe.name} reads "
            + "; ".join(f"{each.title} in {data / each.name} ({each.source})" for each in absent)
            + ": there is no such folder. Put it there, or a link to it, or say --data"
        )
    if unknown:
        raise InputError(
            f"{recipe.name} needs {', '.join(unknown)}, which the catalogue does not have; a table "
            "[downloads.NAME] in your model store's catalog.toml would say where to fetch it"
        )
    forbid = [each.download for each in needed if not each.installed]
    forbid = [each for each in forbid if not each.commercial_use]
    if forbid and not accepted:
        raise InputError(
            "; ".join(f"{each.name} is under {each.licence}" for each in forbid)
            + ", which forbids commercial use: give --accept-licences if you may use it so"
        )


def hours(recipe: Recipe) -> Iterator[tuple[str, float]]:
    """About how many hours of an A100 the stages take, as the paper tells of its own runs.

    What it tells of all data sets, or of Kinetics-400, is scaled by the number of clips. Nothing
    of a paper that does not tell.
    """
    if not recipe.hours:
        return
    steps, whole = recipe.told["steps"], recipe.clips["kinetics400"][0]
    if "{extract}" in steps:  # and not features alone
        total = sum(map(sum, recipe.clips.values()))
        followed = sum(sum(recipe.clips[name]) for name in recipe.sets)
        yield "extraction", recipe.hours["extraction"] * followed / total
    learning = [step.split()[0] for step in steps if "{learning}" in step]
    if "pretrain" in learning:
        names = recipe.told.get("pretrained_on", [recipe.sets[0]])
        clips = sum(recipe.clips[name][0] for name in names)
        yield "pretraining", recipe.hours["pretraining"] * clips / whole
    if "finetune" in learning:
        clips = recipe.clips[recipe.sets[0]][0]
        yield "fine-tuning", recipe.hours["finetuning"] * clips / whole


def _download_of(name: str) -> str | None:
    """The weights that a tracker, a depth or a backbone runs on; None where it needs none."""
    from pointaction.depth.lifters import LIFTERS
    from pointaction.tracking.trackers import TRACKERS

    for registry in (TRACKERS, LIFTERS):
        if name in registry:
            return registry[name].weights
    return name


def _is_a_model(models: Path, name: str) -> bool:
    try:
        find(models, name, task=None)
    except UnknownModel:
        return False
    return True
