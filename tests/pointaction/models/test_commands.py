from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pointaction.errors import InputError
from pointaction.evaluation import backends
from pointaction.models.backends import AUTO, Choice, computed
from pointaction.models.catalog import Entry, find
from pointaction.models.commands import models
from pointaction.models.onnx import export
from tests.pointaction.models.stores import know_downloads, small_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """`small` in two versions with the same weights."""
    catalog = small_store(tmp_path) / "catalog.toml"
    first = catalog.read_text()
    second = first.replace("[models.small]", '[models."small@2"]').replace('"1"', '"2"')
    catalog.write_text(first + second)
    know_downloads(tmp_path)
    return tmp_path


def call(store: Path, *words: str) -> Result:
    return CliRunner().invoke(models, [*words, "--store", str(store)])


def rows(shown: Result) -> list[list[str]]:
    assert shown.exit_code == 0, shown.output
    return [line.split() for line in shown.stdout.splitlines()]


def test_the_list_has_versions_and_the_default(store: Path) -> None:
    digest = find(store, "small").digest[:12]
    shown = rows(call(store, "list"))
    assert ["small@1", "1", "3", "labels", "0.0", "M", "Apache-2.0", digest] in shown
    assert ["small", "2", "(default)", "3", "labels", "0.0", "M", "Apache-2.0", digest] in shown
    assert rows(call(store)) == shown


def test_a_model_is_shown_with_everything_about_it(store: Path) -> None:
    told = dict(line.split(":", 1) for line in call(store, "show", "small").stdout.splitlines())
    facts = {fact: value.strip() for fact, value in told.items()}
    assert facts["asked by"] == "small, default, small@2"
    assert facts["labels"] == "3, the first is 'up'"
    assert facts["inputs"] == "tracks 512, frames 32"
    assert facts["licence"] == "Apache-2.0: commercial use allowed"
    assert facts["digest"] == find(store, "small").digest
    assert facts["card"] == str(store / "small.md")
    size = (store / "small.safetensors").stat().st_size
    assert facts["size on disk"] == f"{size / 1e6:.1f} MB"


def test_weights_of_others_are_shown_with_how_to_get_them(store: Path) -> None:
    shown = call(store, "show", "videomae-base").stdout
    assert "CC-BY-NC-4.0: no commercial use" in shown
    assert "no; run: pointaction models pull videomae-base --accept-licence" in shown
    assert "config.json, preprocessor_config.json, model.safetensors" in shown


def test_verify_names_the_file_that_is_another_and_exits_with_1(store: Path) -> None:
    whole = call(store, "verify")
    assert (whole.exit_code, whole.stdout.count(" ok")) == (0, 2)
    (store / "small.safetensors").write_bytes(b"other")
    damaged = call(store, "verify", "small@1")
    assert damaged.exit_code == 1
    assert damaged.stdout.startswith(f"small@1: {store / 'small.safetensors'} has digest")
    assert "put the right one back (pointaction models show small@1" in damaged.stdout


def test_the_default_is_told_and_chosen(store: Path) -> None:
    assert call(store, "default").stdout.startswith("default: small (version 2, ")
    assert call(store, "default", "small@1").stdout.startswith("default: small@1 (version 1, ")
    assert find(store, "default").version == "1"
    assert rows(call(store, "list"))[1][:3] == ["small@1", "1", "(default)"]


def test_what_may_go_is_removed_and_what_is_in_use_is_not(store: Path) -> None:
    refused = call(store, "remove", "small@2")
    assert isinstance(refused.exception, InputError)
    assert "models default NAME" in str(refused.exception)
    assert call(store, "remove", "small@1").exit_code == 0
    assert find(store, "small").version == "2"
    assert (store / "small.safetensors").exists()  # which the other version has too


def test_a_model_and_its_encoder_are_exported(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(part: export.Part, entry: Entry, path: Path) -> list[export.Difference]:
        path.write_text(f"{type(part).__name__} of {entry.pinned}")
        return [export.Difference(clips=1, tracks=7, largest={part.outputs[0]: 3e-6})]

    monkeypatch.setattr(export, "write_graph", write)
    shown = call(store, "export", "small@1", "--to", str(tmp_path / "graphs"))
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "graphs" / "small.onnx").read_text() == "Classifier of small@1"
    assert (tmp_path / "graphs" / "small-encoder.onnx").read_text() == "Encoder of small@1"
    assert "1 x 7 tracks: logits 3.0e-06" in shown.stdout


def test_what_was_measured_is_kept_for_the_service(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(model: object, entry: Entry, data: Path, **_: object) -> Choice:
        figures: dict[str, dict[str, float | None]] = {
            "torch": {"ms": 50.0, "points": None},
            "onnx-int8": {"ms": 25.0, "points": -0.1},
        }
        return Choice(backend="onnx-int8", model=entry.pinned, circumstances={}, figures=figures)

    monkeypatch.setattr(backends, "choose", choose)
    data = tmp_path / "data"
    shown = rows(call(store, "tune", "small", "--data", str(data)))
    assert ["torch", "50.0"] in shown
    assert ["onnx-int8", "25.0", "-0.10"] in shown
    assert computed(find(store, "small"), AUTO, data).backend == "onnx-int8"


@pytest.mark.parametrize("words", [("export", "--to", "graphs"), ("tune",)])
def test_a_model_that_looks_at_pixels_stays_with_torch(store: Path, words: tuple[str, ...]) -> None:
    catalog = store / "catalog.toml"
    catalog.write_text(catalog.read_text().replace("{ tracks = 512,", "{ pixels = 512,"))
    shown = call(store, words[0], "small", *words[1:])
    assert isinstance(shown.exception, InputError)
