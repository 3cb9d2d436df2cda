import json
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import Generator, Tensor, nn

from pointaction.errors import DamagedWeights, MissingExtra, PointActionError
from pointaction.models.onnx import export
from pointaction.models.onnx.export import LIMIT, Classifier, Encoder, differences, write_graph
from pointaction.models.onnx.graph import Graph
from pointaction.models.onnx.quantise import write_int8_graph
from pointaction.models.traction import TrAction
from pointaction.models.views import answer
from tests.pointaction.models.onnx.models import ENTRY, small_model


@pytest.fixture(scope="module")
def model() -> TrAction:
    return small_model()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, model: TrAction) -> Path:
    """The classifier's graph: exporting takes seconds."""
    path = tmp_path_factory.mktemp("graphs") / "small.onnx"
    write_graph(Classifier(model), ENTRY, path)
    return path


def clips(count: int, tracks: int) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(count)
    geometry = torch.rand(count, tracks, 8, 3, generator=generator)
    return geometry, torch.rand(count, tracks, 8, generator=generator) > 0.2


@pytest.mark.parametrize(("count", "tracks"), [(1, 1), (1, 600), (5, 33)])
def test_any_number_of_clips_and_tracks_is_answered_as_by_torch(
    model: TrAction, file: Path, count: int, tracks: int
) -> None:
    given = clips(count, tracks)
    with torch.inference_mode():
        ours = model.answer(*given)
    its = Graph.open(file, sha256=ENTRY.sha256).answer(*given)
    assert its.attention.shape == (count, 2, tracks)
    for wanted, found in zip(ours, its, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=LIMIT)


def test_a_graph_is_asked_four_ways_as_a_model_is(model: TrAction, file: Path) -> None:
    from pointaction.models.symmetry import UNNAMED, Symmetry

    symmetry = Symmetry(reverse=(1, 0, UNNAMED), mirror=(1, 0, 2))
    given = clips(2, 9)
    with torch.inference_mode():
        ours = answer(model, *given, symmetry)
    its = answer(Graph.open(file, sha256=ENTRY.sha256), *given, symmetry)
    torch.testing.assert_close(its.logits, ours.logits, rtol=0, atol=LIMIT)


def test_a_graph_says_what_it_was_made_of(file: Path) -> None:
    told = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert (told["name"], told["version"], told["sha256"]) == ("small", "1", ENTRY.sha256)
    assert json.loads(told["labels"]) == ["up", "dówn", "still"]
    assert told["opset"] == str(onnx.load(file).opset_import[0].version)


def test_the_encoder_tells_every_track(model: TrAction, tmp_path: Path) -> None:
    path = tmp_path / "small-encoder.onnx"
    found = write_graph(Encoder(model.encoder), ENTRY, path)
    assert max(max(each.largest.values()) for each in found) <= LIMIT
    embedded, tracks, _ = Graph.open(path, sha256=ENTRY.sha256).run(*clips(2, 5))
    with torch.inference_mode():
        encoded = model.encoder(*clips(2, 5))
    torch.testing.assert_close(tracks, encoded.tracks, rtol=0, atol=LIMIT)
    wanted = model.encoder.embed(*clips(2, 5)).detach()
    torch.testing.assert_close(embedded, wanted, rtol=0, atol=LIMIT)


def test_in_whole_numbers_it_answers_nearly_the_same(
    model: TrAction, file: Path, tmp_path: Path
) -> None:
    write_int8_graph(file, tmp_path / "int8.onnx")
    rounded = Graph.open(tmp_path / "int8.onnx", sha256=ENTRY.sha256).answer(*clips(2, 9))
    exact = Graph.open(file, sha256=ENTRY.sha256).answer(*clips(2, 9))
    assert not torch.equal(rounded.logits, exact.logits)
    torch.testing.assert_close(rounded.logits, exact.logits, rtol=0, atol=0.1)
    told = {each.key: each.value for each in onnx.load(tmp_path / "int8.onnx").metadata_props}
    assert (told["name"], told["arithmetic"]) == ("small", "int8")


def test_a_graph_of_other_weights_is_refused(file: Path) -> None:
    with pytest.raises(DamagedWeights, match="made of weights aaaaaaaaaaaa, not of bbbbbbbbbbbb"):
        Graph.open(file, sha256="b" * 64)


@pytest.mark.parametrize("content", [b"no graph", b""])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(DamagedWeights, match="remove it"):
        Graph.open(tmp_path / "broken.onnx", sha256=ENTRY.sha256)


def test_weights_that_are_others_are_seen_as_a_difference(model: TrAction, file: Path) -> None:
    other = small_model()
    nn.init.ones_(other.head.bias)
    graph = Graph.open(file, sha256=ENTRY.sha256)
    found = differences(Classifier(other), graph, generator=Generator().manual_seed(0))
    assert all(each.largest["logits"] > 0.1 for each in found)
    assert all(each.largest["attention"] < LIMIT for each in found)


def test_a_graph_that_answers_otherwise_is_not_written(
    model: TrAction, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_exported", lambda part: onnx.load(file))
    other = small_model()
    nn.init.ones_(other.head.bias)
    with pytest.raises(PointActionError, match="answers otherwise than in torch"):
        write_graph(Classifier(other), replace(ENTRY, version="2"), tmp_path / "other.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_runtime_the_command_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pointaction\[onnx\]'"):
        Graph.open(file, sha256=ENTRY.sha256)


def test_without_the_exporter_the_command_is_named(
    model: TrAction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pointaction\[onnx\]'"):
        write_graph(Classifier(model), ENTRY, tmp_path / "small.onnx")
