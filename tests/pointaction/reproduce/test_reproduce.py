"""Recipes of each kind from tiny made-up copies of data sets to a figure, by the command itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.dinov2 import DINOv2, DINOv2Config, begin
from pointaction.models.files import save_network
from pointaction.reproduce.commands import reproduce
from pointaction.reproduce.recipe import recipes
from tests.pointaction.extraction.layout_copies import (
    write_cia,
    write_epic_kitchens_100,
    write_finegym,
    write_hmdb51,
    write_iard,
    write_kinetics400,
    write_ssv2,
    write_ucf101,
)
from tests.pointaction.models.stores import table
from tests.pointaction.reproduce.trokens_lists import add_trokens

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_ssv2(root / "ssv2", train=1, validation=1)
    write_kinetics400(root / "kinetics400", train=1, validation=1)
    write_epic_kitchens_100(root / "epic-kitchens-100")
    write_iard(root / "iard", actors=("ann", "bob"))
    write_cia(root / "cia", train=1, validation=1)
    write_ucf101(root / "ucf101", train=1, test=1)
    write_hmdb51(root / "hmdb51", train=1, test=1)
    add_trokens(root / "hmdb51", "hmdb_ARN", "hmdb_few_shot.csv")
    write_finegym(root / "finegym", train=1, validation=1)
    return root


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a backbone of the name that trials take, and smaller still."""
    store = tmp_path_factory.mktemp("models")
    network = DINOv2(DINOv2Config(width=24, layers=1, heads=2))
    begin(network, torch.Generator().manual_seed(0))
    sha256 = save_network(network, store / "looks-tiny.safetensors")
    entry = table("looks-tiny", sha256, builder="dinov2", inputs="pixels = 112", task="appearance")
    (store / "catalog.toml").write_text(entry)
    return store


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: recipes share what they make."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are slower on more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(*words: object) -> tuple[str, str]:
    done = RUNNER.invoke(app, ["reproduce", *map(str, words)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def tried(name: str, data: Path, models: Path, out: Path) -> tuple[str, str, dict[str, float]]:
    """What a trial says, and its figures."""
    words = ("--data", data, "--out", out, "--store", models, "--workers", 0, "--tiny")
    said, noted = run(name, *words)
    assert "A trial: these figures say nothing" in said
    return said, noted, measured(name, out)


def measured(name: str, out: Path) -> dict[str, float]:
    found = json.loads((out / "tiny" / "figures" / f"{name}.json").read_text())
    return {figure: told["value"] for figure, told in found.items()}


def test_trajectories_a_probe_and_both_fused(data: Path, models: Path, out: Path) -> None:
    """EPIC-KITCHENS; the fusion takes over what both branches have done."""
    said, noted, figures = tried("ek100-trajectories", data, models, out)
    assert "54.1" in said
    assert figures.keys() == {"top-1", "top-5"}
    assert 0 <= figures["top-1"] <= figures["top-5"] <= 100
    assert "data: EPIC-KITCHENS-100, CC BY-NC 4.0; commercial use: no" in noted
    assert "4 steps, 0 of them done" in noted
    said, noted, _ = tried("ek100-dinov2-middle-fused", data, models, out)
    assert "59.5" in said
    assert noted.count("done before") == 3
    _, noted, same = tried("ek100-trajectories", data, models, out)
    assert noted.count("done before") == 4
    assert same == figures
    assert "44.1" in tried("ek100-dinov2-middle", data, models, out)[0]  # of which all is there


def test_pretraining_on_two_data_sets(data: Path, models: Path, out: Path) -> None:
    """Chirality in Action after Kinetics and Something-Something, and IARD after the same."""
    said, noted, figures = tried("cia-trajectories", data, models, out)
    assert "86.2" in said
    assert figures.keys() == {"mean over groups"}
    assert "data: Kinetics-400" in noted
    said, noted, figures = tried("iard-trajectories", data, models, out)
    assert "76.6" in said
    assert figures.keys() == {"action", "identity"}
    assert noted.count("done before") == 3  # all but its own clips and its figures


def test_ablations(data: Path, models: Path, out: Path) -> None:
    """Of what is pretrained on, of the model, of its modalities and of how tracks are sampled."""
    assert "45.6" in tried("ssv2-mask-0.75", data, models, out)[0]
    assert "45.8" in tried("ssv2-pretrained-on-both", data, models, out)[0]
    assert "32.0" in tried("ssv2-relative", data, models, out)[0]
    assert "31.4" in tried("ssv2-without-depth", data, models, out)[0]
    said, noted, figures = tried("ssv2-sampled-5-times", data, models, out)
    assert "40.8" in said
    assert figures.keys() == {"top-1", "top-5"}
    assert noted.count("done before") == 1  # its clips


def test_neighbours_by_looks(data: Path, models: Path, out: Path) -> None:
    """Five actions of two actors, one clip each."""
    said, _, figures = tried("iard-dinov2", data, models, out)
    assert "66.0" in said
    assert "99.0" in said
    assert figures.keys() == {"action", "identity"}


def test_few_shot_by_strm_and_trx(data: Path, models: Path, out: Path) -> None:
    said, _, figures = tried("strm-ucf101", data, models, out)
    assert "96.9" in said
    assert figures.keys() == {"1-shot"}
    _, noted, _ = tried("trx-ucf101", data, models, out)
    assert noted.count("done before") == 1  # the same clips


@pytest.mark.parametrize("column", ["hmdb51", "finegym"])
def test_few_shot_by_trokens(column: str, data: Path, models: Path, out: Path) -> None:
    _, _, figures = tried(f"trokens-{column}", data, models, out)
    assert figures.keys() == {"1-shot"}


def test_another_number_of_workers_does_nothing_else(data: Path, models: Path, out: Path) -> None:
    """Every step is another command by then; runs and stores are found finished."""
    before = tried("ek100-dinov2-middle-fused", data, models, out)[2]
    run(
        "ek100-dinov2-middle-fused", "--data", data, "--out", out, "--store", models,
        "--workers", 1, "--tiny",
    )  # fmt: skip
    assert measured("ek100-dinov2-middle-fused", out) == before


def test_a_device_that_is_not_here_is_told_at_once(tmp_path: Path, data: Path) -> None:
    words = ("iard-dinov2", "--data", data, "--out", tmp_path / "out", "--tiny")
    with pytest.raises(InputError, match="--device abacus cannot be used here; give cpu"):
        run(*words, "--device", "abacus")
    assert not (tmp_path / "out").exists()


def test_every_recipe_says_what_it_takes_and_what_it_would_run(tmp_path: Path) -> None:
    alone = typer.Typer()  # the whole command line takes long to put up
    alone.command()(reproduce)
    for name, recipe in recipes().items():
        words = [name, "--dry-run", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
        done = RUNNER.invoke(alone, words)
        said, noted = done.stdout, done.stderr
        assert said.startswith("pointaction ")
        assert f"table {recipe.table}, {recipe.row}" in noted
        assert "NOT THERE" in noted
        for note in recipe.notes:
            assert f"note: {note}" in noted
    assert not (tmp_path / "out").exists()


def test_nothing_is_begun_without_the_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ssv2-trajectories reads Something-Something V2 in"):
        run("ssv2-trajectories", "--data", tmp_path, "--out", tmp_path / "out", "--tiny")
    assert not (tmp_path / "out").exists()


def test_without_a_name_all_are_listed() -> None:
    said, _ = run()
    for name in recipes():
        assert name in said


def test_the_page_lists_every_recipe_with_the_papers_figures() -> None:
    from pointaction.reproduce.listing import listing

    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    assert listing(recipes().values()) in page
