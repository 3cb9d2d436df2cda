"""Recipes are data: every row's commands are commands that there are."""

from collections.abc import Container
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from pointaction.cli import app
from pointaction.depth.lifters import LIFTERS
from pointaction.errors import InputError
from pointaction.extraction.layouts import LAYOUTS
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.downloads import read_downloads
from pointaction.reproduce.recipe import Recipe, find_recipe, recipes
from pointaction.tracking.points import POINTS
from pointaction.tracking.trackers import TRACKERS
from pointaction.training.stored_episodes import LEAVE_OUT
from pointaction.training.variants import VARIANTS

GIVEN: dict[str, Any] = {
    "data": Path("the {data}"),
    "out": Path("an out"),
    "models": Path("models"),
    "device": "cuda",
    "processes": 3,
    "workers": 8,
    "precision": "bf16",
}
COMMAND = typer.main.get_command(app)


def understood(words: list[str]) -> None:
    """Raises what click does for a command or an option that there is not; runs nothing."""
    command: Any = COMMAND
    context = command.context_class(command)
    while isinstance(command, TyperGroup):
        _, command, words = command.resolve_command(context, words)
        context = context.__class__(command, parent=context)
    command.make_context(command.name, words)


@pytest.mark.parametrize("recipe", recipes().values(), ids=list(recipes()))
def test_every_step_is_understood(recipe: Recipe) -> None:
    for tiny in (False, True):
        for words in recipe.commands(GIVEN, tiny=tiny):
            understood(list(words))
            assert not any("{" in word.replace("the {data}", "") for word in words)
    assert set(recipe.sets) <= LAYOUTS.keys()


def option(words: list[str], name: str) -> str | None:
    """What follows an option; None where it is not given."""
    return words[words.index(name) + 1] if name in words else None


def made_by(words: list[str]) -> str | None:
    """The store, or the weights, that a command leaves."""
    kind, out, name = words[0], option(words, "--out"), option(words, "--name")
    if kind == "extract":
        return option(words, "-o")
    if kind == "evaluate":
        return None
    run = words[1] if kind == "train-episodes" else kind
    return f"{out}/{run}-{name}-seed1/weights.safetensors"


def taken_by(words: list[str]) -> list[str]:
    """The stores and the weights that a command begins with."""
    if words[0] == "extract":
        return []
    named = ("--clips", "--looks", "--from", "--weights", "--probe-weights")
    found = [told for name in named if (told := option(words, name))]
    if words[0] == "train-episodes":
        return found
    places = words[3:4] if words[0] == "evaluate" else words[1:]
    return [*found, *takewhile(lambda word: not word.startswith("-"), places)]


@pytest.mark.parametrize("recipe", recipes().values(), ids=list(recipes()))
def test_what_a_step_begins_with_was_made_by_those_before(recipe: Recipe) -> None:
    for tiny in (False, True):
        made: set[str | None] = set()
        for words in recipe.commands(GIVEN, tiny=tiny):
            assert taken_by(words) or words[0] == "extract"
            assert set(taken_by(words)) <= made, words
            made.add(made_by(words))
        assert option(words, "--figures") == f"an out/figures/{recipe.name}.json"


@pytest.mark.parametrize("recipe", recipes().values(), ids=list(recipes()))
def test_what_options_name_is_there(recipe: Recipe) -> None:
    """Trackers, depths, points, backbones, divisions and variants, as a real run gives them."""
    known: dict[str, Container[str]] = {
        "--tracker": TRACKERS,
        "--depth": LIFTERS,
        "--points": POINTS,
        "--variant": VARIANTS,
        "--layout": LAYOUTS,
        "--features": {*read_downloads(DEFAULT_STORE), "videoprism-base"},  # which a note tells
        "--without": LEAVE_OUT,
    }
    for words in recipe.commands(GIVEN):
        for name, choices in known.items():
            told = option(words, name)
            assert told is None or told in choices
        if words[0] == "extract":
            split = option(words, "--split")
            assert split is None or split in LAYOUTS[str(option(words, "--layout"))].divisions


def test_the_papers_numbers_are_those_of_its_tables() -> None:
    told = {name: dict(recipe.paper) for name, recipe in recipes().items()}
    assert told["ssv2-trajectories"] == {"top-1": 45.2}
    assert told["k400-trajectories"] == {"top-1": 33.1}
    assert told["ek100-vjepa2-fused"] == {"top-1": 68.3}
    assert told["iard-trajectories"] == {"action": 76.6, "identity": 27.3}
    assert told["ssv2-relative"] == {"top-1": 32.0}
    assert told["strm-vit-ucf101"] == {"5-shot": 98.1}
    assert told["trokens-ssv2-full"]["3-shot"] == 73.8
    assert told["trokens-finegym"] == {}


def test_a_row_changes_what_it_says_and_no_more() -> None:
    def steps(name: str) -> list[str]:
        return [" ".join(words) for words in find_recipe(name).commands(GIVEN)]

    base, without = steps("ssv2-base"), steps("ssv2-without-depth")
    assert base[0] == without[0]
    assert (
        base[1]
        .replace("-paper", "-without-depth")
        .replace("--variant paper", "--variant without-depth")
        == without[1]
    )
    masks = [steps(f"ssv2-mask-{mask}") for mask in ("0.60", "0.75")]
    assert " --mask 0.6 " in masks[0][2]
    assert " --mask 0.75 " in masks[1][2]


def test_hyperparameters_are_table_6() -> None:
    _, pretrain, finetune, _ = find_recipe("ssv2-trajectories").commands(GIVEN)
    told = " ".join(pretrain)
    for setting in ("--epochs 300", "--batch 512", "--mask 0.9", "--tracks 512"):
        assert setting in told
    told = " ".join(finetune)
    for setting in ("--epochs 15", "--batch 64", "--learning-rate 2e-4", "--weight-decay 5e-3"):
        assert setting in told


def test_pretraining_on_others_extracts_them_too() -> None:
    steps = find_recipe("ek100-pretrained-on-both").commands(GIVEN)
    extracted = [words[words.index("--layout") + 1] for words in steps if words[0] == "extract"]
    assert extracted == ["epic-kitchens-100", "kinetics400", "ssv2"]
    pretrain = next(words for words in steps if words[0] == "pretrain")
    assert pretrain[1:3] == ["an out/stores/kinetics400", "an out/stores/ssv2"]
    own = find_recipe("ssv2-pretrained-on-ssv2").commands(GIVEN)
    assert [words[0] for words in own] == ["extract", "pretrain", "finetune", "evaluate"]


def test_what_paths_are_called_is_left_as_it_is() -> None:
    first = find_recipe("ssv2-trajectories").commands(GIVEN)[0]
    assert first[:2] == ["extract", "the {data}/ssv2"]


def test_a_trial_needs_no_weights_of_others() -> None:
    for recipe in recipes().values():
        assert set(recipe.weights(tiny=True)) <= {"lucas-kanade", "looming", "looks-tiny"}
    assert find_recipe("ssv2-vjepa2-fused").weights() == (
        "cotracker3",
        "video-depth-anything-large",
        "vjepa2-large",
    )


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="'ssv3' is not one of: ssv2-trajectories, ek100-"):
        find_recipe("ssv3")


def test_an_option_that_there_is_not_would_be_told() -> None:
    with pytest.raises(Exception, match="No such option: --mark"):
        understood(["evaluate", "stored", "accuracy", "store", "--mark", "1"])
