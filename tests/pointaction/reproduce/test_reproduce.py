"""Recipes of each kind from tiny made-up copies of data sets to a figure, by the command itself."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.dinov2 import DINOv2, DINOv2Config, begin
from pointaction.models.files import save_network
from pointaction.reproduce.recipe import recipes
from tests.pointaction.extraction.layout_copies import write_finegym, write_iard, write_ssv2
from tests.pointaction.models.stores import table

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_ssv2(root / "ssv2", train=2, validation=1)
    write_finegym(root / "finegym", train=1, validation=1)
    write_iard(root / "iard", actors=("ann", "bob"))
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
    found = json.loads((out / "tiny" / "figures" / f"{name}.json").read_text())
    return said, noted, {figure: told["value"] for figure, told in found.items()}


def test_trajectories_alone(data: Path, models: Path, out: Path) -> None:
    said, noted, figures = tried("ssv2-trajectories", data, models, out)
    assert "top-1" in said
    assert "45.2" in said
    assert figures.keys() == {"top-1", "top-5"}
    assert 0 <= figures["top-1"] <= figures["top-5"] <= 100
    assert "data: Something-Something V2, Qualcomm's licence for research" in noted
    assert "4 steps, 0 of them done" in noted
    _, again, same = tried("ssv2-trajectories", data, models, out)
    assert again.count("done before") == 4
    assert same == figures


def test_a_probe_and_a_fusion(data: Path, models: Path, out: Path) -> None:
    """The fusion takes over what both branches have done."""
    tried("ssv2-trajectories", data, models, out)
    tried("ssv2-dinov2", data, models, out)
    said, noted, figures = tried("ssv2-dinov2-fused", data, models, out)
    assert "62.3" in said
    assert noted.count("done before") == 5
    assert figures.keys() == {"top-1", "top-5"}


def test_an_ablation(data: Path, models: Path, out: Path) -> None:
    assert "31.4" in tried("ssv2-without-depth", data, models, out)[0]
    said, _, figures = tried("ssv2-sampled-5-times", data, models, out)
    assert "40.8" in said
    assert figures.keys() == {"top-1", "top-5"}


def test_neighbours_by_looks(data: Path, models: Path, out: Path) -> None:
    """Five actions of two actors, one clip each."""
    said, _, figures = tried("iard-dinov2", data, models, out)
    assert "66.0" in said
    assert "99.0" in said
    assert figures.keys() == {"action", "identity"}


def test_few_shot_by_strm_and_trx(data: Path, models: Path, out: Path) -> None:
    said, _, figures = tried("strm-ssv2", data, models, out)
    assert "68.1" in said
    assert figures.keys() == {"1-shot"}
    _, noted, _ = tried("trx-ssv2", data, models, out)
    assert noted.count("done before") == 1  # the same clips


def test_few_shot_by_trokens(data: Path, models: Path, out: Path) -> None:
    said, noted, figures = tried("trokens-finegym", data, models, out)
    assert "not at hand" in noted
    assert figures.keys() == {"1-shot"}
    assert "1-shot" in said


def test_every_recipe_says_what_it_takes_and_what_it_would_run(tmp_path: Path) -> None:
    for name, recipe in recipes().items():
        said, noted = run(name, "--dry-run", "--data", tmp_path, "--out", tmp_path / "out")
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
